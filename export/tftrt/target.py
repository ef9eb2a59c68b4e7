"""A SavedModel that NVIDIA's builds of TensorFlow for Jetson load, with its contract."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from export.artefact import Image, Made, Part, write_artefact
from export.graph import ClassOutput, ExportError
from export.inference_graph import SIGNATURE, quiet, write_inference_graph
from export.origin import Origin
from mtdepth.contract import TensorContract, contract_path
from mtdepth.runtime.contracted import ContractedBackend
from mtdepth.runtime.pipeline import NetworkOutput

FILE_NAME = "saved_model.pb"

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


def export_saved_model(
    parts: Mapping[str, Part],
    output: Path,
    *,
    class_output: ClassOutput,
    parity_images: Sequence[Image],
) -> dict[str, Any]:
    """Writes the one network of `parts` as a SavedModel, by `export.artefact.write_artefact`.

    `output` becomes the SavedModel; the contract is `saved_model.json`.

    Raises:
      ExportError: If TensorFlow 2.7 may not load it, or it says something else than the network.
    """
    ((size, part),) = parts.items()

    def make(folder: Path) -> Made:
        write_inference_graph(
            part.network,
            folder,
            image_dtype=tf.uint8,
            depth_output="depth_m",
            class_output=class_output,
        )
        path = folder / FILE_NAME
        check_loadable(path)
        backend = SavedModelBackend(path, origin=part.origin)
        backend.contract.save(contract_path(path))
        return Made(path, {size: backend})

    with quiet():
        return write_artefact(
            output,
            make,
            parts=parts,
            precision="float32",
            parity_images=parity_images,
            board_programs=("convert_tftrt.py",),
        )


class SavedModelBackend(ContractedBackend):
    """A SavedModel in this TensorFlow, for comparison."""

    def __init__(self, path: Path, *, origin: Origin) -> None:
        # Kept: its functions die with it.
        self._module = tf.saved_model.load(str(path.parent))
        self._infer = self._module.signatures[SIGNATURE]
        _, inputs = self._infer.structured_input_signature
        (image,) = (_tensor(*item) for item in inputs.items())
        outputs = [_tensor(*item) for item in self._infer.structured_outputs.items()]
        contract = origin.contract(
            path, precision="float32", signature=SIGNATURE, image=image, outputs=outputs
        )
        super().__init__(path, contract)

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


def _tensor(name: str, spec: Any) -> TensorContract:
    return TensorContract(
        name=name,
        kind=name,  # type: ignore[arg-type]  # checked by TensorContract
        shape=tuple(spec.shape.as_list()),
        dtype=spec.dtype.name,
    )
