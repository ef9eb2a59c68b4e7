"""One frame of a drive: both pictures, the sweep and the truth."""

import dataclasses
import math

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.demo_world.rig import DemoRig
from data_prep.demo_world.sensors import (
    camera_rays,
    is_returned,
    lidar_directions,
    lidar_rays,
    sweep,
)
from data_prep.demo_world.shading import (
    View,
    glass,
    reflectance,
    shade,
    sky_seen,
    sunlit,
    train_ids,
    view_of,
)
from data_prep.demo_world.shapes import Floats
from data_prep.demo_world.stage import Instant, Stage
from data_prep.demo_world.texture import Image
from mtdepth.geometry.camera import Intrinsics

# Truth beyond this is written as "not measured": uint16 metres * 256 end at 256 m.
MAX_DEPTH_M = 255.0
# Where the light of an edge pixel is sampled, pixels off its centre: a turned square.
_SUBPIXELS = np.array([(-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375)])
# Which parts of the sun's disc these samples ask for: a spiral over the unit disc.
_SUN_PARTS = np.array(
    [
        (np.sqrt((k + 0.5) / 16) * np.cos(2.4 * k), np.sqrt((k + 0.5) / 16) * np.sin(2.4 * k))
        for k in range(16)
    ]
)
_EDGE_NORMAL = 0.9  # cosine of the angle between neighbouring normals that counts as an edge
_GRID_COLUMNS = 256  # loose samples are laid out in rows of at least this many, for the painters
# ours: the lens' blur, pixels.
_BLUR_PX = 0.55
# ours, both so that the spread of pixel values is that of KITTI's frames: a fifth of their pixels
# are nearly black, a tenth nearly white.
_GAMMA = 1 / 1.3
_BLACK = 0.03
_MATT = 0.5  # ours: reflectance that the sweep reports, of the mean over the colours


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
    stage: Stage,
    rig: DemoRig,
    *,
    frame: int,
    azimuth_step_deg: float,
    rng: np.random.Generator,
) -> Frame:
    """Renders one frame; `rng` draws the sensors' noise alone."""
    instant, drive = stage.at(frame), stage.street.drive
    light, camera = stage.street.light, rig.camera
    poses = [drive.T_world_from_camera(rig, frame=frame, camera=number) for number in (2, 3)]
    left_view, left = _picture(instant, camera, poses[0])
    _, right = _picture(instant, camera, poses[1])
    return Frame(
        left=_exposed(left, light.noise, rng),
        right=_exposed(right * np.float32(light.right_gain), light.noise, rng),
        points=_points(
            instant, drive.T_world_from_velodyne(rig, frame=frame), azimuth_step_deg, rng
        ),
        depth_m=_depth_m(left_view),
        train_id=train_ids(left_view),
    )


def _depth_m(view: View) -> npt.NDArray[np.float32]:
    return np.where(view.hits.t < MAX_DEPTH_M, view.hits.t, 0.0).astype(np.float32)


def _picture(
    instant: Instant, camera: Intrinsics, T_world_from_camera: Floats
) -> tuple[View, Image]:
    """What the pixel centres see, and light `[height, width, 3]` from all of each pixel."""
    v, u = np.mgrid[: camera.height_px, : camera.width_px].astype(np.float64)
    rays = camera_rays(camera, T_world_from_camera, u=u, v=v)
    view = view_of(instant, rays, pixel_rad=1.0 / camera.focal_px)
    is_sunlit, sky_share = sunlit(view, sun_offset=np.zeros(2)), sky_seen(view)
    picture = shade(view, is_sunlit=is_sunlit, sky_share=sky_share)
    rows, columns = np.nonzero(_edges(view, is_sunlit))
    if len(rows):
        samples = _samples(instant, camera, T_world_from_camera, rows, columns, sky_share)
        picture[rows, columns] = samples.mean(axis=1)
    return view, picture


def _samples(
    instant: Instant,
    camera: Intrinsics,
    T_world_from_camera: Floats,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    sky_share: Image,
) -> Image:
    """Light `[n, 4, 3]` at four points of each of n pixels, each from another part of the sun."""
    count, per_pixel = len(rows), len(_SUBPIXELS)
    # Samples are laid out as a picture is, since OpenCV's images end at 32767 rows and columns.
    num_columns = max(_GRID_COLUMNS, math.isqrt(count * per_pixel))
    last_row = -(-count * per_pixel // num_columns) * num_columns
    number = np.arange(last_row).clip(max=count * per_pixel - 1).reshape(-1, num_columns)
    pixel, which = np.divmod(number, per_pixel)
    row, column = rows[pixel], columns[pixel]
    offset = _SUBPIXELS[which]
    rays = camera_rays(
        camera, T_world_from_camera, u=column + offset[..., 0], v=row + offset[..., 1]
    )
    view = view_of(instant, rays, pixel_rad=1.0 / camera.focal_px)
    part = _SUN_PARTS[which * 4 + row % 2 * 2 + column % 2]
    light = shade(view, is_sunlit=sunlit(view, sun_offset=part), sky_share=sky_share[row, column])
    return light.reshape(-1, 3)[: count * per_pixel].reshape(count, per_pixel, 3)


def _edges(view: View, is_sunlit: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels `[height, width]` beside another solid, face or shadow."""
    owner, normal = view.hits.owner, view.normal
    edges = np.zeros(owner.shape, np.bool_)
    for one, other in (
        (np.s_[1:], np.s_[:-1]),
        (np.s_[:, 1:], np.s_[:, :-1]),
    ):
        turn = np.einsum("...i,...i->...", normal[one], normal[other])
        differ = (owner[one] != owner[other]) | (is_sunlit[one] != is_sunlit[other])
        differ |= (turn < _EDGE_NORMAL) & (owner[one] != view.instant.sky)
        edges[one] |= differ
        edges[other] |= differ
    return edges


def _points(
    instant: Instant,
    T_world_from_velodyne: Floats,
    azimuth_step_deg: float,
    rng: np.random.Generator,
) -> npt.NDArray[np.float32]:
    """The sweep of the laser scanner."""
    directions = lidar_directions(azimuth_step_deg=azimuth_step_deg)
    rays = lidar_rays(directions, T_world_from_velodyne)
    view = view_of(instant, rays, pixel_rad=np.radians(azimuth_step_deg))
    gray = np.clip(reflectance(view).mean(axis=-1), 0.0, 1.0)
    is_back = is_returned(
        range_m=view.hits.t,
        reflectance=gray,
        cosine=np.abs(np.einsum("...i,...i->...", view.normal, rays.direction)),
        glass=glass(view),
        rng=rng,
    )
    return sweep(directions[is_back], view.hits.t[is_back], _MATT * gray[is_back], rng)


def _exposed(light: Image, noise: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Lens blur, tone curve, noise, eight bits."""
    blurred = cv2.GaussianBlur(light, (5, 5), _BLUR_PX)
    above_black = (blurred - np.float32(_BLACK)) / np.float32(1.0 - _BLACK)
    bright = cv2.pow(np.clip(above_black, 0.0, 1.0), _GAMMA)
    grain = rng.standard_normal(bright.shape, np.float32) * np.float32(noise)
    return np.rint(np.clip(bright + grain, 0.0, 1.0) * 255.0).astype(np.uint8)
