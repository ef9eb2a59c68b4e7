"""Between a network's depth code and depth, the same for loss, evaluation and device."""

import dataclasses
import math
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from mtdepth.files import UserError

Floats = npt.NDArray[np.floating[Any]]

# ours: nearer than this nothing is in focus of a car's or a robot's camera; it keeps a wild code
# from becoming a depth of zero, which means "not measured".
MIN_DEPTH_M = 0.1


class DepthCodec(Protocol):
    """The way from a network's output, the code, to depth."""

    @property
    def near_m(self) -> float:
        """Near end of the depths that it is made for."""

    @property
    def far_m(self) -> float:
        """Far end; nothing is decoded as farther."""

    @property
    def enlarges_inverse(self) -> bool:
        """Whether a map is enlarged as inverse depth, or as depth."""

    @property
    def formula(self) -> str:
        """The way from code to depth, in words for a reader without this package."""

    def decode(self, code: Floats) -> Floats:
        """Converts code to depth: any shape to the same, metres or relative, 0 where it is NaN."""

    def to_dict(self) -> dict[str, str | float]:
        """Returns what `codec_from_dict` takes."""


def codec_from_dict(content: dict[str, Any]) -> DepthCodec:
    """Rebuilds the codec that its `to_dict` described.

    Raises:
      UserError: If the kind is unknown, a number is missing, or it is of another version.
    """
    kinds: dict[str, type[LogDepthCodec | LinearDepthCodec | SigmoidDisparityCodec]] = {
        "log": LogDepthCodec,
        "linear": LinearDepthCodec,
        "sigmoid_disparity": SigmoidDisparityCodec,
    }
    kind = content.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise UserError(f"a depth law's kind is one of {', '.join(kinds)}, got {kind!r}")
    return kinds[kind].from_dict(content)


@dataclasses.dataclass(frozen=True)
class LogDepthCodec:
    """Logarithmic depth code of the multi-task paper.

    `code = far_m * (ln depth_m - ln near_m) / (ln far_m - ln near_m)`, that is
    `code = slope * ln(depth_m) + offset`: 0 at the near limit, `far_m` at the far limit, and equal
    *relative* errors cost the same everywhere between.

    The near limit only places the zero and the slope of the code. What lies nearer gets a negative
    code and is decoded as nearer, never as the limit.

    Attributes:
      near_m: Depth of code 0; at least `MIN_DEPTH_M`.
      far_m: Depth of code `far_m`; nothing is decoded as farther.
    """

    near_m: float
    far_m: float

    enlarges_inverse: ClassVar[bool] = False  # paper, IV: depth is upsampled
    formula: ClassVar[str] = (
        "depth_m = exp((min(code, far_m) - offset) / slope), at least min_depth_m; "
        "slope = far_m / ln(far_m / near_m), offset = -slope * ln(near_m)"
    )

    def __post_init__(self) -> None:
        """Rejects limits that give no code."""
        _require_limits(self.near_m, self.far_m)

    @property
    def slope(self) -> float:
        """Code per unit of ln(depth_m)."""
        return self.far_m / (math.log(self.far_m) - math.log(self.near_m))

    @property
    def offset(self) -> float:
        """Code of one metre."""
        return -self.slope * math.log(self.near_m)

    @property
    def min_code(self) -> float:
        """Code of `MIN_DEPTH_M`, below which every code is decoded as that depth."""
        return self.slope * math.log(MIN_DEPTH_M) + self.offset

    def encode(self, depth_m: Floats) -> Floats:
        """Converts metres to code; not clipped at either limit.

        Args:
          depth_m: Any shape. Where it is not measured (<= 0 or not finite) the near limit is put
            in its place, so that nothing is NaN; the caller masks those pixels.

        Returns:
          The same shape, at least float32.
        """
        depth_m = np.asarray(depth_m)
        dtype = np.result_type(depth_m, np.float32)
        is_measured = (depth_m > 0) & np.isfinite(depth_m)
        safe_m = np.where(is_measured, depth_m, self.near_m).astype(dtype)
        return dtype.type(self.slope) * np.log(safe_m) + dtype.type(self.offset)

    def decode(self, code: Floats) -> Floats:
        """Converts code to metres in `[MIN_DEPTH_M, far_m]`.

        Args:
          code: Any shape; infinities go to the limits.

        Returns:
          The same shape, at least float32; 0 (not measured) where the code is NaN.
        """
        code = np.asarray(code)
        dtype = np.result_type(code, np.float32)
        # Clipped before the exponential, which would overflow on a wild code.
        bounded = np.clip(code.astype(dtype), dtype.type(self.min_code), dtype.type(self.far_m))
        depth_m = np.exp((bounded - dtype.type(self.offset)) / dtype.type(self.slope))
        # And after it: one rounding must not lift a depth over the far limit.
        depth_m = np.clip(depth_m, dtype.type(MIN_DEPTH_M), dtype.type(self.far_m))
        return np.where(np.isnan(code), dtype.type(0), depth_m)

    def to_dict(self) -> dict[str, str | float]:
        """Returns the codec by name, as a contract holds it."""
        return _limits_dict("log", self.near_m, self.far_m)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "LogDepthCodec":
        """Rebuilds what `to_dict` gave.

        Raises:
          UserError: If it is another kind of codec, a limit is missing or no number, or it was
            written by a version with another shortest depth.
        """
        return cls(*_limits_of(content, kind="log"))


