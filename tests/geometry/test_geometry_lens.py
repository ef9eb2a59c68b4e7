"""Lenses that bend: against OpenCV's own undistortion, and by what a straightened picture is."""

import cv2
import numpy as np
import pytest

from mtdepth.files import UserError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.lens import Lens, Straightener, inscribed

# fx != fy, cx and cy off the middle: any exchange shows.
CAMERA = Intrinsics(fx_px=310.0, fy_px=300.0, cx_px=170.0, cy_px=115.0, width_px=320, height_px=240)
BARREL = Lens(camera=CAMERA, distortion=(-0.3, 0.1, 0.001, -0.002, -0.01))
PINCUSHION = Lens(camera=CAMERA, distortion=(0.2, 0.05, 0.0, 0.0))
FISHEYE = Lens(camera=CAMERA, distortion=(0.05, -0.01, 0.002, 0.0), model="fisheye")
LENSES = pytest.mark.parametrize(
    "lens", [BARREL, PINCUSHION, FISHEYE], ids=["barrel", "cushion", "fisheye"]
)


def radtan_by_hand(x: float, y: float, lens: Lens) -> tuple[float, float]:
    k1, k2, p1, p2, k3 = (*lens.distortion, 0.0)[:5]
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    bent_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return bent_x * 310 + 170, bent_y * 300 + 115


def test_a_ray_is_bent_as_the_formula_says() -> None:
    rays = np.array([[0.0, 0.0], [0.3, -0.2], [-0.5, 0.35]])
    by_hand = [radtan_by_hand(x, y, BARREL) for x, y in rays]
    np.testing.assert_allclose(BARREL.project(rays), by_hand, rtol=1e-12)


def test_a_fisheye_bends_the_angle() -> None:
    theta = np.arctan(0.8)
    bent = theta * (1 + 0.05 * theta**2 - 0.01 * theta**4 + 0.002 * theta**6)
    np.testing.assert_allclose(FISHEYE.project(np.array([[0.8, 0.0]])), [[310 * bent + 170, 115.0]])


@LENSES
def test_rays_are_the_inverse_of_projection(lens: Lens) -> None:
    uv_px = np.random.default_rng(0).uniform([0, 0], [319, 239], (50, 2))
    np.testing.assert_allclose(lens.project(lens.rays_of(uv_px)), uv_px, atol=1e-3)


def test_beyond_the_turn_of_the_polynomial_there_is_no_ray() -> None:
    folding = Lens(camera=CAMERA, distortion=(-1.2, 0.0, 0.0, 0.0))
    rays = folding.rays_of(np.array([[170.0, 115.0], [319.0, 239.0]]))
    assert np.isfinite(rays[0]).all()
    assert np.isnan(rays[1]).all()


@LENSES
def test_a_straightened_picture_has_no_empty_border_and_wastes_none(lens: Lens) -> None:
    straight = lens.straightened()
    assert straight.fx_px == straight.fy_px
    white = np.full((240, 320), 255, np.uint8)
    maps = lens.maps_to(straight)
    assert cv2.remap(white, *maps, cv2.INTER_LINEAR)[1:-1, 1:-1].min() == 255
    # One per cent wider a view, around its middle, and something is empty.
    wider = Intrinsics(
        fx_px=straight.fx_px / 1.02,
        fy_px=straight.fy_px / 1.02,
        cx_px=(straight.cx_px - 159.5) / 1.02 + 159.5,
        cy_px=(straight.cy_px - 119.5) / 1.02 + 119.5,
        width_px=320,
        height_px=240,
    )
    assert cv2.remap(white, *lens.maps_to(wider), cv2.INTER_LINEAR).min() == 0


@LENSES
def test_a_straightened_picture_shows_what_the_pinhole_sees(lens: Lens) -> None:
    """A smooth picture painted by direction: each pixel must show its own pinhole's direction."""

    def paint(rays: np.ndarray) -> np.ndarray:
        return 128 + 60 * np.sin(9 * rays[:, 0]) + 60 * np.cos(7 * rays[:, 1])

    v, u = np.mgrid[:240, :320]
    uv_px = np.stack([u.ravel(), v.ravel()], axis=1).astype(float)
    bent = paint(lens.rays_of(uv_px)).reshape(240, 320)
    shown = Straightener(lens).picture(np.repeat(np.rint(bent).astype(np.uint8)[..., None], 3, 2))
    straight = Straightener(lens).camera((240, 320))
    rays = (uv_px - [straight.cx_px, straight.cy_px]) / straight.fx_px
    errors = np.abs(shown[..., 0] - paint(rays).reshape(240, 320))[2:-2, 2:-2]
    assert errors.max() < 2.5  # a grey level of rounding, and 1/32 px of fixed point maps


def test_at_half_the_size_the_same_is_seen() -> None:
    at_full, at_half = (Straightener(BARREL).camera(size) for size in ((240, 320), (120, 160)))
    assert at_half.fx_px == pytest.approx(at_full.fx_px / 2, rel=1e-3)
    assert at_half.cx_px == pytest.approx((at_full.cx_px + 0.5) / 2 - 0.5, abs=0.05)


def test_a_wide_fisheye_is_cut_to_what_a_pinhole_draws() -> None:
    wide = Lens(
        camera=Intrinsics(
            fx_px=100.0, fy_px=100.0, cx_px=159.5, cy_px=119.5, width_px=320, height_px=240
        ),
        distortion=(0.0,) * 4,
        model="fisheye",
    )  # 183 degrees across
    assert wide.straightened().fx_px == pytest.approx(320 / 3, rel=1e-6)


def test_without_distortion_nothing_is_done() -> None:
    lens = Lens(camera=CAMERA)
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    assert Straightener(lens).picture(image) is image
    assert Straightener(lens).camera((240, 320)) == CAMERA


def test_two_lenses_share_what_both_see() -> None:
    turn = cv2.Rodrigues(np.array([0.0, 0.05, 0.0]))[0]
    shared = inscribed([(BARREL, np.eye(3)), (BARREL, turn)])
    white = np.full((240, 320), 255, np.uint8)
    for rotation in (np.eye(3), turn):
        maps = BARREL.maps_to(shared, rotation)
        assert cv2.remap(white, *maps, cv2.INTER_LINEAR)[1:-1, 1:-1].min() == 255


@pytest.mark.parametrize(
    ("distortion", "model", "said"),
    [
        ((0.1, 0.2, 0.3), "radtan", "4 or 5 or 8 or 12 or 14 numbers, got 3"),
        ((0.1,) * 5, "fisheye", "4 numbers, got 5"),
        ((0.1, float("nan"), 0.0, 0.0), "radtan", "must be finite"),
        ((0.1,) * 4, "omni", "radtan or fisheye"),
    ],
)
def test_numbers_of_no_lens_are_refused(distortion: tuple, model: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Lens(camera=CAMERA, distortion=distortion, model=model)


def test_a_distortion_that_folds_the_picture_is_refused() -> None:
    with pytest.raises(UserError, match="folds the picture"):
        Lens(camera=CAMERA, distortion=(-30.0, 0.0, 0.0, 0.0)).straightened()
