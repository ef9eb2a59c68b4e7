"""What a MiniNet looks like, as plain data: no layer is built here.

The definition is the one that reproduces the paper's parameter column exactly, row by row, when
the printed value is the count cut off (not rounded) after three decimals. What the paper leaves
open (biases, the full-resolution block's missing skip, which heads are counted) is decided by that
and cannot be configured; what it varies itself, and how the weights start, are the fields here.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal

from mtdepth.files import UserError

Variant = Literal["original", "medium", "small"]
OutputSize = Literal["F", "H", "Q", "E"]
Fans = Literal["group", "all_channels"]

OUTPUT_STRIDE: Mapping[str, int] = {"F": 1, "H": 2, "Q": 4, "E": 8}
NUM_CHANNELS = 64  # of every feature map outside the module
NUM_PASSES = 4  # of the module: from 1/2 of the input's size to 1/32


@dataclasses.dataclass(frozen=True, kw_only=True)
class InvertedBlock:
    """One inverted residual block of the module.

    Attributes:
      expansion: Hidden channels per channel in.
      stride: 1, with a shortcut, or 2, without.
    """

    expansion: int
    stride: int


def _block(expansion: int, stride: int) -> InvertedBlock:
    return InvertedBlock(expansion=expansion, stride=stride)


MODULES: dict[Variant, tuple[InvertedBlock, ...]] = {
    "original": (_block(2, 1), _block(2, 1), _block(2, 2), _block(4, 1), _block(4, 1)),
    "medium": (_block(2, 2), _block(2, 1)),
    "small": (_block(2, 2),),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class MiniNetSpec:
    """A MiniNet.

    Attributes:
      variant: Which blocks the module is made of: five, two or one.
      reuse: The four passes share one module, the paper's point; else each has its own.
      dense_decoder: Every depthwise separable convolution of the decoder and the heads becomes a
        3x3 convolution: the paper's ablation "w/o lightweight decoder".
      initial_gain: Factor of Xavier's deviation of every kernel.
      depthwise_fans: How many numbers meet at a depthwise filter. `"group"`: the 9 that do.
        `"all_channels"`: nine times the channels, the libraries' stock Xavier; the signal then
        shrinks some 30-fold per pass and nothing restores it, since there is no normalisation.
      head_gain: The gain of each head's last kernel. Ours is small, so that the disparity starts at
        1/2 everywhere: with 1 some starts have depths of 20 in places, and gradients to match.
    """

    variant: Variant = "original"
    reuse: bool = True
    dense_decoder: bool = False
    initial_gain: float = math.sqrt(2.0)
    depthwise_fans: Fans = "group"
    head_gain: float = 0.1

    def __post_init__(self) -> None:
        """Rejects what could not be built, naming the field."""
        for name in ("initial_gain", "head_gain"):
            gain = getattr(self, name)
            if not (math.isfinite(gain) and gain > 0):
                raise UserError(f"{name} must be positive, got {gain}")

    def stock_start(self) -> "MiniNetSpec":
        """The same network with the libraries' stock Xavier initialisation."""
        return dataclasses.replace(
            self, initial_gain=1.0, depthwise_fans="all_channels", head_gain=1.0
        )
