"""What the sensors see of a frame: pictures, sweep and truth."""

import dataclasses
import math

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.demo_world.cameras import DemoRig
from data_prep.demo_world.mesh import Rays
from data_prep.demo_world.scene import Instant, Scene
from data_prep.demo_world.shading import glass, reflectance, shade, sky_seen, sunlit
from data_prep.demo_world.solids import Floats, Pattern
from data_prep.demo_world.texture import Image
from data_prep.demo_world.variety import Variety
from data_prep.demo_world.view import View, train_ids, view_of
from mtdepth.geometry.camera import Intrinsics

# Velodyne HDL-64E S2, user's manual: 64 beams from +2 to -24.33 degrees, the upper half a third of
# a degree apart, the lower half a half; 120 m, 2 cm.
BEAMS_DEG = np.concatenate([2.0 - np.arange(32) / 3.0, -8.83 - np.arange(32) / 2.0])
LIDAR_REACH_M = 120.0
LIDAR_NOISE_M = 0.02
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


_BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)
_EXPOSURE_STEPS = 4
_MAX_GAIN = 4.0  # ours: a camera at dusk still shows that it is dusk


def exposed(light: Image, variety: Variety, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The picture `[height, width, 3]` uint8 of light `[height, width, 3]`.

    Args:
      light: What arrives, 1 is white before automatic exposure.
      variety: The camera's properties.
      rng: Draws the noise alone.
    """
    image = _lens(light, variety)
    balance = np.exp([variety.warmth / 2, variety.tint, -variety.warmth / 2]).astype(np.float32)
    image = image * balance
    if variety.level:
        image = image * np.float32(_gain(image[::2, ::2], variety))
    image = _toned(image, variety)
    if variety.saturation != 1.0:
        grey = (image @ _BRIGHTNESS)[..., None]
        image = np.clip(grey + (image - grey) * np.float32(variety.saturation), 0.0, 1.0)
    grain = rng.standard_normal(image.shape, np.float32) * np.float32(variety.noise)
    eight_bits = np.rint(np.clip(image + grain, 0.0, 1.0) * 255.0).astype(np.uint8)
    return _compressed(eight_bits, variety) if variety.jpeg_quality else eight_bits


def _lens(light: Image, variety: Variety) -> Image:
    """Blur of lens and motion, and the dark corners."""
    image = cv2.GaussianBlur(light, (5, 5), variety.blur_px)
    if variety.sharpening:
        softer = cv2.GaussianBlur(image, (5, 5), 1.0)
        image = np.maximum(image + np.float32(variety.sharpening) * (image - softer), 0.0)
    if variety.motion_px:
        # A line as long as the motion, its ends half covered.
        size, angle = 2 * int(np.ceil(variety.motion_px / 2)) + 1, np.radians(variety.motion_deg)
        kernel = np.zeros((size, size), np.float32)
        along = np.linspace(-0.5, 0.5, 8 * size) * variety.motion_px
        for x, y in zip(along * np.cos(angle), along * np.sin(angle), strict=True):
            kernel[round(size // 2 + y), round(size // 2 + x)] += 1.0
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    if variety.vignette:
        height, width = image.shape[:2]
        v, u = np.mgrid[:height, :width].astype(np.float32)
        reach = np.hypot(u / (width - 1) - 0.5, v / (height - 1) - 0.5) * np.float32(2**0.5)
        image = image * (1.0 - np.float32(variety.vignette) * reach[..., None] ** 2)
    return image


def _toned(image: Image, variety: Variety) -> Image:
    above_black = (image - np.float32(variety.black)) / np.float32(1.0 - variety.black)
    bright = cv2.pow(np.clip(above_black, 0.0, 1.0), variety.gamma)
    curved = bright * bright * (3.0 - 2.0 * bright)
    return bright + np.float32(variety.contrast) * (curved - bright)


def _gain(image: Image, variety: Variety) -> float:
    """Exposure that brings the toned picture's mean to the wanted level, within limits."""
    gain = 1.0
    for _ in range(_EXPOSURE_STEPS):
        mean = float(_toned(image * np.float32(gain), variety).mean())
        gain *= (variety.level / max(mean, 1e-3)) ** (1.0 / variety.gamma)
        gain = float(np.clip(gain, 1 / _MAX_GAIN, _MAX_GAIN))
    return gain


def _compressed(image: npt.NDArray[np.uint8], variety: Variety) -> npt.NDArray[np.uint8]:
    quality = [cv2.IMWRITE_JPEG_QUALITY, round(variety.jpeg_quality)]
    _, code = cv2.imencode(".jpg", image[..., ::-1], quality)
    decoded = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


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

    Attributes:
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
    scene: Scene,
    rig: DemoRig,
    *,
    frame: int,
    azimuth_step_deg: float,
    rng: np.random.Generator,
) -> Frame:
    """Renders one frame; `rng` draws the sensors' noise alone."""
    instant, drive = scene.at(frame), scene.street.drive
    camera, variety = rig.camera, scene.street.variety
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
    scene: Scene, *, frame: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Renders picture, depth and classes of a frame of the street's own camera.

    Returns:
      `[height, width, 3]` RGB, `[height, width]` metres (0 is sky or beyond `MAX_DEPTH_M`) and
      `[height, width]` train ids.
    """
    street = scene.street
    pose = street.drive.T_world_from_rectified[frame]
    view, light = _picture(scene.at(frame), street.mount.camera, pose, is_fine=False)
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
