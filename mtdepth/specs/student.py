"""What a student network looks like, as plain data: no layer is built here.

The default is "design A" of the multi-task network: a MobileNetV2 encoder of width 0.35 and four
pixel-shuffle decoder blocks. The paper prints neither the decoder's widths nor its repeats; these
reproduce its two totals (0.32 M parameters, 2.1 G operations at 1056x320) and its frame rates.
Every width, repeat, expansion and skip is a field, so that another reading is one `StudentSpec`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, get_args

from mtdepth.files import UserError

DecoderSize = Literal["L", "M", "S", "XS"]
Task = Literal["depth", "segmentation"]
Activation = Literal["relu6", "hard_swish"]

# By size, the largest first.
NUM_BLOCKS: Mapping[str, int] = dict(zip(get_args(DecoderSize), (4, 3, 2, 1), strict=True))
SIZE_MULTIPLE_PX = 32  # the encoder's output stride: each of its five halvings must be exact
NUM_SHUFFLED = 4  # a pixel shuffle of factor 2 turns four channels into one


# ours: a hundred times the largest that anybody built; beyond it a network takes hours to build
MAX_COUNT = 10_000


def check_counts(record: Any, *names: str) -> None:
    """Checks the numbers that say how large a network is.

    Raises:
      UserError: If one is not positive, or larger than any network; names it.
    """
    for name in names:
        if not 0 < (value := getattr(record, name)) <= MAX_COUNT:
            raise UserError(f"{name} must be above 0, at most {MAX_COUNT}, got {value}: {record}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageSpec:
    """One stage of the encoder: bottlenecks that share a width.

    Attributes:
      width: Channels out before the width multiplier.
      num_bottlenecks: Inverted residual blocks.
      stride: Of the first of them; the others have stride 1.
      expansion: Hidden channels per channel in. The encoder's first stage has none (1).
    """

    width: int
    num_bottlenecks: int
    stride: int
    expansion: int = 6


MOBILENET_V2_STAGES = (  # Sandler et al. 2018, table 2
    StageSpec(width=16, num_bottlenecks=1, stride=1, expansion=1),
    StageSpec(width=24, num_bottlenecks=2, stride=2),
    StageSpec(width=32, num_bottlenecks=3, stride=2),
    StageSpec(width=64, num_bottlenecks=4, stride=2),
    StageSpec(width=96, num_bottlenecks=3, stride=1),
    StageSpec(width=160, num_bottlenecks=3, stride=2),
    StageSpec(width=320, num_bottlenecks=1, stride=1),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlockSpec:
    """One decoder block: concatenate a skip, shuffle up by 2, refine by bottlenecks.

    Attributes:
      skip: The encoder bottleneck whose output is concatenated, `"block_0"` to `"block_16"`; it
        has the size of the block's input. None for no skip.
      width: Channels out.
      num_bottlenecks: N of the paper, at least 1.
      expansion: Hidden channels per channel in.
    """

    skip: str | None
    width: int
    num_bottlenecks: int
    expansion: int = 6


DESIGN_A_BLOCKS = (
    BlockSpec(skip="block_15", width=24, num_bottlenecks=2),
    BlockSpec(skip="block_12", width=24, num_bottlenecks=2),
    BlockSpec(skip="block_5", width=16, num_bottlenecks=3),
    BlockSpec(skip="block_2", width=8, num_bottlenecks=4),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudentSpec:
    """A student network: encoder, decoder blocks and tasks.

    Attributes:
      alpha: Width multiplier of the encoder.
      stem_width: Channels of the first convolution before the multiplier.
      stages: The encoder's stages; their strides and the stem's make 32.
      blocks: One to four decoder blocks, the coarsest (output stride 16) first.
      tasks: `("depth",)` or `("depth", "segmentation")`.
      num_individual: The n of the paper's (m, n) split: the last n bottlenecks of every block are
        built once per task, the m before them are shared. Clamped to the block's own number. The
        depth branch feeds the next block, so that the depth network detaches alone.
      num_classes: Segmentation classes.
      batch_norm_momentum: Of the moving statistics. The library's encoder has 0.999, which after a
        short training still holds its initial values.
      initial_depth_code: Bias that every depth head starts at.
      decoder_activation: Between the convolutions of the decoder's bottlenecks. The encoder has
        ReLU6, which its published weights expect.
    """

    alpha: float = 0.35
    stem_width: int = 32
    stages: tuple[StageSpec, ...] = MOBILENET_V2_STAGES
    blocks: tuple[BlockSpec, ...] = DESIGN_A_BLOCKS
    tasks: tuple[Task, ...] = ("depth",)
    num_individual: int = 0
    num_classes: int = 19
    batch_norm_momentum: float = 0.99  # ours: settles in a few hundred steps
    # ours: the middle of the code's range 0..80; from 0, Adam's first thousands of steps would go
    # into moving one offset.
    initial_depth_code: float = 40.0
    decoder_activation: Activation = "relu6"

    def __post_init__(self) -> None:
        """Rejects what could not be built, naming the field."""
        if self.tasks not in (("depth",), ("depth", "segmentation")):
            raise UserError(
                f'tasks must be ("depth",) or ("depth", "segmentation"), got {self.tasks!r}'
            )
        check_counts(self, "alpha", "stem_width", "num_classes")
        for each in (*self.stages, *self.blocks):
            check_counts(each, "width", "num_bottlenecks", "expansion")
        if sum(stage.num_bottlenecks for stage in self.stages) > MAX_COUNT:
            raise UserError(f"stages: at most {MAX_COUNT} bottlenecks in all")
        if not 1 <= len(self.blocks) <= max(NUM_BLOCKS.values()):
            raise UserError(f"blocks must be 1 to 4 decoder blocks, got {len(self.blocks)}")
        if self.num_individual < 0:
            raise UserError(f"num_individual must not be negative, got {self.num_individual}")
        if not 0 < self.batch_norm_momentum < 1:
            raise UserError(
                f"batch_norm_momentum must lie between 0 and 1, got {self.batch_norm_momentum}"
            )
        self._check_blocks()

    def _check_blocks(self) -> None:
        taps = encoder_taps(self)
        last = list(taps.values())[-1]
        if last.stride != SIZE_MULTIPLE_PX:
            raise UserError(f"the encoder's output stride must be 32, got {last.stride}")
        num_channels, stride = last.num_channels, last.stride
        for number, block in enumerate(self.blocks, start=1):
            if block.skip is not None:
                num_channels += _skip_channels(taps, block.skip, stride, number)
            if num_channels % NUM_SHUFFLED:
                raise UserError(
                    f"blocks[{number - 1}]: the pixel shuffle needs a multiple of {NUM_SHUFFLED} "
                    f"channels, previous and skip together have {num_channels}"
                )
            num_channels, stride = block.width, stride // 2

    def for_decoder(self, decoder: DecoderSize) -> "StudentSpec":
        """The same network with only the blocks of a decoder size.

        Raises:
          UserError: If this network has fewer blocks, or the size is unknown.
        """
        num_blocks = checked_num_blocks(self, decoder)
        return dataclasses.replace(self, blocks=self.blocks[:num_blocks])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tap:
    """What an encoder bottleneck gives out.

    Attributes:
      num_channels: Its width after the multiplier.
      stride: Input size / its size.
    """

    num_channels: int
    stride: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """A decoder with a name, behind the same encoder, so that its published weights fit.

    Attributes:
      blocks: Of the decoder; the output sizes are the same in all.
      activation: Of the decoder.
    """

    blocks: tuple[BlockSpec, ...] = DESIGN_A_BLOCKS
    activation: Activation = "relu6"


# Ours but for the first. The depthwise filters at the two finest resolutions take half of design
# A's time on a device: `narrow` and `fast` have fewer of them.
DESIGNS: Mapping[str, Design] = {
    "paper": Design(),
    "narrow": Design(
        blocks=(
            *DESIGN_A_BLOCKS[:2],
            BlockSpec(skip="block_5", width=16, num_bottlenecks=3, expansion=3),
            BlockSpec(skip="block_2", width=8, num_bottlenecks=4, expansion=3),
        )
    ),
    "fast": Design(
        blocks=(
            *DESIGN_A_BLOCKS[:2],
            BlockSpec(skip="block_5", width=16, num_bottlenecks=2, expansion=4),
            BlockSpec(skip="block_2", width=8, num_bottlenecks=1, expansion=2),
        )
    ),
    "hard_swish": Design(activation="hard_swish"),
}


def designed(spec: StudentSpec, name: str) -> StudentSpec:
    """The same network with the decoder of a named design.

    Args:
      spec: Whose encoder, tasks and other fields are kept.
      name: `"paper"` is design A; the README has what the others cost and save.

    Raises:
      UserError: If there is no such design.
    """
    if name not in DESIGNS:
        raise UserError(f"no design {name!r}; there are {', '.join(DESIGNS)}")
    design = DESIGNS[name]
    return dataclasses.replace(spec, blocks=design.blocks, decoder_activation=design.activation)


def scaled_width(width: int, *, alpha: float) -> int:
    """A width after MobileNetV2's multiplier: a multiple of 8, at most a tenth below `width*alpha`.

    Source: `make_divisible` of Sandler et al.'s implementation, as keras.applications has it.
    """
    wanted = int(width * alpha)
    rounded = max(8, (wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def encoder_taps(spec: StudentSpec) -> dict[str, Tap]:
    """Every bottleneck of the encoder by name, `"block_0"` first, with its channels and stride."""
    taps: dict[str, Tap] = {}
    stride = 2  # the stem's
    for stage in spec.stages:
        stride *= stage.stride
        for _ in range(stage.num_bottlenecks):
            width = scaled_width(stage.width, alpha=spec.alpha)
            taps[f"block_{len(taps)}"] = Tap(num_channels=width, stride=stride)
    return taps


def checked_num_blocks(spec: StudentSpec, decoder: str) -> int:
    """How many decoder blocks a size keeps.

    Raises:
      UserError: If the size is unknown or the network has fewer blocks.
    """
    if decoder not in NUM_BLOCKS:
        raise UserError(f"decoder must be one of {', '.join(NUM_BLOCKS)}, got {decoder!r}")
    num_blocks = NUM_BLOCKS[decoder]
    if num_blocks > len(spec.blocks):
        raise UserError(
            f"decoder {decoder} needs {num_blocks} decoder blocks, this network has "
            f"{len(spec.blocks)}; train a larger one"
        )
    return num_blocks


def _skip_channels(taps: Mapping[str, Tap], skip: str, stride: int, number: int) -> int:
    fitting = [name for name, tap in taps.items() if tap.stride == stride]
    if skip not in fitting:
        raise UserError(
            f"blocks[{number - 1}].skip must be an encoder bottleneck at stride {stride} "
            f"({', '.join(fitting)}), got {skip!r}"
        )
    return taps[skip].num_channels
