"""One way from a picture to metres and classes, whatever file the network is in."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtdepth.contract import MININET, Fit, contract_path
from mtdepth.files import UserError, sha256_of
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import DepthCodec, SigmoidDisparityCodec
from mtdepth.runtime.contracted import ContractedBackend
from mtdepth.runtime.formats import FORMATS, open_artefact
from mtdepth.runtime.pipeline import NetworkOutput, Predictor
from mtdepth.workdir import Checkpoint, Workdir

if TYPE_CHECKING:
    from mtdepth.trained import TrainedNetwork


def open_predictor(
    path: Path | str,
    *,
    decoder: str | None = None,
    checkpoint: Checkpoint = "best",
    num_threads: int = 2,
) -> Predictor:
    """Opens a trained network.

    Args:
      path: A workdir of `mtdepth.train`, or a `.tflite` or `.onnx` file, its contract beside it.
      decoder: Size to detach from a workdir's network, or to open of a file with several; None for
        the one that was trained, or the largest.
      checkpoint: Which weights of a workdir.
      num_threads: Of an exported file's interpreter.

    Returns:
      A predictor; `predict(image_rgb, camera=...)` takes an RGB picture of any size.

    Raises:
      FileNotFoundError: If there is no such workdir, checkpoint, file or contract.
      DataError: If a file is damaged or does not fit the others.
      UserError: If the path is of no known kind, or the decoder is not in it.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: no such model; give a workdir of `python -m mtdepth.train` "
            "or a file of `python -m export.tflite` or `export.onnx`"
        )
    if path.is_dir():
        # Here, so that opening a .tflite file does not load TensorFlow.
        from mtdepth.trained import load_trained

        trained = load_trained(Workdir(path), size=decoder, checkpoint=checkpoint)
        return Predictor(KerasBackend(trained))
    if path.suffix not in FORMATS:
        raise UserError(f"{path}: a model is a workdir or a {' or '.join(FORMATS)} file")
    sizes = open_artefact(path, num_threads=num_threads)
    size = decoder or next(iter(sizes))
    if size not in sizes:
        raise UserError(
            f"{path} holds decoder {', '.join(sizes)}, not {size}: an exported network "
            f"cannot be cut any more; `python -m {FORMATS[path.suffix].exporter} --decoder {size}` "
            "exports that"
        )
    return Predictor(sizes[size])


def open_unscaled(workdir: Workdir, *, checkpoint: Checkpoint) -> Predictor:
    """Opens a network that learned from video as if the metres of its depth 1 were one.

    Its answers are comparable between cameras, which those of a network without a scale are not.

    Raises:
      FileNotFoundError: If there is no such run or checkpoint.
      DataError: If the weights are damaged.
      UserError: If the run did not learn from video.
    """
    from mtdepth.trained import load_trained

    trained = load_trained(workdir, checkpoint=checkpoint)
    if trained.family != MININET:
        raise UserError(f"{workdir.path} holds a student, whose depth is metric already")
    codec = SigmoidDisparityCodec(scale=1.0)
    return Predictor(KerasBackend(dataclasses.replace(trained, codec=codec, scale_source="one")))


class KerasBackend:
    """The network of a workdir, cut to one decoder size.

    Args:
      trained: The network with all that travels with it.
    """

    def __init__(self, trained: "TrainedNetwork") -> None:
        self.trained = trained
        self._infer = _compiled(trained)

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.trained.input_size

    @property
    def fit(self) -> Fit:
        """How a picture is brought to `input_size`."""
        return self.trained.fit

    @property
    def codec(self) -> DepthCodec:
        """The network's depth law."""
        return self.trained.codec

    @property
    def training_camera(self) -> Intrinsics | None:
        """At `input_size`."""
        return self.trained.training_camera

    @property
    def is_metric(self) -> bool:
        """Whether its depth has a unit."""
        return self.trained.is_metric

    @property
    def tasks(self) -> tuple[str, ...]:
        """`("depth",)` or `("depth", "segmentation")`."""
        return self.trained.tasks

    def infer(self, image: npt.NDArray[np.uint8]) -> NetworkOutput:
        """Runs the network on a fitted RGB picture `[height, width, 3]`."""
        code, train_id = self._infer(image)
        depth_m = np.asarray(self.codec.decode(code.numpy()), np.float32)
        return NetworkOutput(depth_m, None if train_id is None else train_id.numpy())


def model_file(predictor: Predictor) -> Path:
    """The file that a network was read from: of weights, or an exported one.

    Raises:
      TypeError: For a back end that this module does not open.
    """
    backend = predictor.backend
    if isinstance(backend, KerasBackend):
        return backend.trained.weights
    if isinstance(backend, ContractedBackend):
        return backend.path
    raise TypeError(f"no file for a back end of type {type(backend).__name__}")


def model_identity(predictor: Predictor) -> dict[str, Any]:
    """Says which network made a result: where it is, its digest, precision and decoder.

    Raises:
      TypeError: For a back end that this module does not open.
    """
    backend = predictor.backend
    if isinstance(backend, KerasBackend):
        trained = backend.trained
        return {
            "kind": "keras",
            "path": str(trained.workdir.path),
            "network": trained.family,
            "decoder": trained.size,
            "precision": "float32",
            "checkpoint": trained.checkpoint,
            "sha256": sha256_of(trained.weights),
            "recipe": trained.recipe["name"],
            "scale_source": trained.scale_source,
        }
    if isinstance(backend, ContractedBackend):
        contract = backend.contract
        return {
            "kind": backend.path.suffix[1:],
            "path": str(backend.path),
            "network": contract.network,
            "decoder": contract.decoder,
            "precision": contract.precision,
            "treatment": contract.treatment,
            "sha256": contract.sha256,
            "contract_sha256": sha256_of(contract_path(backend.path)),
            "recipe": contract.recipe.get("name"),
            "scale_source": contract.scale_source,
        }
    raise TypeError(f"no identity for a back end of type {type(backend).__name__}")


def _compiled(trained: "TrainedNetwork") -> Any:
    """Returns uint8 `[height, width, 3]` -> (code `[h, w]`, train id `[h, w]` or None)."""
    # Here, so that opening a .tflite file does not load TensorFlow.
    import tensorflow as tf

    shape = (*trained.input_size, 3)

    # One fixed shape is traced once; XLA is slower than plain kernels on CPU.
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)], jit_compile=False)
    def infer(image: Any) -> Any:
        fed = trained.normalisation(tf.cast(image, tf.float32))
        outputs = trained.network(fed[None], training=False)
        code = outputs["depth_code"][0, :, :, 0]
        if "segmentation" not in trained.tasks:
            return code, None
        scores = outputs["class_scores"][0]
        return code, tf.cast(tf.argmax(scores, axis=-1), tf.uint8)

    return infer
