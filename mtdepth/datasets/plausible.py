"""What no lens, rig, scanner or depth label can be: bounds with their reasons, and likely causes.

Each function says in words what is wrong, and nothing ("") where the numbers could be true. Whoever
reads a file or takes a flag refuses with these words, so that doctor and readers agree.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.files import UserError
from mtdepth.geometry.camera import Intrinsics

Floats = npt.NDArray[np.floating[Any]]

# ours: of the width. 0.2 is a view of 136 degrees, beyond every lens that draws straight lines
# straight; 5 is one of 11 degrees, a telephoto of 180 mm on a full frame. Millimetres, degrees and
# a normalised K are smaller, micrometres and the numbers of much larger pictures are larger.
FOCAL_PER_WIDTH = (0.2, 5.0)
# ours: HDV's pixels are 1.33 times as wide as high; a number of another kind is further off.
_MAX_FOCAL_RATIO = 1.5
# ours: part of the width and height; cut dashboards and skies keep it, a swapped or missing number
# does not.
_PRINCIPAL_POINT = (0.1, 0.9)
# ours: from an endoscope's 4 mm to the bar on a lorry's roof; centimetres and millimetres are more.
_BASELINE_M = (0.003, 2.0)
# ours: KITTI writes seven digits, other calibrations at least four; scale and shear are more.
_MAX_ROTATION_ERROR = 1e-3
_MAX_SHIFT_M = 5.0  # ours: between two sensors of one vehicle
# ours: road scanners see some 120 to 250 m, the longest of robots 450 m; millimetres, or other
# bytes read as floats, give more.
_MAX_RANGE_M = 1000.0
_FAR_M, _MAX_FAR_SHARE = 300.0, 0.01
_MEDIAN_RANGE_M = (0.5, 100.0)
# ours: no scanner's reflectance is negative (KITTI 0..1, others to 255 or 65535); read in steps of
# four, three or five columns put x, y and z there, of which a quarter to a half are.
_MAX_NEGATIVE_SHARE = 0.05
# ours: points on an axis, two of their numbers exactly 0, are chance. Padding of eight columns, as
# of PCL's points in memory (x y z 1, intensity 0 0 0), makes half of all such.
_MAX_ON_AXIS_SHARE = 0.25
# ours: scanners on roofs look from about 45 degrees down to 45 up; other axes give all angles.
_MAX_ELEVATION_RAD = np.deg2rad(55.0)
_MAX_STEEP_SHARE = 0.2
# ours: what lies at a label file's ceiling is no label, so of another unit the rest is left: whole
# metres or pixels read as 256ths lie below, disparities of too small a unit hardly reach above.
_MEDIAN_DEPTH_M = (0.1, 200.0)


def focal_problem(focal_px: float, *, width_px: int) -> str:
    """Why no lens has this focal length in pixels, for pictures so wide."""
    low, high = (round(limit * width_px) for limit in FOCAL_PER_WIDTH)
    if low <= focal_px <= high:
        return ""
    cause = "is it of larger pictures, or in micrometres?" if focal_px > high else "a wrong number"
    if 0 < focal_px < low:
        cause = "millimetres (pixels are millimetres * width / the sensor's width), or degrees?"
        if focal_px < FOCAL_PER_WIDTH[1]:
            cause = f"normalised (then it is {focal_px * width_px:.4g} px), or millimetres?"
    return (
        f"a focal length of {focal_px:.4g} px is no lens's for pictures {width_px} px wide, from "
        f"{low} to {high} px: {cause}"
    )


def check_focal(focal_px: float, *, width_px: int, source: str = "--focal_px") -> None:
    """Refuses a focal length that no lens has.

    Args:
      focal_px: In pixels of the pictures.
      width_px: Of the pictures.
      source: Where the number comes from, for the message.

    Raises:
      UserError: With the likely cause.
    """
    if why := focal_problem(focal_px, width_px=width_px):
        raise UserError(f"{source}: {why}")


def camera_problem(camera: Intrinsics, *, is_stretched: bool = False) -> str:
    """Why no camera has these intrinsics.

    Args:
      camera: At the size of its calibration, or of a network's input.
      is_stretched: Whether pictures were brought to that size whatever their aspect ratio, after
        which pixels need not be square.
    """
    if why := focal_problem(camera.fx_px, width_px=camera.width_px):
        return why
    ratio = 1.0 if is_stretched else camera.fx_px / camera.fy_px
    if not 1 / _MAX_FOCAL_RATIO <= ratio <= _MAX_FOCAL_RATIO:
        return (
            f"fx of {camera.fx_px:.4g} px but fy of {camera.fy_px:.4g} px: pixels are nearly square"
        )
    u, v = camera.cx_px / camera.width_px, camera.cy_px / camera.height_px
    low, high = _PRINCIPAL_POINT
    if low <= u <= high and low <= v <= high:
        return ""
    return (
        f"a principal point of ({camera.cx_px:.4g}, {camera.cy_px:.4g}) px in pictures of "
        f"{camera.width_px}x{camera.height_px} (width x height), it lies near their middle: "
        "normalised, exchanged, or of pictures of another size?"
    )


def baseline_problem(baseline_m: float) -> str:
    """Why no two cameras of one rig lie so many metres apart."""
    low, high = _BASELINE_M
    if low <= baseline_m <= high:
        return ""
    unit = "" if baseline_m < low else ": centimetres?" if baseline_m < 20 else ": millimetres?"
    if 20 <= baseline_m <= 100 * high:
        unit = ": centimetres, or millimetres?"
    if baseline_m <= 0:
        unit = "; the right camera lies to the right: are the two exchanged?"
    return f"a baseline of {baseline_m:.4g} m, a rig's is from {low} to {high:g} m{unit}"


def rotation_problem(rotation: npt.NDArray[np.float64]) -> str:
    """Why `[3, 3]` is no rotation."""
    deviation = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if not deviation <= _MAX_ROTATION_ERROR:
        return f"no rotation: R R' differs from 1 by {deviation:.2g}"
    return "no rotation but a mirror: its determinant is -1" if np.linalg.det(rotation) < 0 else ""


def transform_problem(transform: npt.NDArray[np.float64]) -> str:
    """Why `[4, 4]` does not take points of one sensor of a rig to another, in metres."""
    if not np.array_equal(transform[3], [0.0, 0.0, 0.0, 1.0]):
        return "its last row must be 0 0 0 1"
    if why := rotation_problem(transform[:3, :3]):
        return why
    shift_m = float(np.linalg.norm(transform[:3, 3]))
    if shift_m <= _MAX_SHIFT_M:
        return ""
    return f"a shift of {shift_m:.4g} m, at most {_MAX_SHIFT_M:g} m on one rig: millimetres?"


def sweep_problem(points: Floats, *, z_is_up: bool = False) -> str:
    """Why `[points, 4]` (x, y, z in metres, reflectance) are no echoes of a scanner.

    Args:
      points: Finite.
      z_is_up: Whether the third axis is known to point up, as KITTI's does.
    """
    if not len(points):
        return "all points are NaN, infinite or 0 0 0"
    xyz_m = points[:, :3].astype(np.float64)
    range_m = np.linalg.norm(xyz_m, axis=1)
    median_m = float(np.median(range_m))
    steep_share = np.mean(np.abs(xyz_m[:, 2]) > np.sin(_MAX_ELEVATION_RAD) * range_m)
    on_axis_share = np.mean(np.count_nonzero(xyz_m, axis=1) == 1)
    layout = "are these float32 x y z reflectance, or 5 columns, x y z alone, float64?"
    reasons = {
        f"{on_axis_share:.0%} of the points have two coordinates of exactly 0: padding, as in 8 "
        f"columns? Else {layout}": on_axis_share > _MAX_ON_AXIS_SHARE,
        f"{np.mean(points[:, 3] < 0):.0%} of the reflectances are negative; {layout}": (
            np.mean(points[:, 3] < 0) > _MAX_NEGATIVE_SHARE
        ),
        f"{np.count_nonzero(range_m > _MAX_RANGE_M)} of {len(points)} points are beyond "
        f"{_MAX_RANGE_M:g} m; millimetres? Else {layout}": (range_m > _MAX_RANGE_M).any(),
        f"the median distance is {median_m:.4g} m, from {_MEDIAN_RANGE_M[0]:g} to "
        f"{_MEDIAN_RANGE_M[1]:g} m is usual; metres? And {layout}": (
            not _MEDIAN_RANGE_M[0] <= median_m <= _MEDIAN_RANGE_M[1]
        ),
        f"{np.mean(range_m > _FAR_M):.0%} of the points are beyond {_FAR_M:g} m; metres? And "
        f"{layout}": np.mean(range_m > _FAR_M) > _MAX_FAR_SHARE,
        f"{steep_share:.0%} of the points are steeply above or below: is z up? And {layout}": (
            z_is_up and steep_share > _MAX_STEEP_SHARE
        ),
    }
    return next((why for why, is_wrong in reasons.items() if is_wrong), "")


def depth_problem(depth_m: Floats) -> str:
    """Why depths, any shape, metres, 0 = none, are no scene's."""
    known_m = depth_m[depth_m > 0]
    median_m = float(np.median(known_m)) if known_m.size else 1.0
    low, high = _MEDIAN_DEPTH_M
    if low <= median_m <= high:
        return ""
    return (
        f"the median depth is {median_m:.4g} m, from {low:g} to {high:g} m is usual: metres, in a "
        "file times 256?"
    )
