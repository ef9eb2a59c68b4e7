"""Writes an exported network: the file, its contract and its parity report, together or not."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from absl import logging

from export.convert import ExportError, convert
from export.delegation import delegation_of
from export.graph import SIGNATURE, ClassOutput
from export.origin import Origin
from export.parity import BOUNDS, check_parity, measure_parity
from mtdepth.contract import Contract, Precision, TensorContract, contract_path, sha256_of
from mtdepth.files import write_json
from mtdepth.geometry.depth_codec import MIN_DEPTH_M, LogDepthCodec
from mtdepth.kitti.label_map import CLASS_NAMES
from mtdepth.runtime.tflite import TfliteBackend, open_interpreter
from mtdepth.versions import package_versions

FILE_NAME = "model.tflite"
PARITY_NAME = "parity.json"

Image = npt.NDArray[np.uint8]


def describe(path: Path, *, origin: Origin, precision: Precision) -> Contract:
    """The contract of a converted file, its tensors as LiteRT finds them.

    Raises:
      ExportError: If the file does not take picture bytes as they are.
    """
    runner = open_interpreter(path, num_threads=1).get_signature_runner(SIGNATURE)
    inputs = [_tensor(*item) for item in runner.get_input_details().items()]
    outputs = [_tensor(*item) for item in runner.get_output_details().items()]
    (image,) = inputs
    if (image.dtype, image.scale, image.zero_point) != ("uint8", 1.0, 0):
        raise ExportError(f"the input does not take bytes as they are: {image}")
    kinds = {output.kind for output in outputs}
    return Contract(
        artefact=path.name,
        sha256=sha256_of(path),
        precision=precision,
        decoder=origin.decoder,
        signature=SIGNATURE,
        input=image,
        outputs=tuple(sorted(outputs, key=lambda tensor: not tensor.kind.startswith("depth"))),
        near_m=origin.codec.near_m,
        far_m=origin.codec.far_m,
        min_depth_m=MIN_DEPTH_M,
        valid_depth_m=(origin.codec.near_m, origin.codec.far_m),
        fit=origin.fit,
        training_camera=None
        if origin.training_camera is None
        else origin.training_camera.to_dict(),
        scale_source=origin.scale_source,
        class_names=CLASS_NAMES if kinds & {"class_scores", "train_id"} else (),
        recipe=origin.recipe,
        keras_scores=origin.keras_scores,
        versions=package_versions(),
    )


def export_network(
    network: keras.Model,
    output: Path,
    *,
    origin: Origin,
    precision: Precision,
    class_output: ClassOutput,
    calibration: Sequence[Image],
    parity_images: Sequence[Image],
) -> dict[str, Any]:
    """Converts a network, compares the file with it, and only then puts it in its place.

    Everything is made in a folder beside `output` first. What `output` held before stays when
    anything fails. The files are then renamed one by one; a machine that stops between two of them
    leaves a file and a contract that do not belong together, which the runtime refuses.

    Args:
      network: Of `mtdepth.models.student.detach`, at the size to export.
      output: Folder for `model.tflite`, `model.json` and `parity.json`.
      origin: What the contract says of the network.
      precision: Of the file.
      class_output: Scores, or the index of the largest.
      calibration: Fitted pictures for int8.
      parity_images: Fitted pictures that file and network are compared on.

    Returns:
      The content of `parity.json`.

    Raises:
      ExportError: If it cannot be converted, or says something else than the network.
    """
    content = convert(
        network,
        codec=origin.codec,
        precision=precision,
        class_output=class_output,
        representative=calibration,
    )
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output, prefix=".export.") as folder:
        path = Path(folder) / FILE_NAME
        path.write_bytes(content)
        describe(path, origin=origin, precision=precision).save(contract_path(path))
        report = _compare(network, path, origin.codec, precision, parity_images)
        write_json(path.with_name(PARITY_NAME), report)
        for made in (path, contract_path(path), path.with_name(PARITY_NAME)):
            made.replace(output / made.name)
    return report


def _compare(
    network: keras.Model,
    path: Path,
    codec: LogDepthCodec,
    precision: Precision,
    images: Sequence[Image],
) -> dict[str, Any]:
    measured = measure_parity(network, TfliteBackend(path, num_threads=1), images, codec=codec)
    check_parity(measured, precision)
    delegation = delegation_of(path)
    if delegation.num_partitions != 1 or delegation.undelegated:
        logging.info(
            "XNNPACK runs the network in %d part(s); outside it: %s",
            delegation.num_partitions,
            delegation.undelegated or "nothing",
        )
    return {
        "precision": precision,
        "num_frames": len(images),
        "measured": measured.to_dict(),
        "allowed": BOUNDS[precision].to_dict(),
        "size_bytes": path.stat().st_size,
        **delegation.to_dict(),
    }


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
