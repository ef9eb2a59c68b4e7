"""One frame of a drive: both pictures, the sweep and the truth."""

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from data_prep.demo_world.camera_look import exposed
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
from data_prep.demo_world.shapes import Floats, Pattern
from data_prep.demo_world.stage import Instant, Stage
from data_prep.demo_world.texture import Image
from mtdepth.geometry.camera import Intrinsics

# Truth beyond this is written as "not measured": uint16 metres * 256 end at 256 m.
MAX_DEPTH_M = 255.0
# Where the light of an edge pixel is sampled, pixels off its centre: a turned square.
_SUBPIXELS = np.array([(-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375)])
# For training two points and the centre do: no second eye has to see the same.
_FEW_SUBPIXELS = np.array([(-0.32, -0.14), (0.32, 0.14)])
# Which parts of the sun's disc these samples ask for: a spiral over the unit disc.
_SUN_PARTS = np.array(
    [
        (np.sqrt((k + 0.5) / 16) * np.cos(2.4 * k), np.sqrt((k + 0.5) / 16) * np.sin(2.4 * k))
        for k in range(16)
    ]
)
_EDGE_NORMAL = 0.9  # cosine of the angle between neighbouring normals that counts as an edge
_GRID_COLUMNS = 256  # loose samples are laid out in rows of at least this many, for the painters
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
    camera, variety = rig.camera, stage.street.variety
    poses = [drive.T_world_from_camera(rig, frame=frame, camera=number) for number in (2, 3)]
    left_view, left = _picture(instant, camera, poses[0], is_fine=True)
    _, right = _picture(instant, camera, poses[1], is_fine=True)
    return Frame(
        left=exposed(left, variety, rng),
        right=exposed(right * np.float32(variety.right_gain), variety, rng),
        points=_points(
            instant, drive.T_world_from_velodyne(rig, frame=frame), azimuth_step_deg, rng
        ),
        depth_m=_depth_m(left_view),
        train_id=train_ids(left_view),
    )


def render_single(
    stage: Stage, *, frame: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Renders picture, depth and classes of a frame of the street's own camera.

    Returns:
      `[height, width, 3]` RGB, `[height, width]` metres (0 is sky or beyond `MAX_DEPTH_M`) and
      `[height, width]` train ids.
    """
    street = stage.street
    pose = street.drive.T_world_from_rectified[frame]
    view, light = _picture(stage.at(frame), street.mount.camera, pose, is_fine=False)
    return exposed(light, street.variety, rng), _depth_m(view), train_ids(view)


def _depth_m(view: View) -> npt.NDArray[np.float32]:
    return np.where(view.hits.t < MAX_DEPTH_M, view.hits.t, 0.0).astype(np.float32)


def _picture(
    instant: Instant, camera: Intrinsics, T_world_from_camera: Floats, *, is_fine: bool
) -> tuple[View, Image]:
    """What the pixel centres see, and light `[height, width, 3]` from all of each pixel.

    Fine pictures of a pair can be matched; others are rendered in half the time.
    """
    v, u = np.mgrid[: camera.height_px, : camera.width_px].astype(np.float64)
    rays = camera_rays(camera, T_world_from_camera, u=u, v=v)
    view = view_of(instant, rays, pixel_rad=1.0 / camera.focal_px)
    is_sunlit, sky_share = (
        sunlit(view, sun_offset=np.zeros(2)),
        sky_seen(view, num_rays=2 if is_fine else 1),
    )
    picture = shade(view, is_sunlit=is_sunlit, sky_share=sky_share)
    rows, columns = np.nonzero(_edges(view, is_sunlit, of_leaves=is_fine))
    if len(rows):
        at = _SUBPIXELS if is_fine else _FEW_SUBPIXELS
        samples = _samples(instant, camera, T_world_from_camera, (rows, columns), sky_share, at)
        if not is_fine:
            samples = np.concatenate([samples, picture[rows, columns][:, None]], axis=1)
        picture[rows, columns] = samples.mean(axis=1)
    return view, picture


def _samples(
    instant: Instant,
    camera: Intrinsics,
    T_world_from_camera: Floats,
    pixels: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
    sky_share: Image,
    subpixels: Floats,
) -> Image:
    """Light `[n, subpixels, 3]` at points of n pixels, each from another part of the sun."""
    rows, columns = pixels
    count, per_pixel = len(rows), len(subpixels)
    # Samples are laid out as a picture is, since OpenCV's images end at 32767 rows and columns.
    num_columns = max(_GRID_COLUMNS, math.isqrt(count * per_pixel))
    last_row = -(-count * per_pixel // num_columns) * num_columns
    number = np.arange(last_row).clip(max=count * per_pixel - 1).reshape(-1, num_columns)
    pixel, which = np.divmod(number, per_pixel)
    row, column = rows[pixel], columns[pixel]
    offset = subpixels[which]
    rays = camera_rays(
        camera, T_world_from_camera, u=column + offset[..., 0], v=row + offset[..., 1]
    )
    view = view_of(instant, rays, pixel_rad=1.0 / camera.focal_px)
    part = _SUN_PARTS[(which * 4 + row % 4 * 2 + column % 2) % 16]
    light = shade(view, is_sunlit=sunlit(view, sun_offset=part), sky_share=sky_share[row, column])
    return light.reshape(-1, 3)[: count * per_pixel].reshape(count, per_pixel, 3)


def _edges(
    view: View, is_sunlit: npt.NDArray[np.bool_], *, of_leaves: bool
) -> npt.NDArray[np.bool_]:
    """Pixels `[height, width]` beside another solid, face or shadow; a crown's leaves are faces."""
    owner, normal = view.hits.owner, view.normal
    edges = np.zeros(owner.shape, np.bool_)
    is_plain = owner == view.instant.sky
    if not of_leaves:
        is_plain |= view.instant.solids.pattern[owner] == Pattern.FOLIAGE
    for one, other in (
        (np.s_[1:], np.s_[:-1]),
        (np.s_[:, 1:], np.s_[:, :-1]),
    ):
        turn = np.einsum("...i,...i->...", normal[one], normal[other])
        differ = (owner[one] != owner[other]) | (is_sunlit[one] != is_sunlit[other])
        differ |= (turn < _EDGE_NORMAL) & ~is_plain[one]
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
