import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.geometry.camera import Intrinsics, depth_for_focal

# fx != fy, cx != cy, width != height: any exchange shows.
CAMERA = Intrinsics(fx_px=70.0, fy_px=55.0, cx_px=31.25, cy_px=9.5, width_px=60, height_px=24)


def rays_of(camera: Intrinsics) -> np.ndarray:
    return camera.unproject(np.ones((camera.height_px, camera.width_px)))


def test_projection_by_hand() -> None:
    # u = 70 * 2 / 10 + 31.25 = 45.25 ; v = 55 * -1 / 10 + 9.5 = 4.0
    uv_px, z_m = CAMERA.project(np.array([2.0, -1.0, 10.0]))
    np.testing.assert_allclose(uv_px, [45.25, 4.0], rtol=1e-15)
    assert z_m == 10.0


def test_projection_is_the_product_with_k() -> None:
    points_m = np.random.default_rng(0).uniform([-9, -9, 1], [9, 9, 50], (20, 3))
    homogeneous = points_m @ CAMERA.K.T
    uv_px, z_m = CAMERA.project(points_m)
    np.testing.assert_allclose(uv_px, homogeneous[:, :2] / homogeneous[:, 2:], rtol=1e-12)
    np.testing.assert_array_equal(z_m, points_m[:, 2])


def test_a_point_behind_the_camera_has_no_pixel() -> None:
    uv_px, z_m = CAMERA.project(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, -2.0], [0.0, 0.0, 1.0]]))
    np.testing.assert_array_equal(np.isnan(uv_px), [[True, True], [True, True], [False, False]])
    np.testing.assert_array_equal(z_m, [0.0, -2.0, 1.0])


def test_unprojecting_then_projecting_gives_every_pixel_back() -> None:
    depth_m = np.random.default_rng(1).uniform(1, 80, (24, 60))
    uv_px, z_m = CAMERA.project(CAMERA.unproject(depth_m))
    v, u = np.mgrid[:24, :60]
    np.testing.assert_allclose(uv_px, np.stack([u, v], axis=-1), atol=1e-10)
    np.testing.assert_array_equal(z_m, depth_m)


def test_an_unmeasured_pixel_is_lifted_to_the_origin() -> None:
    assert not CAMERA.unproject(np.zeros((24, 60), np.float32)).any()


@given(
    width_px=st.integers(1, 300),
    height_px=st.integers(1, 300),
    u=st.floats(-0.5, 59.5),
    v=st.floats(-0.5, 23.5),
)
def test_resizing_keeps_the_ray_of_a_place_in_the_picture(
    width_px: int, height_px: int, u: float, v: float
) -> None:
    resized = CAMERA.resized(width_px=width_px, height_px=height_px)
    # The place as a fraction of the picture, which no resizing changes.
    across, down = (u + 0.5) / 60, (v + 0.5) / 24
    new_u, new_v = across * width_px - 0.5, down * height_px - 0.5
    x, y = (u - CAMERA.cx_px) / CAMERA.fx_px, (v - CAMERA.cy_px) / CAMERA.fy_px
    assert (new_u - resized.cx_px) / resized.fx_px == pytest.approx(x, abs=1e-9)
    assert (new_v - resized.cy_px) / resized.fy_px == pytest.approx(y, abs=1e-9)


@pytest.mark.parametrize(
    ("size", "interpolation"),
    [((48, 180), cv2.INTER_LINEAR), ((12, 20), cv2.INTER_AREA), ((8, 30), cv2.INTER_AREA)],
)
def test_resizing_the_camera_is_what_opencv_does_to_the_picture(
    size: tuple[int, int], interpolation: int
) -> None:
    height_px, width_px = size
    picture = rays_of(CAMERA)
    by_opencv = cv2.resize(picture, (width_px, height_px), interpolation=interpolation)
    by_camera = rays_of(CAMERA.resized(width_px=width_px, height_px=height_px))
    # Away from the rim, where growing a picture has no neighbour to look at. Rays are linear in
    # u and v, so averages and interpolations of them are exact up to rounding.
    np.testing.assert_allclose(by_opencv[2:-2, 3:-3], by_camera[2:-2, 3:-3], atol=1e-6)


def test_cropping_the_camera_is_slicing_the_picture() -> None:
    cropped = CAMERA.cropped(left_px=7, top_px=3, width_px=40, height_px=20)
    np.testing.assert_allclose(rays_of(cropped), rays_of(CAMERA)[3:23, 7:47], atol=1e-15)


