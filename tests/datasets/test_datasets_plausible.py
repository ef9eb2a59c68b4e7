import dataclasses
import re

import numpy as np
import pytest

from mtdepth.datasets import plausible
from mtdepth.files import UserError
from mtdepth.geometry.camera import Intrinsics

CAMERA = Intrinsics(fx_px=720, fy_px=720, cx_px=609, cy_px=172, width_px=1242, height_px=375)


def points(seed: int = 0) -> np.ndarray:
    """A street of echoes: level rays, 5 to 60 m, reflectance 0..1."""
    rng = np.random.default_rng(seed)
    xyz = rng.uniform([-30, -30, -2], [60, 30, 2], (4000, 3))
    return np.column_stack([xyz, rng.random(4000)]).astype(np.float32)


@pytest.mark.parametrize(
    ("focal_px", "cause"),
    [(0.58, "normalised .then it is 720"), (4.5, "millimetres"), (90, "degrees"), (1e6, "micro")],
)
def test_a_focal_length_of_another_unit_is_named_with_its_cause(
    focal_px: float, cause: str
) -> None:
    assert plausible.focal_problem(720, width_px=1242) == ""
    with pytest.raises(UserError, match=rf"--focal_px: .* no lens's .*{cause}"):
        plausible.check_focal(focal_px, width_px=1242)


def test_cameras_that_cannot_be_are_named() -> None:
    def problem(**changes: float) -> str:
        return plausible.camera_problem(dataclasses.replace(CAMERA, **changes))  # type: ignore[arg-type]

    assert problem() == ""
    assert "fy of 360" in problem(fy_px=360.0)
    stretched = CAMERA.resized(width_px=416, height_px=320)
    assert "pixels are nearly square" in plausible.camera_problem(stretched)
    assert plausible.camera_problem(stretched, is_stretched=True) == ""
    assert "principal point of (0.49, 0.46)" in problem(cx_px=0.49, cy_px=0.46)
    assert "no lens's" in problem(fx_px=4.0, fy_px=4.0)


def test_rigs_that_cannot_be_are_named() -> None:
    assert plausible.baseline_problem(0.06) == plausible.baseline_problem(0.54) == ""
    assert "millimetres?" in plausible.baseline_problem(60)
    assert "centimetres, or millimetres?" in plausible.baseline_problem(53)
    assert "centimetres?" in plausible.baseline_problem(12)
    assert "a baseline of -0.54" in plausible.baseline_problem(-0.54)
    turn = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
    assert plausible.rotation_problem(turn) == ""
    assert "differs from 1 by 0.21" in plausible.rotation_problem(1.1 * turn)
    assert "determinant is -1" in plausible.rotation_problem(-turn)
    assert "differs" in plausible.rotation_problem(np.full((3, 3), np.nan))
    transform = np.eye(4)
    assert plausible.transform_problem(transform) == ""
    transform[:3, 3] = 80, -300, 10
    assert "a shift of 310.6 m" in plausible.transform_problem(transform)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda p: np.column_stack([p, np.arange(4000) % 64]), "negative; .* 5 columns"),
        (lambda p: p[:, :3], "negative; .* x y z alone"),
        (lambda p: 1000 * p, "beyond 1000 m; millimetres"),
        (lambda p: p * [0.001, 0.001, 0.001, 1], "median distance is 0.0"),
        (lambda p: p[:, [1, 2, 0, 3]], "is z up"),
        (lambda p: np.where(np.arange(4000)[:, None] == 7, 2000, p), "1 of 4000 points"),
    ],
)
def test_sweeps_of_another_layout_or_unit_are_named(change: object, why: str) -> None:
    assert plausible.sweep_problem(points(), z_is_up=True) == ""
    stored = np.ascontiguousarray(change(points()), np.float32)  # type: ignore[operator]
    read = np.frombuffer(stored.tobytes(), np.float32).reshape(-1, 4)
    assert re.search(why, plausible.sweep_problem(read, z_is_up=True))


def test_a_sweep_of_float64_is_named() -> None:
    read = np.frombuffer(points().astype(np.float64).tobytes(), np.float32).reshape(-1, 4)
    assert "float64?" in plausible.sweep_problem(read[np.isfinite(read).all(axis=1)])


def test_depths_in_another_unit_are_named() -> None:
    depth_m = np.linspace(0, 80, 1000)
    assert plausible.depth_problem(depth_m) == ""
    assert plausible.depth_problem(np.zeros(9)) == ""
    # As whole metres in a file of 256ths, and as one that is full of its ceiling.
    for wrong_m in (depth_m / 1e3, depth_m + 200):
        assert "metres, in a file times 256?" in plausible.depth_problem(wrong_m)
