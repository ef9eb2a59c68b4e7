"""One way from a picture to metres and classes, whatever file the network is in."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.contract import Fit, contract_path, sha256_of
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import LogDepthCodec
from mtdepth.models.specs import NUM_BLOCKS, DecoderSize
from mtdepth.runtime.pipeline import NetworkOutput, Predictor
from mtdepth.runtime.tflite import TfliteBackend
from mtdepth.workdir import Checkpoint, Workdir

TFLITE_SUFFIX = ".tflite"


def open_predictor(
    path: Path | str,
    *,
    decoder: DecoderSize | None = None,
    checkpoint: Checkpoint = "best",
    num_threads: int = 2,
) -> Predictor:
    """Opens a trained network.

    Args:
      path: A workdir of `mtdepth.train`, or a `.tflite` file with its contract beside it.
      decoder: Size to detach from a workdir's network; None for the one that was trained.
      checkpoint: Which weights of a workdir.
      num_threads: Of the TFLite interpreter.

    Returns:
      A predictor; `predict(image_rgb, camera=...)` takes an RGB picture of any size.

    Raises:
      FileNotFoundError: If there is no such workdir, checkpoint, file or contract.
      DataError: If a file is damaged or does not fit the others.
      ValueError: If the path is of no known kind, or the decoder is not in it.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: no such model; give a workdir of `python -m mtdepth.train` "
            "or a file of `python -m export.tflite`"
        )
    if path.is_dir():
        return Predictor(KerasBackend(Workdir(path), decoder=decoder, checkpoint=checkpoint))
    if path.suffix != TFLITE_SUFFIX:
        raise ValueError(f"{path}: a model is a workdir or a {TFLITE_SUFFIX} file")
    backend = TfliteBackend(path, num_threads=num_threads)
    if decoder not in (None, backend.contract.decoder):
        raise ValueError(
            f"{path} holds decoder {backend.contract.decoder}, not {decoder}: an exported network "
            f"cannot be cut any more; `python -m export.tflite --decoder {decoder}` exports that"
        )
    return Predictor(backend)


class KerasBackend:
    """The network of a workdir, cut to one decoder size.

    Args:
      workdir: The run.
      decoder: L, M, S or XS, at most the size that was trained; None for that one.
      checkpoint: Which weights.

    Raises:
      FileNotFoundError: If there is no such run or checkpoint.
      DataError: If the weights are damaged or of another network.
      ValueError: If `decoder` is larger than the one that was trained.
    """

    def __init__(
        self,
        workdir: Workdir,
        *,
        decoder: DecoderSize | None = None,
        checkpoint: Checkpoint = "best",
    ) -> None:
        recipe = workdir.recipe()
        self.workdir = workdir
        self.checkpoint = checkpoint
        self.decoder: DecoderSize = decoder or recipe.decoder
        if NUM_BLOCKS[self.decoder] > NUM_BLOCKS[recipe.decoder]:
            raise ValueError(
                f"{workdir.path} was trained with decoder {recipe.decoder}, which does not contain "
                f"decoder {self.decoder}; train with --decoder {self.decoder}"
            )
        self._recipe = recipe
        self._training_camera = workdir.training_camera()
        self._infer = _compiled(workdir, decoder=self.decoder, checkpoint=checkpoint)

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width)."""
        height_px, width_px = self._recipe.input_size_px
        return height_px, width_px

    @property
    def fit(self) -> Fit:
        """How a picture is brought to `input_size`."""
        return self._recipe.fit

    @property
    def codec(self) -> LogDepthCodec:
        """The depth law of the recipe."""
        return self._recipe.codec

    @property
    def training_camera(self) -> Intrinsics | None:
        """At `input_size`."""
        return self._training_camera

    @property
    def tasks(self) -> tuple[str, ...]:
        """`("depth",)` or `("depth", "segmentation")`."""
        return self._recipe.tasks

    def infer(self, image: npt.NDArray[np.uint8]) -> NetworkOutput:
        """Runs the network on a fitted RGB picture `[height, width, 3]`."""
        code, train_id = self._infer(image)
        depth_m = np.asarray(self.codec.decode(code.numpy()), np.float32)
        return NetworkOutput(depth_m, None if train_id is None else train_id.numpy())


def model_identity(predictor: Predictor) -> dict[str, Any]:
    """Says which network made a result: where it is, its digest, precision and decoder.

    Raises:
      TypeError: For a back end that this module does not open.
    """
    backend = predictor.backend
    if isinstance(backend, KerasBackend):
        weights = backend.workdir.weights(backend.checkpoint)
        return {
            "kind": "keras",
            "path": str(backend.workdir.path),
            "decoder": backend.decoder,
            "precision": "float32",
            "checkpoint": backend.checkpoint,
            "sha256": sha256_of(weights),
            "recipe": backend.workdir.recipe().name,
            "scale_source": backend.workdir.run().get("scale_source"),
        }
    if isinstance(backend, TfliteBackend):
        contract = backend.contract
        return {
            "kind": "tflite",
            "path": str(backend.path),
            "decoder": contract.decoder,
            "precision": contract.precision,
            "sha256": contract.sha256,
            "contract_sha256": sha256_of(contract_path(backend.path)),
            "recipe": contract.recipe.get("name"),
            "scale_source": contract.scale_source,
        }
    raise TypeError(f"no identity for a back end of type {type(backend).__name__}")


def _compiled(workdir: Workdir, *, decoder: DecoderSize, checkpoint: Checkpoint) -> Any:
    """Returns uint8 `[height, width, 3]` -> (code `[h, w]`, train id `[h, w]` or None)."""
    # Here, so that opening a .tflite file does not load TensorFlow.
    import tensorflow as tf

    from mtdepth.models.student import detach
    from mtdepth.training.restore import load_training_graph
    from mtdepth.training.supervised import network_input

    recipe = workdir.recipe()
    graph = load_training_graph(workdir, checkpoint)
    network = detach(graph, recipe.spec, decoder=decoder)
    shape = (*recipe.input_size_px, 3)

    # One fixed shape is traced once; XLA is slower than plain kernels on CPU.
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)], jit_compile=False)
    def infer(image: Any) -> Any:
        outputs = network(network_input(image)[None], training=False)
        code = outputs["depth_code"][0, :, :, 0]
        if "segmentation" not in recipe.tasks:
            return code, None
        scores = outputs["class_scores"][0]
        return code, tf.cast(tf.argmax(scores, axis=-1), tf.uint8)

    return infer
