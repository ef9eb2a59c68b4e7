"""What a converted file is, in the words of its contract."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.graph import ExportError
from export.inference_graph import SIGNATURE
from export.origin import Origin
from mtdepth.contract import Contract, Precision, TensorContract
from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.files import sha256_of
from mtdepth.runtime.tflite import open_interpreter
from mtdepth.versions import package_versions


def describe(
    path: Path, *, origin: Origin, precision: Precision, signature: str = SIGNATURE
) -> Contract:
    """The contract of one signature of a converted file, its tensors as LiteRT finds them.

    Raises:
      ExportError: If the file does not take picture bytes as they are.
    """
    runner = open_interpreter(path, num_threads=1).get_signature_runner(signature)
    inputs = [_tensor(*item) for item in runner.get_input_details().items()]
    outputs = [_tensor(*item) for item in runner.get_output_details().items()]
    (image,) = inputs
    if (image.dtype, image.scale, image.zero_point) != ("uint8", 1.0, 0):
        raise ExportError(f"the input does not take bytes as they are: {image}")
    return contract_of(
        path,
        origin=origin,
        precision=precision,
        signature=signature,
        image=image,
        outputs=sorted(outputs, key=lambda tensor: not tensor.kind.startswith("depth")),
    )


def contract_of(
    path: Path,
    *,
    origin: Origin,
    precision: Precision,
    signature: str = SIGNATURE,
    image: TensorContract,
    outputs: Sequence[TensorContract],
) -> Contract:
    """The contract of a file of any format with these tensors.

    Args:
      path: The file.
      origin: What is said of the network.
      precision: Of the file.
      signature: That has the tensors.
      image: The input.
      outputs: Depth first.
    """
    kinds = {output.kind for output in outputs}
    camera = origin.training_camera
    return Contract(
        artefact=path.name,
        sha256=sha256_of(path),
        precision=precision,
        treatment=origin.treatment,
        network=origin.network,
        decoder=origin.decoder,
        signature=signature,
        input=image,
        outputs=tuple(outputs),
        codec=origin.codec,
        valid_depth_m=(origin.codec.near_m, origin.codec.far_m),
        fit=origin.fit,
        training_camera=None if camera is None else camera.to_dict(),
        scale_source=origin.scale_source,
        class_names=CLASS_NAMES if kinds & {"class_scores", "train_id"} else (),
        recipe=origin.recipe,
        keras_scores=origin.keras_scores,
        versions=package_versions(),
    )


def _tensor(name: str, details: dict[str, Any]) -> TensorContract:
    scale, zero_point = details["quantization"]
    return TensorContract(
        name=name,
        kind=name,  # type: ignore[arg-type]  # checked by TensorContract
        shape=tuple(int(side) for side in details["shape"]),
        dtype=np.dtype(details["dtype"]).name,
        # LiteRT says scale 0 for "not quantised".
        scale=float(scale) if scale else None,
        zero_point=int(zero_point) if scale else None,
    )
