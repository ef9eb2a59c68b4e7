"""A stereo rig with lenses that bend, its files as other programs write them, and its pictures.

Pictures are cast ray by ray from planes, so that every point of them is known.
"""

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.lens import Lens

_SAMPLES = 2  # a side of each pixel


def lens_of(fx_px: float, cx_px: float, cy_px: float, distortion: Sequence[float]) -> Lens:
    """A lens of pictures of 320x240."""
    camera = Intrinsics(
        fx_px=fx_px, fy_px=fx_px * 0.99, cx_px=cx_px, cy_px=cy_px, width_px=320, height_px=240
    )
    return Lens(camera=camera, distortion=tuple(distortion))


_LEFT = lens_of(280.0, 164.0, 117.0, (-0.28, 0.09, 0.001, -0.0005, -0.01))
_RIGHT = lens_of(286.0, 155.0, 122.0, (-0.26, 0.07, -0.0008, 0.0007, 0.0))


@dataclasses.dataclass(frozen=True, eq=False)
class FakeRig:
    """Two cameras: 0.12 m apart, the right one turned and lifted a little."""

    left: Lens = _LEFT
    right: Lens = _RIGHT

    @cached_property
    def T_left_to_right(self) -> np.ndarray:
        """`[4, 4]`, metres."""
        way = np.eye(4)
        way[:3, :3] = cv2.Rodrigues(np.array([0.02, -0.03, 0.015]))[0]
        way[:3, 3] = [-0.12, 0.004, 0.003]
        return way

    @property
    def baseline_m(self) -> float:
        """The distance of the two."""
        return float(np.linalg.norm(self.T_left_to_right[:3, 3]))


@dataclasses.dataclass(frozen=True, eq=False)
class Plane:
    """A textured plane: `T` takes its points (x right, y down, 0) to the left camera's frame."""

    T: np.ndarray
    texture: np.ndarray
    metres_per_pixel: float


def board_plane(
    T_board_to_camera: np.ndarray, *, columns: int, rows: int, square_m: float
) -> Plane:
    """A chessboard with so many inner corners, of which the first is the origin."""
    per_square = 40
    squares = np.indices((rows + 1, columns + 1)).sum(axis=0) % 2
    painted = np.kron(squares, np.ones((per_square, per_square))) * 215 + 20
    sheet = np.full(np.array(painted.shape) + 2 * per_square, 235.0)
    sheet[per_square:-per_square, per_square:-per_square] = painted
    # The first inner corner lies two squares from the sheet's edge.
    shift = np.eye(4)
    shift[:2, 3] = -2 * square_m
    return Plane(T_board_to_camera @ shift, sheet, square_m / per_square)


def wall_planes(seed: int = 0) -> list[Plane]:
    """Textured walls in front of each other, from 1.2 to 4 m."""
    rng = np.random.default_rng(seed)
    planes = []
    for x_m, y_m, z_m, side_m in (
        (-3.5, -3, 4.0, 7.0),
        (-0.9, -0.7, 2.0, 0.9),
        (0.2, -0.2, 1.2, 0.7),
    ):
        place = np.eye(4)
        place[:3, 3] = x_m, y_m, z_m
        texture = np.zeros((256, 256))
        for cells in (8, 24, 64, 128):
            noise = rng.uniform(0, 255, (cells, cells)).astype(np.float32)
            texture += cv2.resize(noise, (256, 256), interpolation=cv2.INTER_CUBIC) / 4
        planes.append(Plane(place, np.clip(texture, 0, 255), side_m / 256))
    return planes


