"""What is known of one picture, and the views of it that viewers ask for."""

import dataclasses
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from export.device.obstacles import Obstacle, Rule, nearest_obstacles
from export.device.overlay import Scale, draw_classes, draw_depth, draw_overlay, scale_of
from export.device.sources import Image
from mtdepth.files import UserError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.runtime.colors import MAGMA
from mtdepth.runtime.pipeline import Prediction

# Wider pictures are shrunk before they are painted for a viewer: a phone shows no more, and a
# Raspberry Pi encodes no more at a camera's pace.
MAX_VIEW_WIDTH_PX = 800
JPEG_QUALITY = 80


@dataclass(frozen=True, kw_only=True)
class Look:
    """How results are painted: depth's palette, and the class colours' share over the picture."""

    palette: str = MAGMA
    alpha: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Result:
    """One picture and what the network says of it.

    Attributes:
      number: Of the result, from 1.
      name: Of the picture.
      time_s: When it was ready, by the monotonic clock.
      captured_s: When the picture came, by the same clock.
      image_rgb: `[height, width, 3]`.
      prediction: At that size.
      camera: That took it; None where unknown.
      valid_m: The range of depth that the model was made for.
      is_metric: Whether depth has a unit.
      caption: Lines beside the picture.
      look: How it is painted.
      rule: What counts as an obstacle.
    """

    number: int
    name: str
    time_s: float
    captured_s: float
    image_rgb: Image
    prediction: Prediction
    camera: Intrinsics | None
    valid_m: tuple[float, float]
    is_metric: bool
    caption: tuple[str, ...]
    look: Look
    rule: Rule
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _jpegs: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def age_s(self) -> float:
        """How old the picture is now."""
        return time.monotonic() - self.captured_s

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
        """Names that `jpeg` and `draw` take."""
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

    @cached_property
    def overlay(self) -> Image:
        """Everything in one picture, at full size."""
        return draw_overlay(
            self.image_rgb,
            self.prediction,
            scale=self.scale,
            alpha=self.look.alpha,
            caption=self.caption,
        )

    def draw(self, view: str) -> Image:
        """One view of the result, RGB; UserError if there is no such view."""
        if view not in self.views:
            raise UserError(f"view must be one of {', '.join(self.views)}, got {view!r}")
        return VIEWS[view](self)

    def jpeg(self, view: str) -> bytes:
        """One view, small enough to be sent; encoded once, by whoever asks first."""
        with self._lock:
            if view not in self._jpegs:
                is_wide = self.image_rgb.shape[1] > MAX_VIEW_WIDTH_PX
                drawn = (self._shrunk if is_wide else self).draw(view)
                drawn_bgr = cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)
                quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
                _, content = cv2.imencode(".jpg", drawn_bgr, quality)
                self._jpegs[view] = content.tobytes()
            return self._jpegs[view]

    def painted(self, look: Look) -> "Result":
        """The same result in another look."""
        return dataclasses.replace(self, look=look, _lock=threading.Lock(), _jpegs={})

    @property
    def _has_classes(self) -> bool:
        return self.prediction.train_id is not None

    @cached_property
    def _shrunk(self) -> "Result":
        height_px, width_px = self.image_rgb.shape[:2]
        size = (MAX_VIEW_WIDTH_PX, round(height_px * MAX_VIEW_WIDTH_PX / width_px))
        train_id, depth_m = self.prediction.train_id, self.prediction.depth_m
        if train_id is not None:
            # Classes and unmeasured depth have nothing between them.
            train_id = cv2.resize(train_id, size, interpolation=cv2.INTER_NEAREST)
        depth_m = cv2.resize(depth_m, size, interpolation=cv2.INTER_NEAREST)
        image_rgb = cv2.resize(self.image_rgb, size, interpolation=cv2.INTER_AREA)
        return dataclasses.replace(
            self,
            image_rgb=np.asarray(image_rgb, np.uint8),
            prediction=Prediction(depth_m, train_id),
            camera=None,
        )


VIEWS: dict[str, Callable[[Result], Image]] = {
    "overlay": lambda result: result.overlay,
    "picture": lambda result: result.image_rgb,
    "depth": lambda result: draw_depth(result.prediction.depth_m, scale=result.scale),
    "classes": lambda result: draw_classes(
        result.image_rgb, np.asarray(result.prediction.train_id), alpha=result.look.alpha
    ),
}
