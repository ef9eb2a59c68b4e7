"""The cameras' and the laser scanner's rays, and the scanner's errors."""

import dataclasses

import numpy as np
import numpy.typing as npt

from data_prep.demo_world.raycast import Hits, RayFan, clipped_extremes
from data_prep.demo_world.shapes import Floats, Solids
from mtdepth.geometry.camera import Intrinsics

# Velodyne HDL-64E: 64 beams, 26.8 degrees, 120 m, 2 cm (data sheet).
NUM_BEAMS = 64
HIGHEST_BEAM_DEG, LOWEST_BEAM_DEG = 2.0, -24.8
LIDAR_REACH_M = 120.0
LIDAR_NOISE_M = 0.02
# ours: sweeps are cut to the cameras' side (their half view is 41 degrees) to save space.
LIDAR_HALF_VIEW_DEG = 60.0
_DROPOUT = 0.03  # ours: returns lost at random


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraRays(RayFan):
    """One ray per pixel centre, scaled so that t is camera z in metres."""

    camera: Intrinsics

    @staticmethod
    def of(camera: Intrinsics, T_world_from_camera: Floats) -> "CameraRays":
        """The rays of a camera at a pose (x right, y down, z forward)."""
        right, down, forward = T_world_from_camera[:3, :3].T
        u, v = np.arange(camera.width_px), np.arange(camera.height_px)
        return CameraRays(
            T_world_from_sensor=T_world_from_camera,
            columns=forward + ((u - camera.cx_px) / camera.fx_px)[:, None] * right,
            rows=((v - camera.cy_px) / camera.fy_px)[:, None] * down,
            camera=camera,
        )

    def windows(self, solids: Solids) -> tuple[npt.NDArray[np.int64], Floats]:
        """See `RayFan`."""
        points_m, counts = clipped_extremes(_in_sensor(self, solids), axis=2)
        z_m = np.where(counts, points_m[..., 2], 1.0)
        u = points_m[..., 0] / z_m * self.camera.fx_px + self.camera.cx_px
        v = points_m[..., 1] / z_m * self.camera.fy_px + self.camera.cy_px
        bounds = _bounds(u, v, counts, self.camera.width_px, self.camera.height_px)
        return bounds, np.min(np.where(counts, z_m, np.inf), axis=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LidarRays(RayFan):
    """One sweep at one instant; t is the horizontal part of the range.

    Args:
      azimuth_rad: `[width]`, falling: the scanner turns clockwise.
      slope: `[height]`, tangent of the beams' elevation, falling.
    """

    azimuth_rad: Floats
    slope: Floats

    @staticmethod
    def of(T_world_from_velodyne: Floats, *, azimuth_step_deg: float) -> "LidarRays":
        """The rays of a sweep at a pose (x forward, y left, z up)."""
        forward, leftward, upward = T_world_from_velodyne[:3, :3].T
        num_steps = int(LIDAR_HALF_VIEW_DEG / azimuth_step_deg)
        azimuth = np.radians(np.arange(num_steps, -num_steps - 1, -1) * azimuth_step_deg)
        slope = np.tan(np.radians(np.linspace(HIGHEST_BEAM_DEG, LOWEST_BEAM_DEG, NUM_BEAMS)))
        return LidarRays(
            T_world_from_sensor=T_world_from_velodyne,
            columns=np.cos(azimuth)[:, None] * forward + np.sin(azimuth)[:, None] * leftward,
            rows=slope[:, None] * upward,
            azimuth_rad=azimuth,
            slope=slope,
        )

    def windows(self, solids: Solids) -> tuple[npt.NDArray[np.int64], Floats]:
        """See `RayFan`."""
        points_m, counts = clipped_extremes(_in_sensor(self, solids), axis=0)
        x_m = np.where(counts, points_m[..., 0], 1.0)
        azimuth = np.arctan2(points_m[..., 1], x_m)
        column = np.interp(-azimuth, -self.azimuth_rad, np.arange(len(self.azimuth_rad)))
        # A wall beside the scanner is steepest between its corners, so the slope is bounded by
        # the corners' heights over the least distance any of them can have.
        least_m = np.min(np.where(counts, x_m, np.inf), axis=1, keepdims=True)
        z_m = points_m[..., 2]
        distance_m = np.where(
            (z_m > 0) == (np.arange(2)[:, None, None] == 0),
            np.broadcast_to(least_m, z_m.shape),
            np.hypot(x_m, points_m[..., 1]),
        )
        rows = np.interp(-z_m / distance_m, -self.slope, np.arange(len(self.slope)))
        # rows[0] takes each point as a top, rows[1] as a bottom.
        bounds = _bounds(
            np.concatenate([column, column], axis=1),
            np.concatenate(list(rows), axis=1),
            np.concatenate([counts, counts], axis=1),
            len(self.azimuth_rad),
            len(self.slope),
        )
        return bounds, least_m[:, 0]


def sweep(
    rays: LidarRays, hits: Hits, reflectance: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """The points of a sweep as the scanner reports them.

    Args:
      rays: Its rays.
      hits: What they met.
      reflectance: `[beams, steps]`, 0..1.
      rng: Draws noise and drop-outs.

    Returns:
      `[points, 4]`: x, y, z in the scanner's frame, metres, and reflectance.
    """
    horizontal_m = 1.0 / np.maximum(hits.inverse.astype(np.float64), 1e-6)
    stretch = np.sqrt(1.0 + rays.slope**2)[:, None]
    range_m = horizontal_m * stretch
    is_back = (range_m < LIDAR_REACH_M) & (rng.random(range_m.shape) > _DROPOUT)
    measured_m = (range_m + rng.normal(0.0, LIDAR_NOISE_M, range_m.shape)) / stretch
    points = np.stack(
        [
            measured_m * np.cos(rays.azimuth_rad),
            measured_m * np.sin(rays.azimuth_rad),
            measured_m * rays.slope[:, None],
            reflectance,
        ],
        axis=-1,
    )
    return points[is_back].astype(np.float32)


def _in_sensor(fan: RayFan, solids: Solids) -> Floats:
    """Corners `[n, 8, 3]` of the solids in the sensor's frame."""
    rotation = fan.T_world_from_sensor[:3, :3]
    # The mounts' published rotations have seven digits, so the inverse is not the transpose.
    return (solids.corners_m() - fan.origin_m) @ np.linalg.inv(rotation).T


def _bounds(
    columns: Floats, rows: Floats, counts: npt.NDArray[np.bool_], width: int, height: int
) -> npt.NDArray[np.int64]:
    bounds = []
    for values, end in ((rows, height), (columns, width)):
        first = np.min(np.where(counts, values, np.inf), axis=1)
        last = np.max(np.where(counts, values, -np.inf), axis=1)
        bounds += [np.clip(np.floor(first), 0, end), np.clip(np.ceil(last) + 1, 0, end)]
    return np.stack(bounds, axis=-1).astype(np.int64)
