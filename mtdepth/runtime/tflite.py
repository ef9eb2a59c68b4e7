"""The back end of an exported `.tflite` file: LiteRT, numpy, and the contract beside the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.contract import Contract, Fit, TensorContract, contract_path, sha256_of
from mtdepth.files import DataError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import MIN_DEPTH_M, LogDepthCodec
from mtdepth.runtime.pipeline import NetworkOutput

EXPORT_COMMAND = "python -m export.tflite --workdir W --decoder L --precision int8 --output D"

RawOutputs = Mapping[str, npt.NDArray[Any]]


class TfliteBackend:
    """A `.tflite` file with its contract, ready to run.

    `infer` is `run`, the network alone, followed by `decode`, its integers to metres and classes.

    Args:
      path: The `.tflite` file; `model.json` stands beside `model.tflite`.
      num_threads: Of the interpreter.

    Raises:
      FileNotFoundError: If the file or its contract is missing.
      DataError: If the contract is of another file, or does not describe its tensors.
      ImportError: If LiteRT is not installed.
    """

    def __init__(self, path: Path, *, num_threads: int = 2) -> None:
        self.path = path
        self.contract = _checked_contract(path)
        self._runner = _open_runner(path, self.contract, num_threads=num_threads)
        self._codec = LogDepthCodec(near_m=self.contract.near_m, far_m=self.contract.far_m)
        self._depth_table_m = depth_table(self.contract.depth, self._codec)
        camera = self.contract.training_camera
        self._training_camera = None if camera is None else _camera(camera, contract_path(path))

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.contract.input_size

    @property
    def fit(self) -> Fit:
        """How a picture is brought to `input_size`."""
        return self.contract.fit

    @property
    def codec(self) -> LogDepthCodec:
        """Its depth law."""
        return self._codec

    @property
    def training_camera(self) -> Intrinsics | None:
        """At `input_size`; None where unknown."""
        return self._training_camera

    @property
    def tasks(self) -> tuple[str, ...]:
        """`("depth",)` or `("depth", "segmentation")`."""
        return ("depth",) if self.contract.classes is None else ("depth", "segmentation")

    def infer(self, image: npt.NDArray[np.uint8]) -> NetworkOutput:
        """Runs the network on a fitted RGB picture `[height, width, 3]`."""
        return self.decode(self.run(image))

    def run(self, image: npt.NDArray[np.uint8]) -> RawOutputs:
        """The network alone: its output tensors as they are, by their names in the signature."""
        tensor = self.contract.input
        if image.shape != tensor.shape[1:] or image.dtype != np.uint8:
            raise ValueError(
                f"{self.path.name} takes {tensor.shape[1:]} uint8, "
                f"got {image.shape} of {image.dtype}; use fit_image"
            )
        return self._runner(**{tensor.name: image[None]})

    def decode(self, raw: RawOutputs) -> NetworkOutput:
        """Metres and class ids from the output tensors."""
        depth = raw[self.contract.depth.name][0, :, :, 0]
        if self._depth_table_m is not None:
            # An int8 value looks itself up as the byte that it is.
            depth_m = self._depth_table_m.take(depth.view(np.uint8))
        elif self.contract.depth.kind == "depth_code":
            depth_m = self.codec.decode(depth)
        else:
            depth_m = depth
        classes = self.contract.classes
        if classes is None:
            return NetworkOutput(depth_m, None)
        return NetworkOutput(depth_m, _train_id(raw[classes.name][0], classes))


def depth_table(tensor: TensorContract, codec: LogDepthCodec) -> npt.NDArray[np.float32] | None:
    """Metres of each of the 256 values of an 8-bit depth output.

    Args:
      tensor: The depth output.
      codec: Its depth law.

    Returns:
      `[256]`, indexed by the value's byte (so -1 is at 255); None for a float output.

    Raises:
      ValueError: If the tensor's type is neither float32 nor 8 bits with a scale.
    """
    if tensor.dtype == "float32":
        return None
    if tensor.dtype not in ("int8", "uint8") or tensor.scale is None or tensor.zero_point is None:
        raise ValueError(f"depth output {tensor.name!r} has unusable type {tensor.dtype}")
    values = np.arange(256, dtype=np.uint8).view(tensor.dtype).astype(np.float64)
    real = (values - tensor.zero_point) * tensor.scale
    depth_m = codec.decode(real) if tensor.kind == "depth_code" else real
    return np.asarray(depth_m, np.float32)


def _train_id(raw: npt.NDArray[Any], tensor: TensorContract) -> npt.NDArray[np.uint8]:
    # One scale for all scores: the largest integer is the largest score.
    ids = raw.argmax(axis=-1) if tensor.kind == "class_scores" else raw
    return ids.astype(np.uint8)


def _checked_contract(path: Path) -> Contract:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; make it by `{EXPORT_COMMAND}`")
    side_car = contract_path(path)
    if not side_car.is_file():
        raise FileNotFoundError(
            f"{side_car}: the contract of {path.name} is missing, and without it the output has "
            f"no unit; copy it from where the model came from, or make both by `{EXPORT_COMMAND}`"
        )
    contract = Contract.load(side_car)
    if contract.min_depth_m != MIN_DEPTH_M:
        raise DataError(
            side_car,
            f"its shortest depth is {contract.min_depth_m} m but this runtime's {MIN_DEPTH_M} m: "
            "they are of different versions; export the network again",
        )
    if contract.artefact != path.name:
        raise DataError(side_car, f"is the contract of {contract.artefact!r}, not of {path.name!r}")
    if (digest := sha256_of(path)) != contract.sha256:
        raise DataError(
            path,
            f"its SHA-256 {digest[:12]}... is not {side_car.name}'s {contract.sha256[:12]}...: "
            f"damaged, or from another export; copy both again, or make both by `{EXPORT_COMMAND}`",
        )
    return contract


def open_interpreter(path: Path, *, num_threads: int) -> Any:
    """A LiteRT interpreter of a file, unchecked.

    Raises:
      DataError: If LiteRT cannot open it.
      ImportError: If LiteRT is not installed.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ImportError(
            f"{path.name} needs LiteRT, which cannot be imported ({error}): "
            "pip install ai-edge-litert"
        ) from error
    try:
        return Interpreter(model_path=str(path), num_threads=num_threads)
    except ValueError as error:
        raise DataError(path, f"LiteRT cannot open it ({error}); export it again") from error


