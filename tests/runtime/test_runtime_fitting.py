"""Pictures go into the network and answers come back onto the same pixels."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.geometry.camera import Intrinsics
from mtdepth.runtime.fitting import (
    PictureFit,
    Window,
    fit_image,
    fitted_intrinsics,
    mirrored_inset,
    restore_depth,
    restore_train_id,
    seen_window,
)

SIDES = st.integers(1, 60)
FITS: tuple[PictureFit, ...] = ("stretch", "crop", "mirror")


def bilinear(line: npt.NDArray[np.float64], num_to: int) -> npt.NDArray[np.float64]:
    """Pixel centres, borders repeated: along axis 0, by the definition."""
    num_from = len(line)
    where = np.clip((np.arange(num_to) + 0.5) * num_from / num_to - 0.5, 0, num_from - 1)
    below = np.floor(where).astype(int)
    above = np.minimum(below + 1, num_from - 1)
    share = (where - below).reshape(-1, *[1] * (line.ndim - 1))
    return line[below] * (1 - share) + line[above] * share


def noise(*shape: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, shape).astype(np.uint8)


def test_a_wide_picture_loses_its_sides() -> None:
    # 375 * 480 / 320 = 562.5, halves go to the even number; (1242 - 562) / 2 = 340
    window = seen_window(image_size=(375, 1242), size=(320, 480), fit="crop")
    assert window == Window(left_px=340, top_px=0, width_px=562, height_px=375)


def test_a_tall_picture_loses_top_and_bottom() -> None:
    # 600 * 192 / 640 = 180; (801 - 180) // 2 = 310
    window = seen_window(image_size=(801, 600), size=(192, 640), fit="crop")
    assert window == Window(left_px=0, top_px=310, width_px=600, height_px=180)


def test_stretching_loses_nothing() -> None:
    window = seen_window(image_size=(375, 1242), size=(320, 480), fit="stretch")
    assert window == Window(left_px=0, top_px=0, width_px=1242, height_px=375)


@given(height=SIDES, width=SIDES, net_height=SIDES, net_width=SIDES)
def test_the_seen_part_is_centred_inside_and_of_the_networks_shape(
    height: int, width: int, net_height: int, net_width: int
) -> None:
    window = seen_window(image_size=(height, width), size=(net_height, net_width), fit="crop")
    right_px = width - window.left_px - window.width_px
    bottom_px = height - window.top_px - window.height_px
    assert 0 <= right_px - window.left_px <= 1
    assert 0 <= bottom_px - window.top_px <= 1
    assert window.width_px == width or window.height_px == height
    # The cut side is within half a pixel of the exact one, or the one pixel that is left.
    if window.width_px < width:
        assert abs(window.width_px - height * net_width / net_height) <= 0.5 or (
            window.width_px == 1
        )
    if window.height_px < height:
        assert abs(window.height_px - width * net_height / net_width) <= 0.5 or (
            window.height_px == 1
        )


@given(height=SIDES, width=SIDES, net_height=SIDES, net_width=SIDES, fit=st.sampled_from(FITS))
def test_any_picture_reaches_the_networks_size_and_comes_back(
    height: int, width: int, net_height: int, net_width: int, fit: PictureFit
) -> None:
    image = fit_image(noise(height, width, 3), size=(net_height, net_width), fit=fit)
    assert image.shape == (net_height, net_width, 3)
    assert image.dtype == np.uint8
    depth_m = restore_depth(
        np.full((net_height, net_width), 7.5, np.float32), image_size=(height, width), fit=fit
    )
    train_id = restore_train_id(
        np.full((net_height, net_width), 3, np.uint8), image_size=(height, width), fit=fit
    )
    window = seen_window(image_size=(height, width), size=(net_height, net_width), fit=fit)
    is_seen = np.zeros((height, width), bool)
    is_seen[window.slices] = True
    # the filter's two weights are rounded apart
    np.testing.assert_allclose(depth_m, np.where(is_seen, 7.5, 0), rtol=1e-6)
    np.testing.assert_array_equal(train_id, np.where(is_seen, 3, 255))
    assert depth_m.dtype == np.float32
    assert train_id.dtype == np.uint8


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    image = noise(12, 20, 3)
    np.testing.assert_array_equal(fit_image(image, size=(12, 20), fit="stretch"), image)
    # 32 columns at 12 rows: (32 - 20) / 2 = 6 of them fall away on each side.
    wide = noise(12, 32, 3)
    np.testing.assert_array_equal(fit_image(wide, size=(12, 20), fit="crop"), wide[:, 6:26])


def test_shrinking_averages_areas() -> None:
    image = noise(12, 20, 3)
    blocks = image.reshape(4, 3, 10, 2, 3).mean(axis=(1, 3))
    found = fit_image(image, size=(4, 10), fit="stretch")
    np.testing.assert_allclose(found, blocks, atol=0.51)  # one rounding to a byte


def test_growing_interpolates_between_pixel_centres() -> None:
    image = noise(5, 7, 3)
    rows = bilinear(image.astype(np.float64), 15)
    expected = bilinear(rows.swapaxes(0, 1), 28).swapaxes(0, 1)
    # OpenCV interpolates bytes in fixed point of 11 bits.
    np.testing.assert_allclose(fit_image(image, size=(15, 28), fit="stretch"), expected, atol=1.1)


def test_shrinking_one_way_and_growing_the_other_does_each_in_its_own_way() -> None:
    image = noise(12, 7, 3)
    rows = image.reshape(4, 3, 7, 3).mean(axis=1)
    expected = bilinear(rows.swapaxes(0, 1), 21).swapaxes(0, 1)
    found = fit_image(image, size=(4, 21), fit="stretch")
    np.testing.assert_allclose(found, expected, atol=1.6)  # a byte after each of the two


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(48, 160), (96, 128), (250, 330)])
def test_a_point_lies_where_the_fitted_camera_projects_it(
    fit: PictureFit, size: tuple[int, int]
) -> None:
    camera = Intrinsics(
        fx_px=150.0, fy_px=135.0, cx_px=101.3, cy_px=61.2, width_px=220, height_px=130
    )
    point_m = np.array([-0.31, 0.17, 1.9])
    (u, v), _ = camera.project(point_m)
    rows, columns = np.mgrid[:130, :220]
    spot = 255 * np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * 4.0**2))
    image = np.repeat(np.rint(spot).astype(np.uint8)[..., None], 3, axis=2)
    fitted = fit_image(image, size=size, fit=fit)[..., 0].astype(np.float64)
    if fit == "mirror":
        is_mirrored = np.ones(size, bool)
        is_mirrored[mirrored_inset(image_size=(130, 220), size=size).slices] = False
        fitted[is_mirrored] = 0.0
    net_rows, net_columns = np.mgrid[: size[0], : size[1]]
    found = [np.sum(net_columns * fitted), np.sum(net_rows * fitted)] / np.sum(fitted)
    expected, _ = fitted_intrinsics(camera, size=size, fit=fit).project(point_m)
    # A centre of mass of bytes; corners instead of centres would be off by 0.2 px and more.
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_a_cropped_camera_keeps_its_focal_length_ratio() -> None:
    camera = Intrinsics(fx_px=700, fy_px=700, cx_px=620, cy_px=180, width_px=1242, height_px=375)
    cropped = fitted_intrinsics(camera, size=(320, 480), fit="crop")
    stretched = fitted_intrinsics(camera, size=(320, 480), fit="stretch")
    # 700 * 480 / 562 and 700 * 320 / 375; the crop is whole pixels wide
    np.testing.assert_allclose([cropped.fx_px, cropped.fy_px], [597.86, 597.33], atol=0.01)
    # 700 * 480 / 1242
    np.testing.assert_allclose([stretched.fx_px, stretched.fy_px], [270.53, 597.33], atol=0.01)


def test_a_picture_of_another_shape_lies_whole_between_its_mirror_images() -> None:
    image = noise(12, 8, 3)
    # 12 rows of 8 in 12 of 20: (20 - 8) / 2 = 6 columns on each side.
    found = fit_image(image, size=(12, 20), fit="mirror")
    np.testing.assert_array_equal(found[:, 6:14], image)
    np.testing.assert_array_equal(found[:, :6], image[:, 5::-1])
    np.testing.assert_array_equal(found[:, 14:], image[:, :1:-1])
    depth_m = np.tile(np.arange(20, dtype=np.float32), (12, 1))
    restored = restore_depth(depth_m, image_size=(12, 8), fit="mirror")
    np.testing.assert_array_equal(restored, depth_m[:, 6:14])


def test_restored_depth_is_aligned_with_the_picture() -> None:
    # A plane in pixel-centre coordinates of the picture stays that plane through the network.
    rows, columns = np.mgrid[:60, :90]
    plane_m = (5 + 0.3 * columns + 0.1 * rows).astype(np.float32)
    net_rows, net_columns = np.mgrid[:15, :30]
    net_m = 5 + 0.3 * ((net_columns + 0.5) * 3 - 0.5) + 0.1 * ((net_rows + 0.5) * 4 - 0.5)
    found = restore_depth(net_m.astype(np.float32), image_size=(60, 90), fit="stretch")
    inner = np.s_[2:-2, 2:-2]  # at the border the filter repeats the last pixel
    np.testing.assert_allclose(found[inner], plane_m[inner], rtol=1e-5)


def test_a_restored_crop_is_aligned_with_the_picture() -> None:
    # The network sees columns 30..89 of 120; one output pixel is 2x2 of the picture.
    rows, columns = np.mgrid[:60, :120]
    plane_m = (5 + 0.3 * columns + 0.1 * rows).astype(np.float32)
    net_rows, net_columns = np.mgrid[:30, :30]
    net_m = 5 + 0.3 * (30 + (net_columns + 0.5) * 2 - 0.5) + 0.1 * ((net_rows + 0.5) * 2 - 0.5)
    found = restore_depth(net_m.astype(np.float32), image_size=(60, 120), fit="crop")
    inner = np.s_[1:-1, 31:89]
    np.testing.assert_allclose(found[inner], plane_m[inner], rtol=1e-5)
    assert not found[:, :30].any()
    assert not found[:, 90:].any()


@given(num_from=st.integers(1, 40), num_to=st.integers(1, 90))
def test_each_pixel_takes_the_class_of_the_nearest_centre(num_from: int, num_to: int) -> None:
    ids = np.arange(num_from, dtype=np.uint8)[:, None]
    found = restore_train_id(ids, image_size=(num_to, 1), fit="stretch")[:, 0]
    centres = np.arange(num_from) + 0.5
    for index, chosen in enumerate(found):
        distance = np.abs(centres - (index + 0.5) * num_from / num_to)
        assert distance[chosen] <= distance.min() + 1e-9


def test_classes_doubled_are_blocks() -> None:
    ids = noise(5, 9)
    found = restore_train_id(ids, image_size=(10, 27), fit="stretch")
    np.testing.assert_array_equal(found, np.kron(ids, np.ones((2, 3), np.uint8)))


@pytest.mark.parametrize(
    "image",
    [noise(4, 5), noise(4, 5, 4), noise(4, 5, 3).astype(np.float32)],
    ids=["gray", "rgba", "float"],
)
def test_what_is_no_rgb_picture_is_refused(image: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"must be \[height, width, 3\] uint8"):
        fit_image(image, size=(4, 4), fit="stretch")


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="fit must be 'stretch', 'crop' or 'mirror', got 'pad'"):
        seen_window(image_size=(4, 4), size=(4, 4), fit="pad")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1 pixel"):
        seen_window(image_size=(0, 4), size=(4, 4), fit="crop")
    with pytest.raises(ValueError, match=r"must be \[height, width\]"):
        restore_depth(np.zeros((1, 4, 4), np.float32), image_size=(4, 4), fit="crop")
