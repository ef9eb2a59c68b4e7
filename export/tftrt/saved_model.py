"""A SavedModel that NVIDIA's builds of TensorFlow for Jetson load, with its contract."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from absl import logging
from tensorflow.core.protobuf import saved_model_pb2

from export.description import contract_of
from export.golden import write_golden
from export.graph import ExportError
from export.inference_graph import SIGNATURE, ClassOutput, write_inference_graph
from export.origin import Origin
from export.parity import BOUNDS, check_parity, measure_parity
from mtdepth.contract import Contract, TensorContract, contract_path
from mtdepth.files import write_json
from mtdepth.runtime.contracted import ContractedBackend
from mtdepth.runtime.pipeline import NetworkOutput
from mtdepth.trained import InferenceNetwork

FILE_NAME = "saved_model.pb"
PARITY_NAME = "parity.json"
BOARD = Path(__file__).parents[1] / "board"
BOARD_PROGRAM = "convert_tftrt.py"

# What TensorFlow 2.7.4 (the oldest that NVIDIA builds for JetPack 4.6) was seen to load: the
# networks of this project in it, with the operators that saving adds. Another operator may be newer
# than that TensorFlow, or have an attribute that it does not know.
TRIED_OPERATORS = frozenset(
    {"AddV2", "ArgMax", "BiasAdd", "Cast", "ConcatV2", "Const", "Conv2D", "DepthToSpace"}
    | {"DepthwiseConv2dNative", "Exp", "Identity", "Maximum", "Mean", "MergeV2Checkpoints"}
    | {"Minimum", "Mul", "NoOp", "Pack", "Pad", "PartitionedCall", "Placeholder", "RealDiv", "Relu"}
    | {"Relu6", "Reshape", "ResizeNearestNeighbor", "RestoreV2", "Rsqrt", "SaveV2", "Select"}
    | {"ShardedFilename", "Shape", "Sigmoid", "Squeeze", "StatefulPartitionedCall"}
    | {"StaticRegexFullMatch", "StridedSlice", "StringJoin", "Sub"}
)
# Of GraphDef's versions: TensorFlow 2.7 reads what asks for a consumer of up to 808.
NEWEST_MIN_CONSUMER = 808

Image = npt.NDArray[np.uint8]


def export_saved_model(
    subject: InferenceNetwork,
    output: Path,
    *,
    origin: Origin,
    class_output: ClassOutput,
    parity_images: Sequence[Image],
) -> dict[str, Any]:
    """Writes a SavedModel, loads it again, compares it, and only then puts it in its place.

    Args:
      subject: The network, at the size to export.
      output: Folder that becomes the SavedModel, with `saved_model.json` (the contract),
        `parity.json`, `golden.npz` and the board's program beside it.
      origin: What the contract says of the network.
      class_output: Scores, or the index of the largest.
      parity_images: Fitted pictures that SavedModel and network are compared on.

    Returns:
      The content of `parity.json`.

    Raises:
      ExportError: If TensorFlow 2.7 may not load it, or it says something else than the network.
    """
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output, prefix=".export.") as folder, _quiet():
        made = Path(folder)
        write_inference_graph(
            subject,
            made,
            image_dtype=tf.uint8,
            depth_output="depth_m",
            class_output=class_output,
        )
        path = made / FILE_NAME
        check_loadable(path)
        backend = SavedModelBackend(path, origin=origin)
        backend.contract.save(contract_path(path))
        measured = measure_parity(subject, backend, parity_images)
        check_parity(measured, "float32")
        report = {
            "precision": "float32",
            "num_frames": len(parity_images),
            "measured": measured.to_dict(),
            "allowed": BOUNDS["float32"].to_dict(),
            "size_bytes": path.stat().st_size,
        }
        write_json(made / PARITY_NAME, report)
        write_golden(path, {origin.decoder: backend}, parity_images)
        shutil.copyfile(BOARD / BOARD_PROGRAM, made / BOARD_PROGRAM)
        _move_into(made, output)
    return report


class SavedModelBackend(ContractedBackend):
    """A SavedModel in this TensorFlow, for comparison.

    Args:
      path: `saved_model.pb`.
      origin: Of its network.
    """

    def __init__(self, path: Path, *, origin: Origin) -> None:
        # Kept: its functions die with it.
        self._module = tf.saved_model.load(str(path.parent))
        self._infer = self._module.signatures[SIGNATURE]
        contract = _describe(path, self._infer, origin)
        super().__init__(path, contract, training_camera=origin.training_camera)

    def run(self, image: Image) -> Mapping[str, npt.NDArray[Any]]:
        """Its outputs as they are, by name."""
        raw = self._infer(**{self.contract.input.name: tf.constant(image[None])})
        return {name: tensor.numpy() for name, tensor in raw.items()}

    def decode(self, raw: Mapping[str, npt.NDArray[Any]]) -> NetworkOutput:
        """Metres and class ids from the outputs."""
        depth_m = raw["depth_m"][0, :, :, 0]
        if "train_id" in raw:
            return NetworkOutput(depth_m, raw["train_id"][0].astype(np.uint8))
        if "class_scores" in raw:
            return NetworkOutput(depth_m, raw["class_scores"][0].argmax(axis=-1).astype(np.uint8))
        return NetworkOutput(depth_m, None)


def check_loadable(path: Path) -> None:
    """Checks what decides whether an older TensorFlow loads a SavedModel.

    Raises:
      ExportError: If it has an operator that was not tried there, or asks for a newer reader.
    """
    model = saved_model_pb2.SavedModel()
    model.ParseFromString(path.read_bytes())
    for graph in (meta.graph_def for meta in model.meta_graphs):
        nodes = [*graph.node, *(node for body in graph.library.function for node in body.node_def)]
        if unknown := sorted({node.op for node in nodes} - TRIED_OPERATORS):
            raise ExportError(
                f"operators that TensorFlow 2.7 was not seen to load: {', '.join(unknown)}"
            )
        if graph.versions.min_consumer > NEWEST_MIN_CONSUMER:
            raise ExportError(
                f"asks for a reader of version {graph.versions.min_consumer}; TensorFlow 2.7 is "
                f"{NEWEST_MIN_CONSUMER}"
            )


def _describe(path: Path, infer: Any, origin: Origin) -> Contract:
    _, specs = infer.structured_input_signature
    image = _tensor(*next(iter(specs.items())))
    outputs = [_tensor(*item) for item in infer.structured_outputs.items()]
    return contract_of(
        path,
        origin=origin,
        precision="float32",
        image=image,
        outputs=sorted(outputs, key=lambda tensor: not tensor.kind.startswith("depth")),
    )


def _tensor(name: str, spec: Any) -> TensorContract:
    return TensorContract(
        name=name,
        kind=name,  # type: ignore[arg-type]  # checked by TensorContract
        shape=tuple(spec.shape.as_list()),
        dtype=spec.dtype.name,
    )


def _move_into(made: Path, output: Path) -> None:
    """Puts a finished SavedModel in its place, the graph last: without it there is none."""
    for entry in sorted(made.iterdir(), key=lambda entry: entry.name == FILE_NAME):
        target = output / entry.name
        if target.is_dir():
            shutil.rmtree(target)
        entry.replace(target)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """TensorFlow's notes on saving and loading would bury what the program has to say."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
        logging.set_verbosity(verbosity)
