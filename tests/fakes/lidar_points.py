"""LiDAR points and a teacher's answer at them, made up: what an audit sees, without pictures."""

import numpy as np
import numpy.typing as npt

from data_prep.audit.findings import LidarPoints

FOCAL_BASELINE_PX_M = 384.0


def lidar_points(
    lidar_m: npt.ArrayLike,
    predicted_m: npt.ArrayLike,
    *,
    frame: npt.ArrayLike = 0,
    row: npt.ArrayLike = 0.0,
    column: npt.ArrayLike = 0.0,
    train_id: npt.ArrayLike = 255,
    difference_px: npt.ArrayLike | None = None,
) -> LidarPoints:
    """Points of a rig whose disparity times depth is 384 px m; what is not given is one value."""
    shape = np.shape(lidar_m)

    def column_of(values: npt.ArrayLike, dtype: type) -> npt.NDArray[np.generic]:
        return np.broadcast_to(np.asarray(values, dtype), shape).copy()

    return LidarPoints(
        lidar_m=column_of(lidar_m, np.float32),
        predicted_m=column_of(predicted_m, np.float32),
        focal_baseline_px_m=column_of(FOCAL_BASELINE_PX_M, np.float32),
        row=column_of(row, np.float32),
        column=column_of(column, np.float32),
        train_id=column_of(train_id, np.uint8),
        difference_px=None if difference_px is None else column_of(difference_px, np.float32),
        frame=column_of(frame, np.int32),
    )