def _open_runner(path: Path, contract: Contract, *, num_threads: int) -> Any:
    interpreter = open_interpreter(path, num_threads=num_threads)
    signatures = sorted(interpreter.get_signature_list())
    if contract.signature not in signatures:
        raise DataError(
            path, f"has signatures {signatures}, not its contract's {contract.signature!r}"
        )
    runner = interpreter.get_signature_runner(contract.signature)
    found = {**runner.get_input_details(), **runner.get_output_details()}
    promised = (contract.input, *contract.outputs)
    if sorted(found) != sorted(tensor.name for tensor in promised):
        raise DataError(path, f"has tensors {sorted(found)}, which are not those of its contract")
    for tensor in promised:
        _check_tensor(path, tensor, found[tensor.name])
    return runner


def _check_tensor(path: Path, tensor: TensorContract, details: Mapping[str, Any]) -> None:
    scale, zero_point = details["quantization"]
    found = (
        tuple(int(side) for side in details["shape"]),
        np.dtype(details["dtype"]).name,
        # LiteRT says scale 0 for "not quantised". It stores scales as float32.
        float(scale) or None,
        int(zero_point) if scale else None,
    )
    scale_promised = None if tensor.scale is None else float(np.float32(tensor.scale))
    promised = (tensor.shape, tensor.dtype, scale_promised, tensor.zero_point)
    if found != promised:
        raise DataError(
            path,
            f"tensor {tensor.name!r} is (shape, type, scale, zero point) {found}, "
            f"but its contract says {promised}; export it again",
        )


def _camera(fields: Mapping[str, float], side_car: Path) -> Intrinsics:
    try:
        return Intrinsics.from_dict(dict(fields))
    except ValueError as error:
        raise DataError(side_car, f"field 'training_camera': {error}") from error
