"""One frame of a drive: both pictures, the sweep and the truth."""

import dataclasses
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.demo_world.light import ShadowMap, cast_shadows
from data_prep.demo_world.raycast import cast
from data_prep.demo_world.rig import DemoRig
from data_prep.demo_world.sensors import CameraRays, LidarRays, sweep
from data_prep.demo_world.shading import shade, surface_of, train_ids, with_ground_and_sky
from data_prep.demo_world.shapes import Floats, Solids
from data_prep.demo_world.street import Street
from data_prep.demo_world.texture import Image

# Truth beyond this is written as "not measured": uint16 metres * 256 end at 256 m.
MAX_DEPTH_M = 255.0
# Shadows are drawn this far around the car.
_SHADOW_BEHIND_M, _SHADOW_AHEAD_M, _SHADOW_ASIDE_M = 10.0, 130.0, 45.0
# ours: the lens' blur, pixels; hides that each pixel sees a single ray.
_BLUR_PX = 0.45
_GAMMA = 1 / 1.5  # ours: between linear light and a camera's 1 / 2.2; keeps shadows dark
_MATT = 0.25  # ours: reflectance of the sweep where a surface is of middle grey


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """What the sensors saw in one instant.

    Args:
      left: image_02, `[height, width, 3]` uint8 RGB.
      right: image_03.
      points: `[points, 4]` float32, velodyne frame.
      depth_m: `[height, width]` float32, camera z of image_02; 0 is sky or beyond
        `MAX_DEPTH_M`.
      train_id: `[height, width]` uint8.
    """

    left: npt.NDArray[np.uint8]
    right: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float32]
    depth_m: npt.NDArray[np.float32]
    train_id: npt.NDArray[np.uint8]


def render(
    street: Street,
    rig: DemoRig,
    *,
    frame: int,
    azimuth_step_deg: float,
    rng: np.random.Generator,
) -> Frame:
    """Renders one frame; `rng` draws the sensors' noise alone."""
    position_m = street.drive.T_world_from_rectified[frame, :3, 3]
    # One choice of what is near enough for all sensors, so that they agree.
    solids = Solids.join([street.standing, *street.moving(frame)]).near(position_m)
    shadows = _shadows(street, solids, position_m)
    left, depth_m, train_id = _picture(street, rig, solids, shadows, frame, "l", rng)
    right, _, _ = _picture(street, rig, solids, shadows, frame, "r", rng)
    rays = LidarRays.of(
        street.drive.T_world_from_velodyne(rig, frame=frame), azimuth_step_deg=azimuth_step_deg
    )
    hits = cast(rays, solids)
    brightness = with_ground_and_sky(solids).color.mean(axis=1)
    reflectance = np.clip(brightness[hits.index] * 2 * _MATT, 0.0, 1.0).astype(np.float32)
    return Frame(left, right, sweep(rays, hits, reflectance, rng), depth_m, train_id)


def _shadows(street: Street, solids: Solids, position_m: Floats) -> ShadowMap:
    x, y, _ = position_m
    return cast_shadows(
        solids,
        street.light.to_sun,
        x_range_m=(x - _SHADOW_BEHIND_M, x + _SHADOW_AHEAD_M),
        y_range_m=(y - _SHADOW_ASIDE_M, y + _SHADOW_ASIDE_M),
    )


def _picture(
    street: Street,
    rig: DemoRig,
    solids: Solids,
    shadows: ShadowMap,
    frame: int,
    side: Literal["l", "r"],
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Picture, depth and classes of one camera."""
    number = 2 if side == "l" else 3
    pose = street.drive.T_world_from_camera(rig, frame=frame, camera=number)
    rays = CameraRays.of(rig.camera, pose)
    hits = cast(rays, solids)
    everything = with_ground_and_sky(solids)
    pixel_rad = 1.0 / rig.camera.focal_px
    surface = surface_of(rays, hits, everything, street.light, pixel_rad=pixel_rad)
    light = shade(rays, surface, everything, street.road, street.light, shadows)
    depth_m = np.where(
        hits.inverse > 1.0 / MAX_DEPTH_M, 1.0 / np.maximum(hits.inverse, np.float32(1e-6)), 0.0
    )
    ids = train_ids(rays, hits, street.road, everything)
    return _exposed(light, street.light.noise, rng), depth_m.astype(np.float32), ids


def _exposed(light: Image, noise: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Lens blur, tone curve, noise, eight bits."""
    blurred = cv2.GaussianBlur(light, (3, 3), _BLUR_PX)
    bright = cv2.pow(np.clip(blurred, 0.0, 1.0), _GAMMA)
    grain = rng.standard_normal(bright.shape, np.float32) * np.float32(noise)
    return np.rint(np.clip(bright + grain, 0.0, 1.0) * 255.0).astype(np.uint8)
