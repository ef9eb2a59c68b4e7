"""Semi-global matching against exact synthetic stereo."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from fakes.kitti_tree import build_kitti_tree

from mtdepth.datasets.kitti_raw import KittiRaw
from teachers.interface import StereoSample, load_sample
from teachers.sgm import SgmSettings, SgmTeacher, match_sgm

Image = npt.NDArray[np.uint8]
SETTINGS = SgmSettings(speckle_px=20)


def texture(height: int, width: int, seed: int = 0) -> npt.NDArray[np.float32]:
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 1.2) * 2 - 128


def as_rgb(gray: npt.NDArray[np.float32]) -> Image:
    return np.repeat(np.clip(gray, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def shifted_pair(disparity_px: float, *, height: int = 80, width: int = 320) -> tuple[Image, Image]:
    """A plane: what the left view has at column u, the right one has at u - disparity."""
    scene = texture(height, width + 64)
    left = scene[:, 64:]
    columns, rows = np.meshgrid(
        np.arange(width, dtype=np.float32) + 64 + disparity_px, np.arange(height, dtype=np.float32)
    )
    right = cv2.remap(
        np.pad(scene, ((0, 0), (0, 64)), mode="reflect"), columns, rows, cv2.INTER_CUBIC
    )
    return as_rgb(left), as_rgb(right)


@pytest.mark.parametrize("disparity_px", [3.0, 17.5, 30.25])
def test_a_plane_has_its_disparity(disparity_px: float) -> None:
    found_px = match_sgm(*shifted_pair(disparity_px), settings=SETTINGS)
    matched = found_px > 0
    # Columns left of the disparity show what the right view does not.
    assert matched[:, int(disparity_px) + 4 :].mean() > 0.9
    # Sixteenths of a pixel, drawn towards whole pixels by the matcher's parabola: 0.19 at most.
    np.testing.assert_allclose(np.median(found_px[matched]), disparity_px, atol=0.2)


def test_the_left_band_is_matched_as_far_as_the_right_view_shows_it() -> None:
    # OpenCV alone leaves the first num_disparities columns (64 of 320 here) empty.
    found_px = match_sgm(*shifted_pair(12.0), settings=SETTINGS)
    assert SETTINGS.num_disparities(320) == 64
    assert (found_px[:, 16:64] > 0).mean() > 0.9
    assert (found_px[:, :8] > 0).mean() < 0.1


def test_what_only_one_view_sees_stays_a_hole() -> None:
    # A near strip (disparity 24) before a far wall (4): 20 columns left of the strip's left edge
    # are hidden from the right view.
    far_left, far_right = shifted_pair(4.0)
    near = as_rgb(texture(80, 60, seed=9))
    left, right = far_left.copy(), far_right.copy()
    left[:, 200:260] = near
    right[:, 176:236] = near
    found_px = match_sgm(left, right, settings=SETTINGS)
    assert (found_px[:, 184:196] > 0).mean() < 0.35
    np.testing.assert_allclose(np.median(found_px[:, 210:250]), 24, atol=0.2)
    np.testing.assert_allclose(np.median(found_px[:, 100:160]), 4, atol=0.2)


def test_unrelated_pictures_do_not_match() -> None:
    left = as_rgb(texture(80, 320, seed=1))
    right = as_rgb(texture(80, 320, seed=2))
    assert (match_sgm(left, right, settings=SgmSettings()) > 0).mean() < 0.15


def test_the_search_range_follows_the_width_in_sixteens() -> None:
    settings = SgmSettings()
    assert [settings.num_disparities(width) for width in (1242, 621, 192, 64)] == [192, 96, 32, 16]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> KittiRaw:
    root = tmp_path_factory.mktemp("kitti") / "raw"
    return KittiRaw(build_kitti_tree(root, size=(128, 416)))


def truth_of(raw: KittiRaw) -> npt.NDArray[np.float64]:
    frame = raw.frames_of(raw.drives()[0])[0]
    path = raw.root / "truth/depth" / frame.drive / "image_02" / f"{frame.name}.png"
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED) / 256.0


def test_a_left_frame_has_its_depth_in_metres(raw: KittiRaw) -> None:
    frame = raw.frames_of(raw.drives()[0])[0]
    depth_m = SgmTeacher().predict(load_sample(raw, frame, needs_partner=True))
    truth_m = truth_of(raw)
    both = (depth_m > 0) & (truth_m > 0) & (truth_m < 30)
    assert both.mean() > 0.3
    # At 30 m the disparity is 4.3 px here; a quarter of a pixel is 6 %.
    assert np.median(np.abs(depth_m[both] - truth_m[both]) / truth_m[both]) < 0.06


def test_a_right_frame_sees_the_same_metres_displaced_by_the_disparity(raw: KittiRaw) -> None:
    left = raw.frames_of(raw.drives()[0])[0]
    right = left.other_side
    sample = load_sample(raw, right, needs_partner=True)
    depth_m = SgmTeacher().predict(sample)
    truth_m = truth_of(raw)
    # Each left pixel of known depth is seen by the right camera at u - f b / z.
    rows, columns = np.nonzero((truth_m > 0) & (truth_m < 30))
    z_m = truth_m[rows, columns]
    target = np.rint(columns - sample.focal_px * sample.baseline_m / z_m).astype(int)
    inside = target >= 0
    found_m = depth_m[rows[inside], target[inside]]
    expected_m = z_m[inside][found_m > 0]
    assert (found_m > 0).mean() > 0.5
    error = np.abs(found_m[found_m > 0] - expected_m) / expected_m
    assert np.median(error) < 0.06


def test_a_mirrored_scene_gives_the_mirrored_depth(raw: KittiRaw) -> None:
    frame = raw.frames_of(raw.drives()[0])[0]
    left = load_sample(raw, frame, needs_partner=True)
    assert left.partner is not None
    mirrored = StereoSample(
        frame=frame.other_side,
        image=np.ascontiguousarray(left.image[:, ::-1]),
        partner=np.ascontiguousarray(left.partner[:, ::-1]),
        focal_px=left.focal_px,
        baseline_m=left.baseline_m,
    )
    teacher = SgmTeacher()
    np.testing.assert_array_equal(teacher.predict(mirrored), teacher.predict(left)[:, ::-1])
