"""The side-car of an exported file: everything that turns its numbers into metres and classes.

`model.tflite` is useless without `model.json` beside it, which this module writes and reads.
Nothing in the file is optional and nothing is guessed: a missing, unknown or ill-typed field is an
error that names the file and the field.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from mtdepth.datasets.plausible import focal_problem
from mtdepth.files import DataError, read_json, write_json
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import DepthCodec, codec_from_dict
from mtdepth.specs.mininet import OUTPUT_STRIDE
from mtdepth.specs.student import NUM_BLOCKS

FORMAT_VERSION = 2  # 2: depth laws by name, MiniNet

TensorKind = Literal["image", "depth_m", "depth_code", "class_scores", "train_id"]
Precision = Literal["float32", "float16", "int8"]
# What was done to the network after its training, before it was converted.
Treatment = Literal["none", "qat", "pruned", "pruned_qat"]
# Networks of this project, and the sizes that their decoders are cut to, the largest first.
STUDENT, MININET = "student", "mininet"
DECODERS: dict[str, tuple[str, ...]] = {STUDENT: tuple(NUM_BLOCKS), MININET: tuple(OUTPUT_STRIDE)}
DECODERS_HELP = (
    f"{' '.join(DECODERS[STUDENT])} of a student, {' '.join(DECODERS[MININET])} of a MiniNet"
)
_MAX_SIDE = 2**16  # of a tensor
NO_SCALE = "none"  # a scale source: depth is relative, no unit
# How a picture of another shape is brought to the network's: whole, or its centred part.
Fit = Literal["stretch", "crop"]

# What the numbers of a tensor are, written into the file for a reader without this package. An
# integer tensor with a scale holds (value - zero_point) * scale of what is said here.
MEANINGS: dict[TensorKind, str] = {
    "image": "RGB, 0..255, NHWC",
    "depth_m": "metres along the optical axis; relative where scale_source is none",
    "depth_code": "depth in the space of depth_law",
    "class_scores": "one unnormalised score for each of class_names; the largest wins",
    "train_id": "index into class_names",
}
NEARER_THAN_VALID = "nearer than near_m is reported as it is, never as near_m"


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
        is_shape = len(self.shape) > 0 and all(0 < side <= _MAX_SIDE for side in self.shape)
        _require(is_shape, "shape", f"positive sizes up to {_MAX_SIDE}", self.shape)
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
      treatment: What its weights went through after the training: `qat` is quantisation-aware
        fine-tuning.
      network: `student` or `mininet`.
      decoder: Size of the detached decoder: L, M, S or XS of a student, F, H, Q or E of a MiniNet.
      signature: Name of the signature to call.
      input: The picture.
      outputs: Depth first, then classes where the network has them.
      codec: The law from code to depth.
      valid_depth_m: Range between the law's limits. A student's labels nearer than it were trained
        with their own, negative code; those farther count as its end.
      fit: How a picture of another shape is brought to the input's size.
      training_camera: At the input's size, or None where unknown. Depth is metric for this focal
        length; for another it is rescaled.
      scale_source: Where the metres come from; `none` where depth is relative.
      class_names: In the order of the scores; empty without a segmentation output.
      recipe: The whole training recipe.
      keras_scores: The Keras network's results at export, or None where it was not evaluated.
      versions: Package name to version, at export.
    """

    artefact: str
    sha256: str
    precision: Precision
    treatment: Treatment = "none"
    network: str = STUDENT
    decoder: str
    signature: str = "serving_default"
    input: TensorContract
    outputs: tuple[TensorContract, ...]
    codec: DepthCodec
    valid_depth_m: tuple[float, float]
    fit: Fit
    training_camera: Intrinsics | None
    scale_source: str
    class_names: tuple[str, ...]
    recipe: Mapping[str, Any]
    keras_scores: Mapping[str, Any] | None
    versions: Mapping[str, str]

    def __post_init__(self) -> None:
        """Rejects contradictions."""
        _require(self.precision in get_args(Precision), "precision", "known", self.precision)
        _require(self.treatment in get_args(Treatment), "treatment", "known", self.treatment)
        _require(self.fit in get_args(Fit), "fit", "stretch or crop", self.fit)
        _require(self.network in DECODERS, "network", f"one of {list(DECODERS)}", self.network)
        sizes = DECODERS[self.network]
        _require(self.decoder in sizes, "decoder", f"one of {list(sizes)}", self.decoder)
        near_m, far_m = self.valid_depth_m
        _require(0 < near_m < far_m, "valid_depth_m", "0 < near < far", self.valid_depth_m)
        is_image = self.input.kind == "image" and len(self.input.shape) == 4
        _require(is_image, "input", "a picture [1, height, width, 3]", self.input.shape)
        camera = self.training_camera
        is_fitted = camera is None or (camera.height_px, camera.width_px) == self.input_size
        _require(is_fitted, "training_camera", "of the input's size", camera)
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
    def near_m(self) -> float:
        """Near limit of the depth law."""
        return self.codec.near_m

    @property
    def far_m(self) -> float:
        """Far limit of the depth law."""
        return self.codec.far_m

    @property
    def is_metric(self) -> bool:
        """Whether depth has a unit."""
        return self.scale_source != NO_SCALE

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
        camera = self.training_camera
        return {
            "format_version": FORMAT_VERSION,
            "artefact": self.artefact,
            "sha256": self.sha256,
            "precision": self.precision,
            "treatment": self.treatment,
            "network": self.network,
            "decoder": self.decoder,
            "signature": self.signature,
            "input": _tensor_to_dict(self.input),
            "outputs": [_tensor_to_dict(output) for output in self.outputs],
            "depth_law": {**self.codec.to_dict(), "formula": self.codec.formula},
            "valid_depth_m": list(self.valid_depth_m),
            "nearer_than_valid": NEARER_THAN_VALID,
            "fit": self.fit,
            "training_camera": None if camera is None else camera.to_dict(),
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
        fields.take("nearer_than_valid", str)
        camera = fields.take("training_camera", dict, or_none=True)
        outputs = fields.take("outputs", list)
        contract = cls(
            artefact=fields.take("artefact", str),
            sha256=fields.take("sha256", str),
            precision=cast(Precision, fields.take("precision", str)),
            treatment=cast(Treatment, fields.take("treatment", str)),
            network=fields.take("network", str),
            decoder=fields.take("decoder", str),
            signature=fields.take("signature", str),
            input=_tensor_from_dict(fields.take("input", dict), "input."),
            outputs=tuple(
                _tensor_from_dict(output, f"outputs[{index}].")
                for index, output in enumerate(outputs)
            ),
            codec=_codec(fields.take("depth_law", dict)),
            valid_depth_m=_pair(fields.take("valid_depth_m", list), "valid_depth_m"),
            fit=cast(Fit, fields.take("fit", str)),
            training_camera=None if camera is None else _camera(camera, fields.peek("recipe")),
            scale_source=fields.take("scale_source", str),
            class_names=_strings(fields.take("class_names", list), "class_names"),
            recipe=fields.take("recipe", dict),
            keras_scores=fields.take("keras_scores", dict, or_none=True),
            versions=fields.take("versions", dict),
        )
        fields.finish()
        return contract


def contract_path(artefact_path: Path) -> Path:
    """The side-car of `model.tflite` is `model.json` beside it."""
    return artefact_path.with_suffix(".json")


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

    def peek(self, name: str) -> Any:
        """One field as it is, None where it is missing."""
        return self._left.get(name)

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


def _camera(content: dict[str, Any], recipe: Any) -> Intrinsics:
    try:
        camera = Intrinsics.from_dict(content)
    except ValueError as error:
        raise ValueError(f"field 'training_camera': {error}") from error
    # Pixels are those of the training, whatever size was exported.
    trained = recipe.get("input_size_px") if isinstance(recipe, dict) else None
    width_px = camera.width_px
    if isinstance(trained, list) and [type(side) for side in trained] == [int, int]:
        width_px = trained[1]
    if why := focal_problem(camera.fx_px, width_px=width_px):
        raise ValueError(f"field 'training_camera': {why}")
    return camera


def _codec(law: Mapping[str, Any]) -> DepthCodec:
    content = dict(law)
    formula = content.pop("formula", None)
    try:
        codec = codec_from_dict(content)
    except ValueError as error:
        raise ValueError(f"field 'depth_law': {error}") from error
    _require(formula == codec.formula, "depth_law.formula", f"{codec.formula!r}", formula)
    return codec


def _pair(values: Sequence[Any], name: str) -> tuple[float, float]:
    is_pair = len(values) == 2 and all(type(value) in (int, float) for value in values)
    _require(is_pair, name, "two numbers", values)
    return float(values[0]), float(values[1])


def _strings(values: Sequence[Any], name: str) -> tuple[str, ...]:
    _require(all(isinstance(value, str) for value in values), name, "a list of strings", values)
    return tuple(values)
