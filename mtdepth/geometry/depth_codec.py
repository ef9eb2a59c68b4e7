"""The law between a network's depth code and metres: one for loss, evaluation and device."""

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

# ours: nearer than this nothing is in focus of a car's or a robot's camera; it keeps a wild code
# from becoming a depth of zero, which means "not measured".
MIN_DEPTH_M = 0.1


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

    near_m: float = 4.0  # paper
    far_m: float = 80.0  # paper

    def __post_init__(self) -> None:
        """Rejects limits that give no law."""
        if not MIN_DEPTH_M <= self.near_m < self.far_m < math.inf:
            raise ValueError(
                f"limits must satisfy {MIN_DEPTH_M} <= near_m < far_m, "
                f"got near_m {self.near_m}, far_m {self.far_m}"
            )

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
        """Returns the law by name, as a contract or a recipe holds it."""
        return {"kind": "log", "near_m": self.near_m, "far_m": self.far_m}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "LogDepthCodec":
        """Rebuilds what `to_dict` gave.

        Raises:
          ValueError: If it is another kind of law, or a limit is missing or no number.
        """
        if content.get("kind") != "log" or set(content) != {"kind", "near_m", "far_m"}:
            raise ValueError(
                f"a depth law here is {{'kind': 'log', 'near_m': ..., 'far_m': ...}}, got {content}"
            )
        return cls(near_m=float(content["near_m"]), far_m=float(content["far_m"]))
