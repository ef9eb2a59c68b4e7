"""What the device knows of one picture, and the views of it that are sent."""

import dataclasses
import threading
import time
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from mtdepth.runtime.pipeline import Prediction
from mtdepth.runtime.seen import Look, Seen

# Wider pictures are shrunk before they are painted for a viewer: a phone shows no more, and a
# Raspberry Pi encodes no more at a camera's pace.
MAX_VIEW_WIDTH_PX = 800
JPEG_QUALITY = 80


@dataclass(frozen=True, kw_only=True)
class Result(Seen):
    """One picture of a source and what the network says of it.

    Attributes:
      number: Of the result, from 1.
      name: Of the picture.
      time_s: When it was ready, by the monotonic clock.
      captured_s: When the picture came, by the same clock.
    """

    number: int
    name: str
    time_s: float
    captured_s: float
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _jpegs: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def age_s(self) -> float:
        """How old the picture is now."""
        return time.monotonic() - self.captured_s

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