def test_flipping_the_camera_is_mirroring_the_picture_of_a_mirrored_world() -> None:
    mirrored = rays_of(CAMERA)[:, ::-1] * [-1, 1, 1]
    np.testing.assert_allclose(rays_of(CAMERA.flipped()), mirrored, atol=1e-15)


def test_flipping_twice_gives_the_camera_back() -> None:
    assert CAMERA.flipped().flipped() == CAMERA


@given(scale=st.integers(2, 5), left_px=st.integers(0, 20), top_px=st.integers(0, 14))
def test_cropping_then_enlarging_is_enlarging_then_cropping(
    scale: int, left_px: int, top_px: int
) -> None:
    crop_first = CAMERA.cropped(left_px=left_px, top_px=top_px, width_px=40, height_px=10).resized(
        width_px=40 * scale, height_px=10 * scale
    )
    crop_last = CAMERA.resized(width_px=60 * scale, height_px=24 * scale).cropped(
        left_px=left_px * scale, top_px=top_px * scale, width_px=40 * scale, height_px=10 * scale
    )
    np.testing.assert_allclose(crop_first.K, crop_last.K, atol=1e-9)


def test_the_focal_length_is_the_geometric_mean() -> None:
    assert CAMERA.focal_px == pytest.approx(math.sqrt(70 * 55))
    # Both axes scaled by 2: the focal length in pixels doubles.
    assert CAMERA.resized(width_px=120, height_px=48).focal_px == pytest.approx(2 * CAMERA.focal_px)


def test_depth_grows_with_the_focal_length() -> None:
    # A lens twice as long shows a car at 20 m as large as it was at 10 m.
    depth_m = np.array([[10.0, 0.0]], np.float32)
    rescaled_m = depth_for_focal(depth_m, from_px=300.0, to_px=600.0)
    np.testing.assert_array_equal(rescaled_m, [[20.0, 0.0]])
    assert rescaled_m.dtype == np.float32


def test_depth_for_focal_agrees_with_the_projection() -> None:
    other = Intrinsics(fx_px=140.0, fy_px=110.0, cx_px=31.25, cy_px=9.5, width_px=60, height_px=24)
    # Two things of one size that fill the same pixels of two cameras.
    near_uv_px, near_z_m = CAMERA.project(np.array([[-1.0, 0.5, 8.0], [1.0, -0.5, 8.0]]))
    far_m = depth_for_focal(near_z_m, from_px=CAMERA.focal_px, to_px=other.focal_px)
    far_uv_px, _ = other.project(np.array([[-1.0, 0.5, far_m[0]], [1.0, -0.5, far_m[1]]]))
    np.testing.assert_allclose(far_uv_px, near_uv_px, atol=1e-12)


def test_a_camera_survives_json() -> None:
    assert Intrinsics.from_dict(CAMERA.to_dict()) == CAMERA


@pytest.mark.parametrize(
    "content",
    [
        {},
        CAMERA.to_dict() | {"skew": 0.0},
        CAMERA.to_dict() | {"fx_px": None},
        CAMERA.to_dict() | {"fx_px": -1.0},
    ],
)
def test_a_damaged_record_is_refused(content: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"camera|number|positive"):
        Intrinsics.from_dict(content)


@pytest.mark.parametrize(
    "change",
    [
        {"fx_px": 0.0},
        {"fy_px": -5.0},
        {"cx_px": math.nan},
        {"width_px": 0},
        {"height_px": -3},
    ],
)
def test_a_camera_without_an_image_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"positive|finite|at least one pixel"):
        Intrinsics(**(CAMERA.to_dict() | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("left_px", "top_px", "width_px", "height_px"),
    [(-1, 0, 10, 10), (0, -1, 10, 10), (51, 0, 10, 10), (0, 15, 10, 10), (0, 0, 61, 10)],
)
def test_a_crop_outside_the_image_is_refused(
    left_px: int, top_px: int, width_px: int, height_px: int
) -> None:
    with pytest.raises(ValueError, match="inside the image of 60x24"):
        CAMERA.cropped(left_px=left_px, top_px=top_px, width_px=width_px, height_px=height_px)


def test_depth_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(24, 60\).*\(60, 24\)"):
        CAMERA.unproject(np.ones((60, 24)))


def test_points_of_another_form_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[\.\.\., 3\], got \(5, 4\)"):
        CAMERA.project(np.ones((5, 4)))


@pytest.mark.parametrize(("from_px", "to_px"), [(0.0, 1.0), (1.0, -1.0), (math.nan, 1.0)])
def test_a_focal_length_that_is_not_positive_is_refused(from_px: float, to_px: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        depth_for_focal(np.ones(1), from_px=from_px, to_px=to_px)
