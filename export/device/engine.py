"""From one picture to one result, timed: median and 90th percentile of each stage."""

import platform
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from export.device import telemetry
from export.device.camera_model import CameraModel
from export.device.models import SizedModels
from export.device.result import Result
from export.device.sources import Picture
from mtdepth.runtime.obstacles import Rule
from mtdepth.runtime.seen import Look

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


def summary(frames: Iterable[FrameTimes]) -> dict[str, dict[str, float]]:
    """Median and 90th percentile of each stage and of their sum, `{}` without a frame."""
    rows = [{**asdict(times), "total_ms": times.total_ms} for times in frames]
    return {
        name: {
            "median": round(float(np.median([row[name] for row in rows])), 3),
            "p90": round(float(np.quantile([row[name] for row in rows], 0.9)), 3),
        }
        for name in (rows[0] if rows else ())
    }


class Engine:
    """Models at work on a camera's pictures. To be used by one thread; `report` by any.

    The network that is selected is run once at once; `num_threads` is for the report.
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
        self._times: dict[str, deque[FrameTimes]] = {
            size: deque(maxlen=_NUM_KEPT) for size in models.sizes
        }
        self.num_frames = 0
        self._first_result_s: float | None = None
        models.select(models.size)

    @property
    def last_times(self) -> FrameTimes | None:
        """Of the last frame of the size that runs."""
        times = self._times[self.models.size]
        return times[-1] if times else None

    def predict(self, picture: Picture, look: Look) -> Result:
        """Runs the network on one picture.

        Raises:
          UserError: If the picture is not of the camera's size.
        """
        backend, predictor = self.models.backend, self.models.predictor
        start = time.perf_counter()
        image_rgb = self._camera.straightened(picture.image_rgb)
        size = (image_rgb.shape[0], image_rgb.shape[1])
        camera = self._camera.of(size)
        fitted = predictor.prepare(image_rgb)
        prepared = time.perf_counter()
        raw = backend.run(fitted)
        inferred = time.perf_counter()
        prediction = predictor.restore(backend.decode(raw), image_size=size, camera=camera)
        now_s = time.monotonic()
        times = FrameTimes(
            preprocess_ms=(prepared - start) * 1e3,
            inference_ms=(inferred - prepared) * 1e3,
            postprocess_ms=(time.perf_counter() - inferred) * 1e3,
        )
        self._times[self.models.size].append(times)
        self.num_frames += 1
        if self.num_frames == 1:
            self._first_result_s = telemetry.process_age_s()
        return Result(
            number=self.num_frames,
            name=picture.name,
            time_s=now_s,
            captured_s=picture.time_s,
            image_rgb=image_rgb,
            prediction=prediction,
            camera=camera,
            valid_m=backend.contract.valid_depth_m,
            is_metric=backend.contract.is_metric,
            caption=self._caption(times, age_s=now_s - picture.time_s),
            look=look,
            rule=self._rule,
        )

    def report(self, *, wall_s: float, num_failures: int, num_dropped: int) -> dict[str, Any]:
        """What `latency.json` holds of a run that took `wall_s`.

        `num_failures` pictures gave no result, `num_dropped` were too old to be predicted.
        """
        contract = self.models.backend.contract
        peak_bytes = telemetry.peak_memory_bytes()
        # Copies: another thread may add to them meanwhile.
        of_size = {size: summary(list(times)) for size, times in self._times.items()}
        present = of_size[self.models.size]
        total_ms = present.get("total_ms", {}).get("median", 0.0)
        start_s = self._first_result_s
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
            **present,
            "by_size": {size: each for size, each in of_size.items() if each},
            "frames_per_second": {
                # Without reading, drawing and writing; and as a user waits for it.
                "network_and_its_ends": round(1e3 / total_ms, 2) if total_ms else 0.0,
                "whole_loop": round(self.num_frames / wall_s, 2) if wall_s else 0.0,
            },
            "start_to_first_result_s": None if start_s is None else round(start_s, 2),
            "peak_memory_mib": None if peak_bytes is None else round(peak_bytes / 2**20, 1),
            "machine": platform.machine(),
            "python": platform.python_version(),
        }

    def _caption(self, times: FrameTimes, *, age_s: float) -> tuple[str, ...]:
        contract = self.models.backend.contract
        is_unscaled = contract.is_metric and not self._camera.is_known
        return (
            f"{contract.decoder} {contract.precision}",
            f"{times.total_ms:.1f} ms",
            f"{1e3 / times.total_ms:.0f} frames/s",
            f"{age_s:.2f} s old",
            f"{self._num_threads} thread{'s' * (self._num_threads > 1)}",
            "focal not given" if is_unscaled else "" if contract.is_metric else "relative depth",
        )
