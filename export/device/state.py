"""What the page shows in numbers."""

from typing import Any

from export.device.obstacles import Obstacle, rule_in_words
from export.device.result import VIEWS, Result
from export.device.service import Service
from export.device.telemetry import Throttling
from mtdepth.runtime.colors import PALETTES


def state_of(service: Service, throttling: Throttling | None) -> dict[str, Any]:
    """The content of `/state.json`."""
    settings = service.controls.settings
    result = service.latest.peek()
    models = service.engine.models
    times = service.engine.last_times
    return {
        "source": service.source.name,
        "source_status": "ended" if service.is_done.is_set() else service.source.status,
        "recording": service.recording,
        "recordings": {each.name: each.status for each in service.recordings},
        "unrecorded": service.num_unrecorded,
        "paused": settings.is_paused,
        "frames": service.engine.num_frames,
        "dropped": service.num_dropped,
        "failures": len(service.failures),
        "fps": round(service.frames_per_second, 2),
        "ms": None if times is None else round(times.total_ms, 2),
        "inference_ms": None if times is None else round(times.inference_ms, 2),
        "temperature_c": service.temperature_c,
        "throttled": None if throttling is None else list(throttling.now),
        "throttled_since_boot": None if throttling is None else list(throttling.since_boot),
        "model": f"{models.backend.contract.decoder} {models.backend.contract.precision}",
        "size": models.size,
        "size_wish": settings.size or models.size,
        "sizes": list(service.controls.sizes),
        "palette": settings.look.palette,
        "palettes": list(PALETTES),
        "views": list(VIEWS if result is None else result.views),
        "threshold": settings.threshold_m,
        **_of_result(result, settings.threshold_m),
    }


def _of_result(result: Result | None, threshold: float) -> dict[str, Any]:
    if result is None:
        return {"unit": None, "obstacle": None, "obstacle_rule": None, "is_near": False}
    has_classes = result.prediction.train_id is not None
    nearest = min(
        (obstacle for obstacle in result.obstacles if obstacle.depth is not None),
        key=_depth,
        default=None,
    )
    return {
        "unit": result.unit,
        "obstacle": None if nearest is None else nearest.to_dict(),
        "obstacle_rule": rule_in_words(
            has_classes=has_classes, camera=result.camera, rule=result.rule
        ),
        "is_near": nearest is not None and _depth(nearest) < threshold,
    }


def _depth(obstacle: Obstacle) -> float:
    return float("inf") if obstacle.depth is None else obstacle.depth
