"""What a network says of one picture, and the views of it that people ask for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mtdepth.files import UserError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.runtime.colors import MAGMA
from mtdepth.runtime.obstacles import Obstacle, Rule, nearest_obstacles
from mtdepth.runtime.overlay import Scale, draw_classes, draw_depth, draw_overlay, scale_of
from mtdepth.runtime.pipeline import Prediction

# ours: a picture whose farthest tenth is no farther than that from its nearest tenth shows nothing.
_FLAT_RATIO = 1.1
# ours: nearer to the middle than this share of the width is ahead.
_AHEAD_SHARE = 1 / 6


@dataclass(frozen=True, kw_only=True)
class Look:
    """How results are painted: depth's palette, and the class colours' share over the picture."""

    palette: str = MAGMA
    alpha: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One picture and what the network says of it.

    Attributes:
      image_rgb: `[height, width, 3]`.
      prediction: At that size.
      camera: That took it; None where unknown.
      valid_m: The range of depth that the model was made for.
      is_metric: Whether depth has a unit.
      caption: Lines beside the picture.
      look: How it is painted.
      rule: What counts as an obstacle.
    """

    image_rgb: npt.NDArray[np.uint8]
    prediction: Prediction
    camera: Intrinsics | None
    valid_m: tuple[float, float]
    is_metric: bool
    caption: tuple[str, ...] = ()
    look: Look = field(default_factory=Look)
    rule: Rule = field(default_factory=Rule)

    @property
    def rule_in_words(self) -> str:
        """What counts as an obstacle, in words."""
        return self.rule.in_words(has_classes=self._has_classes, camera=self.camera)

    @property
    def unit(self) -> str:
        """Of its depth: `m` or `relative`."""
        return "m" if self.is_metric else "relative"

    @property
    def views(self) -> tuple[str, ...]:
        """Names that `draw` takes."""
        return tuple(name for name in VIEWS if name != "classes" or self._has_classes)

    @cached_property
    def scale(self) -> Scale:
        """Of its depth's colours."""
        return scale_of(
            self.prediction.depth_m,
            valid_m=self.valid_m,
            is_metric=self.is_metric,
            palette=self.look.palette,
        )

    @cached_property
    def obstacles(self) -> list[Obstacle]:
        """The nearest obstacle of each column of the picture."""
        return nearest_obstacles(
            self.prediction.depth_m, self.prediction.train_id, camera=self.camera, rule=self.rule
        )

    @property
    def nearest_in_words(self) -> str:
        """The nearest obstacle of all, such as `nearest obstacle 4.2 m, car, left`."""
        found = [(each.depth, each) for each in self.obstacles if each.depth is not None]
        if not found:
            return "no obstacle"
        depth, nearest = min(found, key=lambda each: each[0])
        distance = depth if nearest.distance is None else nearest.distance
        middle = sum(nearest.column_px) / 2 / self.image_rgb.shape[1] - 0.5
        side = "ahead" if abs(middle) <= _AHEAD_SHARE else "left" if middle < 0 else "right"
        kind = [nearest.class_name] if nearest.class_name else []
        how_far = f"{distance:.1f} m" if self.is_metric else f"{distance:.3g} (relative)"
        return ", ".join([f"nearest obstacle {how_far}", *kind, side])

    @property
    def is_flat(self) -> bool:
        """Whether all depths are nearly alike, so that colours would show noise."""
        measured = self.prediction.depth_m[self.prediction.depth_m > 0]
        if not measured.size:
            return True
        low, high = np.quantile(measured, (0.1, 0.9))
        return bool(high <= _FLAT_RATIO * low)

    @cached_property
    def overlay(self) -> npt.NDArray[np.uint8]:
        """Everything in one picture, at full size."""
        return draw_overlay(
            self.image_rgb,
            self.prediction,
            scale=self.scale,
            alpha=self.look.alpha,
            caption=self.caption,
        )

    def draw(self, view: str) -> npt.NDArray[np.uint8]:
        """One view of the result, RGB; UserError if there is no such view."""
        if view not in self.views:
            raise UserError(f"view must be one of {', '.join(self.views)}, got {view!r}")
        return VIEWS[view](self)

    @property
    def _has_classes(self) -> bool:
        return self.prediction.train_id is not None


VIEWS: dict[str, Callable[[Seen], npt.NDArray[np.uint8]]] = {
    "overlay": lambda seen: seen.overlay,
    "picture": lambda seen: seen.image_rgb,
    "depth": lambda seen: draw_depth(seen.prediction.depth_m, scale=seen.scale),
    "classes": lambda seen: draw_classes(
        seen.image_rgb, np.asarray(seen.prediction.train_id), alpha=seen.look.alpha
    ),
}
