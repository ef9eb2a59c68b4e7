"""The rig: KITTI's cameras scaled to the chosen size, its laser scanner and IMU mounts."""

import dataclasses

import numpy as np

from data_prep.demo_world.shapes import Floats
from mtdepth.geometry.camera import Intrinsics

# P_rect_02 of KITTI's 2011_09_26, at its 1242x375 pixels.
KITTI_CAMERA = Intrinsics(
    fx_px=721.5377, fy_px=721.5377, cx_px=609.5593, cy_px=172.8540, width_px=1242, height_px=375
)
# Fourth columns of P_rect_00..03 over fx: x of camera 0 as each camera sees it. Cameras 2 and 3
# are 0.5327 m apart. ours: the columns' small y and z parts are left out, so that corresponding
# points share a row exactly.
_SHIFT_M = (0.0, -387.5744 / 721.5377, 44.85728 / 721.5377, -339.5242 / 721.5377)

_R_RECT_00 = (
    (9.999239e-01, 9.837760e-03, -7.445048e-03),
    (-9.869795e-03, 9.999421e-01, -4.278459e-03),
    (7.402527e-03, 4.351614e-03, 9.999631e-01),
)
_R_VELODYNE_TO_CAMERA = (
    (7.533745e-03, -9.999714e-01, -6.166020e-04),
    (1.480249e-02, 7.280733e-04, -9.998902e-01),
    (9.998621e-01, 7.523790e-03, 1.480755e-02),
)
_T_VELODYNE_TO_CAMERA_M = (-4.069766e-03, -7.631618e-02, -2.717806e-01)
_R_IMU_TO_VELODYNE = (
    (9.999976e-01, 7.553071e-04, -2.035826e-03),
    (-7.854027e-04, 9.998898e-01, -1.482298e-02),
    (2.024406e-03, 1.482454e-02, 9.998881e-01),
)
_T_IMU_TO_VELODYNE_M = (-8.086759e-01, 3.195559e-01, -7.997231e-01)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DemoRig:
    """Cameras and mounts; frames as in `mtdepth.datasets.calibration`.

    Args:
      camera: Intrinsics of both rectified colour cameras.
      R_rect_00: `[3, 3]`.
      T_velodyne_to_camera_0: `[4, 4]`, before rectification.
      T_imu_to_velodyne: `[4, 4]`.
    """

    camera: Intrinsics
    R_rect_00: Floats
    T_velodyne_to_camera_0: Floats
    T_imu_to_velodyne: Floats

    @property
    def T_velodyne_to_rectified(self) -> Floats:
        """`[4, 4]`, velodyne to rectified camera 0."""
        return rigid(self.R_rect_00, (0.0, 0.0, 0.0)) @ self.T_velodyne_to_camera_0

    def T_camera_to_rectified(self, number: int) -> Floats:
        """`[4, 4]`, rectified camera 2 or 3 to rectified camera 0."""
        return rigid(np.eye(3), (-_SHIFT_M[number], 0.0, 0.0))

    @property
    def baseline_m(self) -> float:
        """Distance between the colour cameras."""
        return _SHIFT_M[2] - _SHIFT_M[3]


def demo_rig(*, height_px: int, width_px: int) -> DemoRig:
    """KITTI's rig with pictures of another size."""
    return DemoRig(
        camera=KITTI_CAMERA.resized(width_px=width_px, height_px=height_px),
        R_rect_00=np.array(_R_RECT_00),
        T_velodyne_to_camera_0=rigid(np.array(_R_VELODYNE_TO_CAMERA), _T_VELODYNE_TO_CAMERA_M),
        T_imu_to_velodyne=rigid(np.array(_R_IMU_TO_VELODYNE), _T_IMU_TO_VELODYNE_M),
    )


def rigid(rotation: Floats, translation_m: tuple[float, float, float]) -> Floats:
    """The 4x4 of a 3x3 rotation and a translation."""
    transform = np.eye(4)
    transform[:3, :3] = rotation
    transform[:3, 3] = translation_m
    return transform


def calibration_texts(rig: DemoRig) -> dict[str, str]:
    """KITTI's three calibration files by name.

    The pictures have no distortion: `K_0i` is the rectified camera's, `D_0i` zero, and all four
    cameras are parallel, turned from the rectified frame by `R_rect_00` alone.
    """
    camera = rig.camera
    lines = ["calib_time: 01-Jan-2011 00:00:00", _line("corner_dist", np.array([9.95e-02]))]
    for number, shift_m in enumerate(_SHIFT_M):
        size = np.array([camera.width_px, camera.height_px])
        P_rect = camera.K @ np.column_stack([np.eye(3), [shift_m, 0.0, 0.0]])
        lines += [
            _line(f"S_0{number}", size),
            _line(f"K_0{number}", camera.K),
            _line(f"D_0{number}", np.zeros(5)),
            _line(f"R_0{number}", np.eye(3)),
            _line(f"T_0{number}", rig.R_rect_00.T @ [shift_m, 0.0, 0.0]),
            _line(f"S_rect_0{number}", size),
            _line(f"R_rect_0{number}", rig.R_rect_00),
            _line(f"P_rect_0{number}", P_rect),
        ]
    return {
        "calib_cam_to_cam.txt": "\n".join(lines) + "\n",
        "calib_velo_to_cam.txt": _rigid_text(rig.T_velodyne_to_camera_0)
        + _line("delta_f", np.zeros(2))
        + "\n"
        + _line("delta_c", np.zeros(2))
        + "\n",
        "calib_imu_to_velo.txt": _rigid_text(rig.T_imu_to_velodyne),
    }


def _rigid_text(transform: Floats) -> str:
    lines = [
        "calib_time: 01-Jan-2011 00:00:00",
        _line("R", transform[:3, :3]),
        _line("T", transform[:3, 3]),
    ]
    return "\n".join(lines) + "\n"


def _line(key: str, values: Floats) -> str:
    # Twelve digits where KITTI writes six: reading them back gives the cameras that were used.
    return f"{key}: " + " ".join(f"{value:.12e}" for value in np.ravel(values))
