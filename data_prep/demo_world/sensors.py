"""The cameras' and the laser scanner's rays, and the scanner's errors."""

import numpy as np
import numpy.typing as npt

from data_prep.demo_world.raycast import Rays
from data_prep.demo_world.shapes import Floats
from mtdepth.geometry.camera import Intrinsics

# Velodyne HDL-64E S2, user's manual: 64 beams from +2 to -24.33 degrees, the upper half a third of
# a degree apart, the lower half a half; 120 m, 2 cm.
BEAMS_DEG = np.concatenate([2.0 - np.arange(32) / 3.0, -8.83 - np.arange(32) / 2.0])
LIDAR_REACH_M = 120.0
LIDAR_NOISE_M = 0.02
# At 10 Hz a beam fires every 0.09 degrees (Geiger et al. 2013, sec. II).
KITTI_AZIMUTH_STEP_DEG = 0.09
# ours: sweeps are cut to the cameras' side (their half view is 41 degrees) to save space.
LIDAR_HALF_VIEW_DEG = 60.0
_LOST = 0.01  # ours: returns lost at random
_LOST_IN_GLASS = 0.85  # ours: dirt, curtains and what lies behind it return the rest
# The weakest return: what reflects 10 % is seen to 50 m (the data sheet's figure for pavement).
_WEAKEST_RETURN = 0.1 / 50.0**2
_RETURN_SPREAD = 0.35  # ours: of the return's logarithm
# ours: rough surfaces return more at a grazing angle than Lambert's cosine; with its cube root
# asphalt is seen to about 50 m from 1.73 m above it, as on KITTI.
_GRAZING_POWER = 1.0 / 3.0


def camera_rays(camera: Intrinsics, T_world_from_camera: Floats, *, u: Floats, v: Floats) -> Rays:
    """Rays through points of the picture, scaled so that t is camera z in metres.

    Args:
      camera: Its intrinsics.
      T_world_from_camera: `[4, 4]`, camera axes x right, y down, z forward.
      u: `[...]`, columns; whole numbers are pixel centres.
      v: `[...]`, rows.
    """
    right, down, forward = T_world_from_camera[:3, :3].T
    x, y = (u - camera.cx_px) / camera.fx_px, (v - camera.cy_px) / camera.fy_px
    return Rays(
        origin_m=T_world_from_camera[:3, 3],
        direction=forward + x[..., None] * right + y[..., None] * down,
    )


def lidar_directions(*, azimuth_step_deg: float) -> Floats:
    """Unit vectors `[beams, steps, 3]` of one sweep, in the scanner's axes (x forward, z up)."""
    num_steps = int(LIDAR_HALF_VIEW_DEG / azimuth_step_deg)
    # Falling: the scanner turns clockwise.
    azimuth = np.radians(np.arange(num_steps, -num_steps - 1, -1) * azimuth_step_deg)[None, :]
    elevation = np.radians(BEAMS_DEG)[:, None]
    return np.stack(
        [
            np.cos(elevation) * np.cos(azimuth),
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation) * np.ones_like(azimuth),
        ],
        axis=-1,
    )


def lidar_rays(directions: Floats, T_world_from_velodyne: Floats) -> Rays:
    """The rays of one sweep at one instant; t is the range in metres."""
    return Rays(
        origin_m=T_world_from_velodyne[:3, 3],
        direction=directions @ T_world_from_velodyne[:3, :3].T,
    )


def is_returned(
    *,
    range_m: Floats,
    reflectance: Floats,
    cosine: Floats,
    glass: Floats,
    rng: np.random.Generator,
) -> npt.NDArray[np.bool_]:
    """Which shots `[...]` come back strongly enough to be seen.

    Args:
      range_m: Distance flown, infinite where nothing was met.
      reflectance: 0..1.
      cosine: Of the angle between the ray and the surface's normal, 0..1.
      glass: Share of the spot that is glass, 0..1.
      rng: Draws the losses.
    """
    weakening = np.exp(_RETURN_SPREAD * rng.standard_normal(range_m.shape))
    strength = reflectance * np.maximum(cosine, 0.0) ** _GRAZING_POWER * weakening
    return (
        (range_m < LIDAR_REACH_M)
        & (strength > _WEAKEST_RETURN * np.minimum(range_m, LIDAR_REACH_M) ** 2)
        & (rng.random(range_m.shape) > np.maximum(_LOST_IN_GLASS * glass, _LOST))
    )


def sweep(
    directions: Floats, range_m: Floats, reflectance: Floats, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """The points as the scanner reports them.

    Args:
      directions: `[n, 3]`, unit vectors in the scanner's axes.
      range_m: `[n]`.
      reflectance: `[n]`, 0..1.
      rng: Draws the range noise.

    Returns:
      `[n, 4]`: x, y, z in the scanner's frame, metres, and reflectance.
    """
    measured_m = range_m + rng.normal(0.0, LIDAR_NOISE_M, range_m.shape)
    points_m = directions * measured_m[:, None]
    return np.concatenate([points_m, reflectance[:, None]], axis=1).astype(np.float32)
