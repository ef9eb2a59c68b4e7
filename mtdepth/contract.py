"""The side-car of an exported file: everything that turns its numbers into metres and classes.

`model.tflite` is useless without `model.json` beside it, which this module writes and reads.
Nothing in the file is optional and nothing is guessed: a missing, unknown or ill-typed field is an
error that names the file and the field.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from mtdepth.files import DataError, read_json, write_json

FORMAT_VERSION = 1

TensorKind = Literal["image", "depth_m", "depth_code", "class_scores", "train_id"]
Precision = Literal["float32", "float16", "int8"]
# How a picture of another shape is brought to the network's: whole, or its centred part.
Fit = Literal["stretch", "crop"]

# What the numbers of a tensor are, written into the file for a reader without this package. An
# integer tensor with a scale holds (value - zero_point) * scale of what is said here.
MEANINGS: dict[TensorKind, str] = {
    "image": "RGB, 0..255, NHWC",
    "depth_m": "metres along the optical axis",
    "depth_code": "depth in log space; see depth_law",
    "class_scores": "one unnormalised score for each of class_names; the largest wins",
    "train_id": "index into class_names",
}
NEARER_THAN_VALID = "nearer than near_m is reported as it is, never as near_m"
DEPTH_FORMULA = (
    "depth_m = exp((min(code, far_m) - offset) / slope), at least min_depth_m; "
    "slope = far_m / ln(far_m / near_m), offset = -slope * ln(near_m)"
)


@dataclass(frozen=True, kw_only=True)
class TensorContract:
    """One input or output of the file's signature.

    Args:
      name: Its name in the signature (never its position).
      kind: What it holds; `MEANINGS` says it in words.
      shape: Static, batch 1 first.
      dtype: numpy's name, such as `"uint8"`.
      scale: Real value of one step of an integer tensor; None where the numbers are the values.
      zero_point: Integer that stands for the real value 0; None with `scale`.
    """

    name: str
    kind: TensorKind
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None

    def __post_init__(self) -> None:
        """Rejects what no reader could use."""
        _require(self.kind in MEANINGS, "kind", f"one of {sorted(MEANINGS)}", self.kind)
        is_shape = len(self.shape) > 0 and all(side > 0 for side in self.shape)
        _require(is_shape, "shape", "positive sizes", self.shape)
        is_pair = (self.scale is None) == (self.zero_point is None)
        _require(is_pair, "scale", "given together with zero_point", self.scale)
        _require(self.scale is None or self.scale > 0, "scale", "positive", self.scale)


@dataclass(frozen=True, kw_only=True)
class Contract:
    """An exported network's promise to whoever runs it.

    Args:
      artefact: File name of the network, in the folder of the side-car.
      sha256: Of that file, so that a side-car of another export is noticed.
      precision: Arithmetic of the file.
      decoder: Size of the detached decoder: L, M, S or XS.
      signature: Name of the signature to call.
      input: The picture.
      outputs: Depth first, then classes where the network has them.
      near_m: Depth of code 0.
      far_m: Depth of code `far_m`; no output is farther.
      min_depth_m: No output is nearer.
      valid_depth_m: Range between the law's limits. Labels nearer than it were trained with their
        own, negative code; those farther count as its end.
      fit: How a picture of another shape is brought to the input's size.
      training_camera: `Intrinsics.to_dict()` at the input's size, or None where unknown.
        Depth is metric for this focal length; for another it is rescaled.
      scale_source: Where the metres come from.
      class_names: In the order of the scores; empty without a segmentation output.
      recipe: The whole training recipe.
      keras_scores: The Keras network's results at export, or None where it was not evaluated.
      versions: Package name to version, at export.
    """

    artefact: str
    sha256: str
    precision: Precision
    decoder: str
    signature: str = "serving_default"
    input: TensorContract
    outputs: tuple[TensorContract, ...]
    near_m: float
    far_m: float
    min_depth_m: float
    valid_depth_m: tuple[float, float]
    fit: Fit
    training_camera: Mapping[str, float] | None
    scale_source: str
    class_names: tuple[str, ...]
    recipe: Mapping[str, Any]
    keras_scores: Mapping[str, Any] | None
    versions: Mapping[str, str]

    def __post_init__(self) -> None:
        """Rejects contradictions."""
        _require(self.precision in get_args(Precision), "precision", "known", self.precision)
        _require(self.fit in get_args(Fit), "fit", "stretch or crop", self.fit)
        _require(0 < self.near_m < self.far_m, "depth_law", "0 < near_m < far_m", self.near_m)
        _require(self.min_depth_m > 0, "depth_law.min_depth_m", "positive", self.min_depth_m)
        near_m, far_m = self.valid_depth_m
        _require(0 < near_m < far_m, "valid_depth_m", "0 < near < far", self.valid_depth_m)
        is_image = self.input.kind == "image" and len(self.input.shape) == 4
        _require(is_image, "input", "a picture [1, height, width, 3]", self.input.shape)
        kinds = [output.kind for output in self.outputs]
        num_depth = sum(kind in ("depth_m", "depth_code") for kind in kinds)
        _require(num_depth == 1, "outputs", "exactly one depth output", kinds)
        num_classes = sum(kind in ("class_scores", "train_id") for kind in kinds)
        is_named = num_classes == bool(self.class_names)
        _require(is_named, "class_names", "given exactly for a network with classes", kinds)

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the picture that the network takes."""
        return self.input.shape[1], self.input.shape[2]

    @property
    def depth(self) -> TensorContract:
        """The depth output."""
        return next(out for out in self.outputs if out.kind in ("depth_m", "depth_code"))

    @property
    def classes(self) -> TensorContract | None:
        """The segmentation output, if there is one."""
        found = (out for out in self.outputs if out.kind in ("class_scores", "train_id"))
        return next(found, None)

    def save(self, path: Path) -> None:
        """Writes the side-car, atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: Path) -> "Contract":
        """Reads a side-car.

        Raises:
          FileNotFoundError: If it is missing.
          DataError: If a field is missing, unknown, of the wrong type or contradictory.
        """
        content = read_json(path)
        try:
            return cls.from_dict(content)
        except ValueError as error:
            raise DataError(path, f"{error}; export the network again") from error

    def to_dict(self) -> dict[str, Any]:
        """As stored: with a version, and with what each number means in words."""
        return {
            "format_version": FORMAT_VERSION,
            "artefact": self.artefact,
            "sha256": self.sha256,
            "precision": self.precision,
            "decoder": self.decoder,
            "signature": self.signature,
            "input": _tensor_to_dict(self.input),
            "outputs": [_tensor_to_dict(output) for output in self.outputs],
            "depth_law": {
                "kind": "log",
                "near_m": self.near_m,
                "far_m": self.far_m,
                "min_depth_m": self.min_depth_m,
                "formula": DEPTH_FORMULA,
            },
            "valid_depth_m": list(self.valid_depth_m),
            "nearer_than_valid": NEARER_THAN_VALID,
            "fit": self.fit,
            "training_camera": _plain_or_none(self.training_camera),
            "scale_source": self.scale_source,
            "class_names": list(self.class_names),
            "recipe": dict(self.recipe),
            "keras_scores": _plain_or_none(self.keras_scores),
            "versions": dict(self.versions),
        }

    @classmethod
    def from_dict(cls, content: Any) -> "Contract":
        """The inverse of `to_dict`.

        Raises:
          ValueError: Naming the field and the rule that it breaks.
        """
        fields = _Fields(content, "")
        version = fields.take("format_version", int)
        _require(version == FORMAT_VERSION, "format_version", f"{FORMAT_VERSION}", version)
        law = _Fields(fields.take("depth_law", dict), "depth_law.")
        _require(law.take("kind", str) == "log", "depth_law.kind", "'log'", content["depth_law"])
        _require(law.take("formula", str) == DEPTH_FORMULA, "depth_law.formula", "known", "other")
        fields.take("nearer_than_valid", str)
        camera = fields.take("training_camera", dict, or_none=True)
        outputs = fields.take("outputs", list)
        contract = cls(
            artefact=fields.take("artefact", str),
            sha256=fields.take("sha256", str),
            precision=cast(Precision, fields.take("precision", str)),
            decoder=fields.take("decoder", str),
            signature=fields.take("signature", str),
            input=_tensor_from_dict(fields.take("input", dict), "input."),
            outputs=tuple(
                _tensor_from_dict(output, f"outputs[{index}].")
                for index, output in enumerate(outputs)
            ),
            near_m=law.take("near_m", float),
            far_m=law.take("far_m", float),
            min_depth_m=law.take("min_depth_m", float),
            valid_depth_m=_pair(fields.take("valid_depth_m", list), "valid_depth_m"),
            fit=cast(Fit, fields.take("fit", str)),
            training_camera=camera,
            scale_source=fields.take("scale_source", str),
            class_names=_strings(fields.take("class_names", list), "class_names"),
            recipe=fields.take("recipe", dict),
            keras_scores=fields.take("keras_scores", dict, or_none=True),
            versions=fields.take("versions", dict),
        )
        law.finish()
        fields.finish()
        return contract


def contract_path(artefact_path: Path) -> Path:
    """The side-car of `model.tflite` is `model.json` beside it."""
    return artefact_path.with_suffix(".json")


def sha256_of(path: Path) -> str:
    """Digest of a file's bytes, as stored in `Contract.sha256`."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class _Fields:
    """One JSON object, taken apart field by field so that no field is missed or made up."""

    def __init__(self, content: Any, prefix: str) -> None:
        _require(isinstance(content, dict), prefix.rstrip(".") or "file", "a JSON object", content)
        self._left = dict(content)
        self._prefix = prefix

    def take(self, name: str, kind: type, *, or_none: bool = False) -> Any:
        """Removes and returns one field of the stated type; an int passes as a float."""
        _require(name in self._left, self._prefix + name, "present", "nothing")
        value = self._left.pop(name)
        if value is None and or_none:
            return None
        if kind is float and type(value) is int:
            value = float(value)
        # bool is an int to isinstance.
        is_kind = isinstance(value, kind) and not isinstance(value, bool)
        _require(is_kind, self._prefix + name, f"of type {kind.__name__}", value)
        if kind is float:
            _require(math.isfinite(value), self._prefix + name, "finite", value)
        return value

    def finish(self) -> None:
        """Rejects what was not taken."""
        for name in self._left:
            _require(False, self._prefix + name, "a known field", self._left[name])