@dataclasses.dataclass(frozen=True)
class LinearDepthCodec:
    """Depth itself in metres, which the multi-task paper holds its logarithm against (table II).

    Equal errors in metres cost the same everywhere.

    Attributes:
      near_m: Near end of the depths that it is made for, at least `MIN_DEPTH_M`; nearer ones are
        decoded as they are.
      far_m: Nothing is decoded as farther.
    """

    near_m: float
    far_m: float

    enlarges_inverse: ClassVar[bool] = False  # paper, IV: depth is upsampled
    formula: ClassVar[str] = "depth_m = min(code, far_m), at least min_depth_m"

    def __post_init__(self) -> None:
        """Rejects limits without anything between them."""
        _require_limits(self.near_m, self.far_m)

    def encode(self, depth_m: Floats) -> Floats:
        """Converts metres to code; as `LogDepthCodec.encode`."""
        depth_m = np.asarray(depth_m)
        dtype = np.result_type(depth_m, np.float32)
        is_measured = (depth_m > 0) & np.isfinite(depth_m)
        return np.where(is_measured, depth_m, self.near_m).astype(dtype)

    def decode(self, code: Floats) -> Floats:
        """Converts code to metres in `[MIN_DEPTH_M, far_m]`; as `LogDepthCodec.decode`."""
        code = np.asarray(code)
        dtype = np.result_type(code, np.float32)
        depth_m = np.clip(code.astype(dtype), dtype.type(MIN_DEPTH_M), dtype.type(self.far_m))
        return np.where(np.isnan(code), dtype.type(0), depth_m)

    def to_dict(self) -> dict[str, str | float]:
        """Returns the codec by name, as a contract holds it."""
        return _limits_dict("linear", self.near_m, self.far_m)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "LinearDepthCodec":
        """Rebuilds what `to_dict` gave; raises as `LogDepthCodec.from_dict`."""
        return cls(*_limits_of(content, kind="linear"))


StudentCodec = LogDepthCodec | LinearDepthCodec


