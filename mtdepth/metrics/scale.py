"""One factor from relative depth to metres, out of the factors that single frames give."""

from collections.abc import Sequence
from typing import Any

import numpy as np

MIN_FRAMES = 5


def scale_summary(factors: Sequence[float], *, source: str) -> dict[str, Any]:
    """What `scale.json` says of the factors of single frames: their median, and their spread.

    Raises:
      ValueError: If there are too few.
    """
    if len(factors) < MIN_FRAMES:
        raise ValueError(
            f"only {len(factors)} frames gave a factor, at least {MIN_FRAMES} are needed: "
            "for --camera_height_m the lower middle of the picture must show flat ground; for "
            "--speed the frames need GPS/IMU packets or poses, and the vehicle must move"
        )
    low, median, high = np.quantile(factors, [0.16, 0.5, 0.84])
    return {
        "scale": float(median),
        "source": source,
        # As a standard deviation would be for a normal distribution.
        "spread": float((high - low) / 2 / median),
        "num_frames": len(factors),
    }
