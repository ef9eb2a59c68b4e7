"""The recipe of a network that learns from video."""

import dataclasses
from typing import Any, Literal, Self

from mtdepth.contract import MININET, Fit
from mtdepth.files import UserError
from mtdepth.geometry.depth_codec import SigmoidDisparityCodec
from mtdepth.recipes.base import Augmentation
from mtdepth.recipes.schedule import (
    RateRule,
    TrainingSchedule,
    require_at_least,
    require_input_size,
)
from mtdepth.specs.mininet import MiniNetSpec, OutputSize

PoseEncoder = Literal["resnet18", "light"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoRecipe(TrainingSchedule):
    """Everything that changes a weight of MiniNet trained from video, and nothing else.

    Attributes:
      name: The recipe's name in `mtdepth.recipes.registry`.
      mininet: The network; all four of its outputs are trained.
      output: The output that chooses the best weights and is cut out where none is named.
      input_size_px: Network input (height, width), multiples of 32.
      fit: How a picture of another shape becomes that input: stretched, or its centre cropped.
      pose_encoder: `resnet18`, the paper's, or `light`: seven strided convolutions for CPUs.
      pose_weights: `imagenet`, `none`, or a weight file.
      start_from: Workdir of a run whose both networks to start from; empty for none.
      depth_held_epochs: At first only the pose network learns, for so many epochs: one that begins
        anew would spoil a depth network that does not.
      steps_per_epoch: Length of an epoch; 0 is one pass over the video.
      halve_every_epochs: How often the learning rate is halved besides; 0 for never.
      auto_mask: Whether pixels that an unmoved source explains better teach nothing.
      ssim_weight: Of structure in the photometric error; the rest is of colour.
      smoothness_weight: Of smoothness beside the photometric error.
      smoothness_sharpness: How much smoothness is for pixels that are already explained; 0 counts
        all alike.
      smoothness_scale_decay: Factor of smoothness from each scale to the next coarser one.
      min_flow_px: Frames are left out where the picture moves less, on the mean over its pixels; 0
        keeps all.
      augmentation: How pictures are varied; a video is not zoomed.
      jitter_probability: Share of the triplets whose colours are varied.
    """

    name: str
    mininet: MiniNetSpec = dataclasses.field(default_factory=MiniNetSpec)
    output: OutputSize = "F"
    input_size_px: tuple[int, int]
    fit: Fit = "stretch"
    pose_encoder: PoseEncoder = "resnet18"
    pose_weights: str = "none"
    start_from: str = ""
    depth_held_epochs: int = 0
    steps_per_epoch: int = 0
    schedule: RateRule = "exponential"
    halve_every_epochs: int = 0
    auto_mask: bool = False
    ssim_weight: float
    smoothness_weight: float
    smoothness_sharpness: float
    smoothness_scale_decay: float
    min_flow_px: float
    augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)
    jitter_probability: float

    def __post_init__(self) -> None:
        """Rejects a recipe that would fail hours into a run."""
        super().__post_init__()
        require_input_size(self.input_size_px)
        require_at_least(self, 0, "halve_every_epochs", "min_flow_px", "depth_held_epochs")
        require_at_least(self, 0, "smoothness_weight", "smoothness_sharpness")
        if not 0 < self.smoothness_scale_decay <= 1:
            raise UserError(
                f"smoothness_scale_decay must be in (0, 1], got {self.smoothness_scale_decay}"
            )
        for name in ("jitter_probability", "ssim_weight"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if self.augmentation.max_zoom != 1:
            raise UserError(
                f"augmentation.max_zoom must be 1 for video, got {self.augmentation.max_zoom}"
            )

    @property
    def tasks(self) -> tuple[str, ...]:
        """What the network tells."""
        return ("depth",)

    @property
    def codec(self) -> SigmoidDisparityCodec:
        """Between the network's output and depth, without a unit."""
        return SigmoidDisparityCodec()

    def rate(self, step: int) -> float:
        """The learning rate of step `step`, counted from 0."""
        rate = super().rate(step)
        if every := self.halve_every_epochs:
            rate *= 0.5 ** (step // (every * self.steps_per_epoch))
        return rate

    def resolved(self, *, steps_per_pass: int) -> "VideoRecipe":
        """Puts the length of a pass where the recipe asks for one pass an epoch."""
        if self.steps_per_epoch:
            return self
        return dataclasses.replace(self, steps_per_epoch=steps_per_pass)

    def to_dict(self) -> dict[str, Any]:
        """Returns what `from_dict` takes, ready for JSON."""
        return {"network": MININET, **super().to_dict()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Rebuilds a recipe.

        Raises:
          UserError: If it is of another network, or a field is missing, unknown or out of range.
        """
        # Runs that began before it was a field had the paper's alpha.
        values = {"ssim_weight": 0.85, **content}
        if (network := values.pop("network", MININET)) != MININET:
            raise UserError(f"network must be {MININET!r}, got {network!r}")
        return super().from_dict(values)