def _require(is_met: bool, field: str, rule: str, found: object) -> None:
    if not is_met:
        raise ValueError(f"field {field!r} must be {rule}, found {found!r}")


def _plain_or_none(content: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if content is None else dict(content)


def _tensor_to_dict(tensor: TensorContract) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "kind": tensor.kind,
        "meaning": MEANINGS[tensor.kind],
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": tensor.scale,
        "zero_point": tensor.zero_point,
    }


def _tensor_from_dict(content: Any, prefix: str) -> TensorContract:
    fields = _Fields(content, prefix)
    fields.take("meaning", str)
    shape = fields.take("shape", list)
    is_integral = all(type(side) is int for side in shape)
    _require(is_integral, f"{prefix}shape", "a list of integers", shape)
    values = {
        "name": fields.take("name", str),
        "kind": fields.take("kind", str),
        "dtype": fields.take("dtype", str),
        "scale": fields.take("scale", float, or_none=True),
        "zero_point": fields.take("zero_point", int, or_none=True),
    }
    fields.finish()
    try:
        return TensorContract(shape=tuple(shape), **values)
    except ValueError as error:
        raise ValueError(f"{prefix.rstrip('.')}: {error}") from error


def _pair(values: Sequence[Any], name: str) -> tuple[float, float]:
    is_pair = len(values) == 2 and all(type(value) in (int, float) for value in values)
    _require(is_pair, name, "two numbers", values)
    return float(values[0]), float(values[1])


def _strings(values: Sequence[Any], name: str) -> tuple[str, ...]:
    _require(all(isinstance(value, str) for value in values), name, "a list of strings", values)
    return tuple(values)
