"""One run of a model over a source: predict, draw, write, time."""

import platform
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from export.device.latency import Latency
from export.device.overlay import draw_overlay
from export.device.sources import Frames, Picture, Unreadable
from mtdepth.geometry.camera import Intrinsics
from mtdepth.runtime.pipeline import Prediction, Predictor
from mtdepth.runtime.tflite import TfliteBackend

Image = npt.NDArray[np.uint8]


class Writer(Protocol):
    """Takes the results of one frame after the other."""

    def write(self, name: str, overlay: Image, prediction: Prediction) -> None:
        """Takes one frame."""

    def close(self, *, is_kept: bool = True) -> None:
        """Takes no more; `is_kept` is False where an error ended the run."""


class Display(Protocol):
    """Shows results."""

    def show(self, image_rgb: Image) -> bool:
        """Shows a picture; returns whether to go on."""

    def close(self) -> None:
        """Shows no more."""


@dataclass(frozen=True)
class NoDisplay:
    """Shows nothing."""

    def show(self, image_rgb: Image) -> bool:
        """Shows nothing."""
        del image_rgb
        return True

    def close(self) -> None:
        """Nothing is left open."""


@dataclass
class Job:
    """A model at work.

    Attributes:
      backend: The model.
      num_threads: That it runs with, for the report.
      focal_px: Focal length of the source in its own pixels; None where unknown.
      alpha: Share of the class colour in the overlay.
      failures: Frames that gave no result, and why.
    """

    backend: TfliteBackend
    num_threads: int
    focal_px: float | None = None
    alpha: float = 0.5
    failures: list[Unreadable] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Runs the model once: the first call lays out its memory and is not the usual one."""
        self._predictor = Predictor(self.backend)
        self._latency = Latency()
        self._num_frames = 0
        self._wall_s = 0.0
        self._focal_size: tuple[int, int] | None = None
        self.backend.infer(np.zeros((*self.backend.input_size, 3), np.uint8))

    def run(
        self, frames: Frames, *, writer: Writer, display: Display, max_frames: int | None
    ) -> None:
        """Takes frames until they end, the display says so, or `max_frames` were predicted.

        A frame that cannot be read is kept in `failures`; the rest go on. What was written is kept
        unless an error other than the user's Ctrl-C ends the run.
        """
        start = time.perf_counter()
        is_kept = False
        try:
            for item in frames:
                if isinstance(item, Unreadable):
                    self.failures.append(item)
                    continue
                overlay = self._process(item, writer)
                if overlay is not None and not display.show(overlay):
                    break
                if max_frames is not None and self._num_frames >= max_frames:
                    break
            is_kept = True
        except KeyboardInterrupt:
            is_kept = True
            raise
        finally:
            self._wall_s = time.perf_counter() - start
            writer.close(is_kept=is_kept)
            display.close()

    def report(self) -> dict[str, Any]:
        """What `latency.json` holds."""
        summary = self._latency.summary()
        total_ms = summary.get("total_ms", {}).get("median", 0.0)
        return {
            "model": str(self.backend.path),
            "sha256": self.backend.contract.sha256,
            "decoder": self.backend.contract.decoder,
            "precision": self.backend.contract.precision,
            "input_size": list(self.backend.input_size),
            "num_threads": self.num_threads,
            "num_frames": self._num_frames,
            "num_failures": len(self.failures),
            "warm_up_runs": 1,
            **summary,
            "frames_per_second": {
                # Without reading, drawing and writing; and as a user waits for it.
                "network_and_its_ends": round(1e3 / total_ms, 2) if total_ms else 0.0,
                "whole_loop": round(self._num_frames / self._wall_s, 2) if self._wall_s else 0.0,
            },
            "machine": platform.machine(),
            "python": platform.python_version(),
        }

    def _process(self, picture: Picture, writer: Writer) -> Image | None:
        try:
            prediction = self._predict(picture.image_rgb)
        except ValueError as error:
            self.failures.append(Unreadable(picture.name, str(error)))
            return None
        self._num_frames += 1
        contract = self.backend.contract
        overlay = draw_overlay(
            picture.image_rgb,
            prediction,
            near_m=contract.near_m,
            far_m=contract.far_m,
            alpha=self.alpha,
            caption=self._caption(),
        )
        writer.write(picture.name, overlay, prediction)
        return overlay

    def _predict(self, image_rgb: Image) -> Prediction:
        camera = self._camera(image_rgb)
        with self._latency.measured("preprocess"):
            fitted = self._predictor.prepare(image_rgb)
        with self._latency.measured("inference"):
            raw = self.backend.run(fitted)
        with self._latency.measured("postprocess"):
            output = self.backend.decode(raw)
            size = (image_rgb.shape[0], image_rgb.shape[1])
            return self._predictor.restore(output, image_size=size, camera=camera)

    def _camera(self, image_rgb: Image) -> Intrinsics | None:
        if self.focal_px is None:
            return None
        height_px, width_px = image_rgb.shape[:2]
        self._focal_size = self._focal_size or (height_px, width_px)
        if (height_px, width_px) != self._focal_size:
            raise ValueError(
                f"is {height_px}x{width_px} (height x width), but the first picture, which "
                f"--focal_px was taken to be of, is {self._focal_size[0]}x{self._focal_size[1]}"
            )
        return Intrinsics(
            fx_px=self.focal_px,
            fy_px=self.focal_px,
            cx_px=(width_px - 1) / 2,
            cy_px=(height_px - 1) / 2,
            width_px=width_px,
            height_px=height_px,
        )

    def _caption(self) -> tuple[str, ...]:
        contract = self.backend.contract
        total_ms = self._latency.last_total_ms
        return (
            f"{contract.decoder} {contract.precision}",
            f"{total_ms:.1f} ms",
            f"{1e3 / total_ms:.0f} frames/s",
            f"{self.num_threads} thread{'s' * (self.num_threads > 1)}",
            "" if self.focal_px else "focal not given",
        )
