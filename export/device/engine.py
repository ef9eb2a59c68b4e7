"""From one picture to one result, timed: median and 90th percentile of each stage."""

import platform
import time
from collections import deque
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from export.device import telemetry
from export.device.camera_model import CameraModel
from export.device.models import SizedModels
from export.device.obstacles import Rule
from export.device.result import Look, Result
from export.device.sources import Picture

# A service runs for months.
_NUM_KEPT = 10_000


@dataclass(frozen=True, kw_only=True)
class FrameTimes:
    """Milliseconds of one frame's stages."""

    preprocess_ms: float
    inference_ms: float
    postprocess_ms: float

    @property
    def total_ms(self) -> float:
        """All of them."""
        return self.preprocess_ms + self.inference_ms + self.postprocess_ms


class Latency:
    """The times of the last ten thousand frames."""

    def __init__(self) -> None:
        self._frames: deque[FrameTimes] = deque(maxlen=_NUM_KEPT)

    def add(self, times: FrameTimes) -> None:
        """Counts a frame."""
        self._frames.append(times)

    @property
    def last(self) -> FrameTimes | None:
        """Of the last frame."""
        return self._frames[-1] if self._frames else None

    def summary(self) -> dict[str, dict[str, float]]:
        """Median and 90th percentile of each stage and of their sum, `{}` without a frame."""
        # A copy: another thread may add to it meanwhile.
        rows = [(*astuple(times), times.total_ms) for times in list(self._frames)]
        if not rows:
            return {}
        columns = np.array(rows).T
        names = ("preprocess_ms", "inference_ms", "postprocess_ms", "total_ms")
        return {
            name: {
                "median": round(float(np.median(column)), 3),
                "p90": round(float(np.quantile(column, 0.9)), 3),
            }
            for name, column in zip(names, columns, strict=True)
        }


class Engine:
    """Models at work on a camera's pictures. To be used by one thread; `report` by any.

    Args:
      models: The networks; the one that is selected is run once at once.
      num_threads: That they run with, for the report.
      camera: Of the pictures.
      rule: What counts as an obstacle.
    """

    def __init__(
        self,
        models: SizedModels,
        *,
        num_threads: int,
        camera: CameraModel | None = None,
        rule: Rule | None = None,
    ) -> None:
        self.models = models
        self._num_threads = num_threads
        self._camera = camera or CameraModel()
        self._rule = rule or Rule()
        self._latency = {size: Latency() for size in models.sizes}
        self.num_frames = 0
        self._first_result_s: float | None = None
        models.select(models.size)

    @property
    def last_times(self) -> FrameTimes | None:
        """Of the last frame of the size that runs."""
        return self._latency[self.models.size].last

    def predict(self, picture: Picture, look: Look) -> Result:
        """Runs the network on one picture.

        Raises:
          UserError: If the picture is not of the camera's size.
        """
        image_rgb = picture.image_rgb
        size = (image_rgb.shape[0], image_rgb.shape[1])
        camera = self._camera.of(size)
        backend, predictor = self.models.backend, self.models.predictor
        start = time.perf_counter()
        fitted = predictor.prepare(image_rgb)
        prepared = time.perf_counter()
        raw = backend.run(fitted)
        inferred = time.perf_counter()
        prediction = predictor.restore(backend.decode(raw), image_size=size, camera=camera)
        times = FrameTimes(
            preprocess_ms=(prepared - start) * 1e3,
            inference_ms=(inferred - prepared) * 1e3,
            postprocess_ms=(time.perf_counter() - inferred) * 1e3,
        )
        self._latency[self.models.size].add(times)
        self.num_frames += 1
        if self.num_frames == 1:
            self._first_result_s = telemetry.process_age_s()
        return Result(
            number=self.num_frames,
            name=picture.name,
            time_s=time.monotonic(),
            captured_s=picture.time_s,
            image_rgb=image_rgb,
            prediction=prediction,
            camera=camera,
            valid_m=backend.contract.valid_depth_m,
            is_metric=backend.contract.is_metric,
            caption=self._caption(times),
            look=look,
            rule=self._rule,
        )

    def report(self, *, wall_s: float, num_failures: int, num_dropped: int) -> dict[str, Any]:
        """What `latency.json` holds.

        Args:
          wall_s: Time of the whole run.
          num_failures: Pictures that gave no result.
          num_dropped: Pictures that were too old to be predicted.
        """
        contract = self.models.backend.contract
        peak_bytes = telemetry.peak_memory_bytes()
        of_size = {size: latency.summary() for size, latency in self._latency.items()}
        summary = of_size[self.models.size]
        total_ms = summary.get("total_ms", {}).get("median", 0.0)
        return {
            "model": str(self.models.backend.path),
            "sha256": contract.sha256,
            "decoder": contract.decoder,
            "precision": contract.precision,
            "input_size": list(contract.input_size),
            "num_threads": self._num_threads,
            "num_frames": self.num_frames,
            "num_failures": num_failures,
            "num_dropped": num_dropped,
            "warm_up_runs": 1,
            **summary,
            "by_size": {size: each for size, each in of_size.items() if each},
            "frames_per_second": {
                # Without reading, drawing and writing; and as a user waits for it.
                "network_and_its_ends": round(1e3 / total_ms, 2) if total_ms else 0.0,
                "whole_loop": round(self.num_frames / wall_s, 2) if wall_s else 0.0,
            },
            "start_to_first_result_s": _rounded(self._first_result_s),
            "peak_memory_mib": None if peak_bytes is None else round(peak_bytes / 2**20, 1),
            "machine": platform.machine(),
            "python": platform.python_version(),
        }

    def _caption(self, times: FrameTimes) -> tuple[str, ...]:
        contract = self.models.backend.contract
        is_unscaled = contract.is_metric and not self._camera.is_known
        return (
            f"{contract.decoder} {contract.precision}",
            f"{times.total_ms:.1f} ms",
            f"{1e3 / times.total_ms:.0f} frames/s",
            f"{self._num_threads} thread{'s' * (self._num_threads > 1)}",
            "focal not given" if is_unscaled else "" if contract.is_metric else "relative depth",
        )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