@dataclasses.dataclass(frozen=True)
class SigmoidDisparityCodec:
    """Depth of a network that learned from video: inverse in a disparity between 0 and 1.

    `depth = scale / (10 p + 0.01)` with `p = sigmoid(code)` (MiniNet, section 3: a = 10, b = 0.01).
    The code is the logit of the disparity, since equal steps of it are nearly equal *ratios* of
    depth: 8 bits of disparity itself would step from 100 to 20.

    Attributes:
      scale: Metres of depth 1; 1 where no scale is known, then depth is relative.
    """

    scale: float = 1.0

    gain: ClassVar[float] = 10.0  # paper: a
    bias: ClassVar[float] = 0.01  # paper: b
    enlarges_inverse: ClassVar[bool] = True  # as it is trained, and as its rivals are scored
    formula: ClassVar[str] = "depth = scale / (10 * p + 0.01), p = 1 / (1 + exp(-code))"

    def __post_init__(self) -> None:
        """Rejects a scale that gives no depth."""
        if not 0 < self.scale < math.inf:
            raise UserError(f"scale must be positive, got {self.scale}")

    @property
    def near_m(self) -> float:
        """Depth of disparity 1."""
        return self.scale / (self.gain + self.bias)

    @property
    def far_m(self) -> float:
        """Depth of disparity 0."""
        return self.scale / self.bias

    def encode(self, depth_m: Floats) -> Floats:
        """Converts depth to code.

        Args:
          depth_m: Any shape; the code is finite strictly between `near_m` and `far_m`.
        """
        depth_m = np.asarray(depth_m)
        disparity = (self.scale / depth_m - self.bias) / self.gain
        return np.log(disparity) - np.log1p(-disparity)

    def decode(self, code: Floats) -> Floats:
        """Converts code to depth in `[near_m, far_m]`.

        Args:
          code: Any shape; infinities go to the ends.

        Returns:
          The same shape, at least float32; 0 (not measured) where the code is NaN.
        """
        code = np.asarray(code)
        dtype = np.result_type(code, np.float32)
        # Beyond 50 the sigmoid has its ends, in float64 too; it would overflow on a wild code.
        bounded = np.clip(code.astype(dtype), dtype.type(-50), dtype.type(50))
        disparity = 1 / (1 + np.exp(-bounded))
        depth_m = dtype.type(self.scale) / (dtype.type(self.gain) * disparity + self.bias)
        return np.where(np.isnan(code), dtype.type(0), depth_m.astype(dtype))

    def to_dict(self) -> dict[str, str | float]:
        """Returns the codec by name, as a contract holds it."""
        return {"kind": "sigmoid_disparity", "scale": self.scale}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "SigmoidDisparityCodec":
        """Rebuilds what `to_dict` gave.

        Raises:
          UserError: If it is another kind of codec, or the scale is missing or no number.
        """
        _require_fields(content, kind="sigmoid_disparity", numbers=("scale",))
        return cls(scale=float(content["scale"]))


def _require_limits(near_m: float, far_m: float) -> None:
    if not MIN_DEPTH_M <= near_m < far_m < math.inf:
        raise UserError(
            f"limits must satisfy {MIN_DEPTH_M} <= near_m < far_m, got near_m {near_m}, far_m "
            f"{far_m}"
        )


def _limits_dict(kind: str, near_m: float, far_m: float) -> dict[str, str | float]:
    return {"kind": kind, "near_m": near_m, "far_m": far_m, "min_depth_m": MIN_DEPTH_M}


def _limits_of(content: dict[str, Any], *, kind: str) -> tuple[float, float]:
    _require_fields(content, kind=kind, numbers=("near_m", "far_m", "min_depth_m"))
    if content["min_depth_m"] != MIN_DEPTH_M:
        raise UserError(
            f"its shortest depth is {content['min_depth_m']} m but here {MIN_DEPTH_M} m: they are "
            "of different versions"
        )
    return float(content["near_m"]), float(content["far_m"])


def _require_fields(content: dict[str, Any], *, kind: str, numbers: tuple[str, ...]) -> None:
    is_known = content.get("kind") == kind and set(content) == {"kind", *numbers}
    # bool is an int to isinstance.
    if not is_known or any(type(content[name]) not in (int, float) for name in numbers):
        form = ", ".join(f"{name!r}: ..." for name in numbers)
        raise UserError(f"a depth law here is {{'kind': {kind!r}, {form}}}, got {content}")