class Painter:
    """Draws planes as one lens sees them.

    Args:
      lens: The lens.
      T_left_to_camera: From the frame that planes are placed in.
    """

    def __init__(self, lens: Lens, T_left_to_camera: np.ndarray | None = None) -> None:
        self.size = (lens.camera.height_px, lens.camera.width_px)
        self.T = np.eye(4) if T_left_to_camera is None else T_left_to_camera
        offsets = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
        v = (np.arange(self.size[0])[:, None] + offsets).ravel()
        u = (np.arange(self.size[1])[:, None] + offsets).ravel()
        grid = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
        rays = lens.rays_of(grid)
        self._rays = np.column_stack([rays, np.ones(len(rays))])

    def picture(self, planes: Sequence[Plane]) -> np.ndarray:
        """`[height, width, 3]` uint8."""
        nearest_m = np.full(len(self._rays), np.inf)
        shade = np.full(len(self._rays), 90.0)
        for plane in planes:
            T_plane = self.T @ plane.T
            # The ray in the plane's frame meets its third axis's zero.
            start = -T_plane[:3, :3].T @ T_plane[:3, 3]
            rays = self._rays @ T_plane[:3, :3]
            with np.errstate(divide="ignore", invalid="ignore"):
                depth_m = -start[2] / rays[:, 2]
                at = (start[:2] + depth_m[:, None] * rays[:, :2]) / plane.metres_per_pixel - 0.5
            height, width = plane.texture.shape
            is_hit = (depth_m > 0) & (depth_m < nearest_m)
            is_hit &= (at > -0.5).all(axis=1) & (at < [width - 0.5, height - 0.5]).all(axis=1)
            shade[is_hit] = map_coordinates(
                plane.texture, at[is_hit].T[::-1], order=1, mode="nearest"
            )
            nearest_m[is_hit] = depth_m[is_hit]
        fine = shade.reshape(self.size[0], _SAMPLES, self.size[1], _SAMPLES)
        grey = np.rint(fine.mean(axis=(1, 3))).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)


def write_opencv(path: Path, values: dict[str, object]) -> Path:
    """A file of `cv2.FileStorage`."""
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for key, value in values.items():
        storage.write(key, value)
    storage.release()
    return path


def stereo_values(rig: FakeRig) -> dict[str, object]:
    """What `cv2.stereoCalibrate` gives of a rig."""
    return {
        "image_width": 320,
        "image_height": 240,
        "K1": rig.left.camera.K,
        "D1": np.array([rig.left.distortion]),
        "K2": rig.right.camera.K,
        "D2": np.array([rig.right.distortion]),
        "R": rig.T_left_to_right[:3, :3],
        "T": rig.T_left_to_right[:3, 3:],
    }


def rectified_values(rig: FakeRig) -> dict[str, np.ndarray]:
    """What `cv2.stereoRectify` gives of a rig."""
    values = stereo_values(rig)
    given = [values[key] for key in ("K1", "D1", "K2", "D2")]
    found = cv2.stereoRectify(*given, (320, 240), values["R"], values["T"], alpha=0)
    return dict(zip(("R1", "R2", "P1", "P2", "Q"), found[:5], strict=True))


def ros_text(
    lens: Lens, R_rect: np.ndarray, P_rect: np.ndarray, *, model: str = "plumb_bob"
) -> str:
    """A camera_info file as ROS's camera_calibration writes it."""

    def matrix(name: str, values: np.ndarray) -> str:
        numbers = ", ".join(repr(float(value)) for value in np.ravel(values))
        rows, cols = np.atleast_2d(values).shape
        return f"{name}:\n  rows: {rows}\n  cols: {cols}\n  data: [{numbers}]\n"

    return (
        f"image_width: {lens.camera.width_px}\nimage_height: {lens.camera.height_px}\n"
        "camera_name: narrow_stereo\n"
        + matrix("camera_matrix", lens.camera.K)
        + f"distortion_model: {model}\n"
        + matrix("distortion_coefficients", np.array(lens.distortion))
        + matrix("rectification_matrix", R_rect)
        + matrix("projection_matrix", P_rect)
    )


def kalibr_text(rig: FakeRig) -> str:
    """A camchain as Kalibr writes it; its radtan has four numbers."""
    blocks = []
    for name, lens in (("cam0", rig.left), ("cam1", rig.right)):
        camera = lens.camera
        way = "".join(f"  - {row.tolist()}\n" for row in rig.T_left_to_right)
        blocks.append(
            f"{name}:\n"
            + (f"  T_cn_cnm1:\n{way}" if name == "cam1" else "")
            + "  cam_overlaps: [1]\n  camera_model: pinhole\n"
            + f"  distortion_coeffs: {list(lens.distortion[:4])}\n  distortion_model: radtan\n"
            + f"  intrinsics: [{camera.fx_px}, {camera.fy_px}, {camera.cx_px}, {camera.cy_px}]\n"
            + f"  resolution: [{camera.width_px}, {camera.height_px}]\n"
        )
    return "".join(blocks)
