"""The type of a recipe, its validation, and the `key=value` overrides of the command line."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeVar

from mtdepth.contract import Fit
from mtdepth.files import UserError
from mtdepth.geometry.depth_codec import LinearDepthCodec, LogDepthCodec, StudentCodec
from mtdepth.recipes.schedule import (
    TrainingSchedule,
    require_at_least,
    require_input_size,
)
from mtdepth.records import meant
from mtdepth.specs.student import DecoderSize, StudentSpec

DepthTargetRule = Literal["nearest", "valid_mean"]
DepthLaw = Literal["log", "linear"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How a training picture is varied; everything at its neutral value means not at all.

    Attributes:
      flip_probability: Chance of a left-right mirror.
      max_zoom: A crop of 1/zoom of the picture, zoom uniform in [1, max_zoom], is enlarged to the
        network's size. Depth is divided by the zoom, since a longer focal length shows the same.
      brightness, contrast, saturation: Factors uniform in [1 - x, 1 + x].
      hue: Shift of the hue circle, uniform in [-x, x] turns.
    """

    flip_probability: float = 0.5
    max_zoom: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        """Rejects values outside their ranges."""
        if not 0 <= self.flip_probability <= 1:
            raise UserError(f"flip_probability must be in [0, 1], got {self.flip_probability}")
        if self.max_zoom < 1:
            raise UserError(f"max_zoom must be at least 1, got {self.max_zoom}")
        for name in ("brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} must be in [0, 1), got {getattr(self, name)}")
        if not 0 <= self.hue <= 0.5:
            raise UserError(f"hue must be in [0, 0.5] turns, got {self.hue}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainRecipe(TrainingSchedule):
    """Everything that changes a trained weight, and nothing else.

    Attributes:
      name: The recipe's name in `mtdepth.recipes.registry`.
      decoder: The decoder that is trained; smaller ones can be detached from it afterwards.
      student: The network.
      input_size_px: Network input (height, width), multiples of 32.
      fit: How a picture of another shape becomes that input: stretched, or its centre cropped.
      depth_law: What the network tells: the logarithm of depth, or depth itself.
      near_m: Where the depth code is 0. Nearer depths have negative codes and are kept.
      far_m: Farthest depth that is told apart; labels beyond it are trained as `far_m`.
      sky_is_far: Label pixels of class sky are trained as `far_m`, whatever the depth teacher said.
      depth_target: How a label is brought to a block's resolution.
      depth_weight, segmentation_weight: Weight of each task's loss at every block.
      near_weight: Further weight of near pixels in the depth loss, full up to 10 m.
      scale_invariant_weight, gradient_weight: Of two terms beside BerHu, within the depth loss; see
        `mtdepth.losses.depth`.
      hard_share: Share of the pixels, those that cost most, that the segmentation loss counts.
      class_weights: Of each class in the segmentation loss, by train id; empty counts all alike.
      encoder_weights: `imagenet`, `none`, or a weight file.
      start_from: Workdir or weight file of a whole student to start from; empty for none.
      ema_decay: Of the weights' moving average, which is judged and saved in their place; 0 for
        none.
      statistics_batches: Training batches over which the batch-norm statistics are averaged before
        each evaluation and save.
      augmentation: How pictures are varied.
    """

    name: str
    decoder: DecoderSize = "L"
    student: StudentSpec = dataclasses.field(
        default_factory=lambda: StudentSpec(tasks=("depth", "segmentation"))
    )
    input_size_px: tuple[int, int]
    fit: Fit = "stretch"
    depth_law: DepthLaw = "log"
    near_m: float
    far_m: float
    sky_is_far: bool
    depth_target: DepthTargetRule
    depth_weight: float
    segmentation_weight: float
    near_weight: float = 0.0
    scale_invariant_weight: float = 0.0
    gradient_weight: float = 0.0
    hard_share: float = 1.0
    class_weights: tuple[float, ...] = ()
    encoder_weights: str = "none"
    start_from: str = ""
    ema_decay: float = 0.0
    statistics_batches: int
    augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        """Rejects a recipe that would fail hours into a run."""
        super().__post_init__()
        require_input_size(self.input_size_px)
        self.student.for_decoder(self.decoder)
        require_at_least(self, 1, "steps_per_epoch", "statistics_batches")
        if not 0 <= self.ema_decay < 1:
            raise UserError(f"ema_decay must be in [0, 1), got {self.ema_decay}")
        _ = self.codec  # has the rule for near_m and far_m
        require_at_least(self, 0, "depth_weight", "segmentation_weight", "near_weight")
        require_at_least(self, 0, "scale_invariant_weight", "gradient_weight")
        if self.depth_law != "log" and (self.scale_invariant_weight or self.gradient_weight):
            raise UserError(
                "scale_invariant_weight and gradient_weight are of the logarithm of depth: they "
                f"need depth_law log, got {self.depth_law}"
            )
        if not 0 < self.hard_share <= 1:
            raise UserError(f"hard_share must be in (0, 1], got {self.hard_share}")
        of_classes, number = self.class_weights, self.student.num_classes
        if of_classes and (len(of_classes) != number or min(of_classes) <= 0):
            raise UserError(f"class_weights must be {number} positive numbers, got {of_classes}")

    @property
    def spec(self) -> StudentSpec:
        """The network of this decoder size: the student's first blocks."""
        return self.student.for_decoder(self.decoder)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that the network has heads for."""
        return self.student.tasks

    @property
    def codec(self) -> StudentCodec:
        """Between the network's output and metres."""
        law = LogDepthCodec if self.depth_law == "log" else LinearDepthCodec
        return law(near_m=self.near_m, far_m=self.far_m)


Recipe = TypeVar("Recipe", bound=TrainingSchedule)


def overridden(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """Returns `recipe` with `key=value` strings applied.

    Args:
      recipe: The recipe to change.
      overrides: Such as `learning_rate=1e-3`, `input_size_px=[192,640]`, `student.tasks=[depth]`
        or `augmentation.max_zoom=1.3`. Values are JSON; what is no JSON is taken as text, also in a
        list, whose quotes a shell takes away.

    Raises:
      UserError: If an override has no `=`, or names no field, or has a value of another type.
    """
    content = recipe.to_dict()
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise UserError(f"override {override!r} must be key=value")
        known = dict(_places(content))
        if (key := key.strip()) not in known:
            hint = meant(key, known)
            raise UserError(f"override {override!r}: no recipe field {key!r}; {hint}")
        known[key][key.rpartition(".")[2]] = _parse(text.strip())
    return type(recipe).from_dict(content)


def _places(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The fields of a recipe and of the records in it, each with the record that holds it."""
    for name, value in content.items():
        yield f"{prefix}{name}", content
        if isinstance(value, dict):
            yield from _places(value, f"{prefix}{name}.")


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if text.startswith("[") and text.endswith("]") and not set(text[1:-1]) & set("[]{}"):
            return [_parse(item.strip()) for item in text[1:-1].split(",")]
        return text
