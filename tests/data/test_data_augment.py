"""Augmentation: picture, depth, classes and intrinsics change together or not at all."""

import numpy as np
import pytest

from mtdepth.data.augment import (
    Example,
    cropped,
    fit_example,
    flipped,
    metric_for,
    random_crop,
    recolored,
    with_far_sky,
)
from mtdepth.geometry.camera import Intrinsics
from mtdepth.recipes.base import Augmentation

CAMERA = Intrinsics(fx_px=72.0, fy_px=70.0, cx_px=50.3, cy_px=17.1, width_px=120, height_px=40)


def example_of_a_slanted_wall() -> Example:
    """A scene whose picture, depth and classes all tell the viewing ray they belong to."""
    u, v = np.meshgrid(np.arange(120), np.arange(40))
    depth_m = (10 + 0.05 * u + 0.1 * v).astype(np.float32)
    image = np.stack([2 * u, 6 * v, u + v], -1).astype(np.uint8)
    train_id = ((u // 10) % 19).astype(np.uint8)
    return Example(image, depth_m, train_id, CAMERA)


def ray_at(camera: Intrinsics, u: float, v: float) -> tuple[float, float]:
    return (u - camera.cx_px) / camera.fx_px, (v - camera.cy_px) / camera.fy_px


def test_a_flip_mirrors_everything_and_the_ray_of_each_pixel() -> None:
    example = example_of_a_slanted_wall()
    mirror = flipped(example)
    u, v = 7, 11
    there = 120 - 1 - u
    assert (mirror.image[v, there] == example.image[v, u]).all()
    assert mirror.depth_m[v, there] == example.depth_m[v, u]
    assert mirror.train_id[v, there] == example.train_id[v, u]
    ray_x, ray_y = ray_at(example.camera, u, v)
    assert ray_at(mirror.camera, there, v) == pytest.approx((-ray_x, ray_y))


def test_flipping_twice_gives_the_example_back() -> None:
    example = example_of_a_slanted_wall()
    again = flipped(flipped(example))
    np.testing.assert_array_equal(again.depth_m, example.depth_m)
    assert again.camera == example.camera


def test_a_crop_keeps_the_ray_of_each_pixel() -> None:
    example = example_of_a_slanted_wall()
    part = cropped(example, top_px=5, left_px=9, height_px=30, width_px=60)
    assert part.depth_m[3, 4] == example.depth_m[8, 13]
    assert (part.image[3, 4] == example.image[8, 13]).all()
    assert ray_at(part.camera, 4, 3) == pytest.approx(ray_at(example.camera, 13, 8))


def test_a_resized_label_is_where_its_ray_says() -> None:
    # Depth is linear in (u, v), so the label at a resized pixel must be the wall's depth at that
    # pixel's ray, up to the half pixel that "nearest" may miss: 0.5*0.05 + 0.5*0.1 m.
    example = example_of_a_slanted_wall()
    small = fit_example(example, size_px=(32, 64), fit="stretch")
    for v, u in ((0, 0), (31, 63), (13, 40)):
        ray_x, ray_y = ray_at(small.camera, u, v)
        u_full = ray_x * CAMERA.fx_px + CAMERA.cx_px
        v_full = ray_y * CAMERA.fy_px + CAMERA.cy_px
        assert small.depth_m[v, u] == pytest.approx(10 + 0.05 * u_full + 0.1 * v_full, abs=0.076)


def test_a_zoomed_picture_is_labelled_nearer_by_the_zoom() -> None:
    example = example_of_a_slanted_wall()
    focal_px = fit_example(example, size_px=(32, 96), fit="stretch").camera.focal_px
    window = cropped(example, top_px=10, left_px=30, height_px=20, width_px=60)  # zoom 2
    zoomed = metric_for(fit_example(window, size_px=(32, 96), fit="stretch"), focal_px=focal_px)
    u, v = 48, 16
    ray_x, ray_y = ray_at(zoomed.camera, u, v)
    wall_m = (
        10
        + 0.05 * (ray_x * CAMERA.fx_px + CAMERA.cx_px)
        + 0.1 * (ray_y * CAMERA.fy_px + CAMERA.cy_px)
    )
    assert zoomed.depth_m[v, u] == pytest.approx(wall_m / 2, abs=0.076)


def test_without_zoom_the_training_cameras_depth_stays_as_it_is() -> None:
    example = fit_example(example_of_a_slanted_wall(), size_px=(32, 96), fit="stretch")
    same = metric_for(example, focal_px=example.camera.focal_px)
    np.testing.assert_array_equal(same.depth_m, example.depth_m)


def test_unmeasured_pixels_stay_unmeasured() -> None:
    example = example_of_a_slanted_wall()
    example.depth_m[::2] = 0
    scaled = metric_for(fit_example(example, size_px=(32, 96), fit="crop"), focal_px=33.0)
    assert set(np.unique(scaled.depth_m == 0)) == {False, True}


def test_random_crops_stay_inside_and_within_the_zoom() -> None:
    example = example_of_a_slanted_wall()
    rng = np.random.default_rng(3)
    for _ in range(50):
        part = random_crop(example, rng, max_zoom=1.5)
        height, width = part.depth_m.shape
        assert 40 / 1.5 - 1 <= height <= 40
        assert 120 / 1.5 - 1 <= width <= 120
        assert part.image.shape[:2] == part.train_id.shape == part.depth_m.shape


def test_sky_becomes_far() -> None:
    example = example_of_a_slanted_wall()
    far = with_far_sky(example, far_m=80.0)
    is_sky = example.train_id == 10
    assert (far.depth_m[is_sky] == 80).all()
    np.testing.assert_array_equal(far.depth_m[~is_sky], example.depth_m[~is_sky])


def test_neutral_colour_settings_leave_the_picture_alone() -> None:
    image = example_of_a_slanted_wall().image
    np.testing.assert_array_equal(recolored(image, np.random.default_rng(0), Augmentation()), image)


def test_a_hue_turn_keeps_gray_gray_and_value() -> None:
    rng = np.random.default_rng(1)
    gray = np.full((4, 6, 3), 77, np.uint8)
    turned = recolored(gray, rng, Augmentation(hue=0.3))
    np.testing.assert_allclose(turned, gray, atol=1)  # rounding of the way to HSV and back
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 200
    turned = recolored(red, rng, Augmentation(hue=0.3))
    assert turned.max() == pytest.approx(200, abs=1)
    assert not (turned == red).all()
