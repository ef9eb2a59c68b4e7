"""What a teacher is given."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.kitti_tree import build_kitti_tree

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.files import DataError
from teachers.interface import StereoSample, load_sample


@pytest.fixture
def raw(tmp_path: Path) -> KittiRaw:
    return KittiRaw(build_kitti_tree(tmp_path / "raw"))


def first(raw: KittiRaw) -> FrameId:
    return raw.frames_of(raw.drives()[0])[0]


def test_the_partner_of_a_right_frame_is_the_left_one(raw: KittiRaw) -> None:
    frame = first(raw)
    left = load_sample(raw, frame, needs_partner=True)
    right = load_sample(raw, frame.other_side, needs_partner=True)
    np.testing.assert_array_equal(left.image, right.partner)
    np.testing.assert_array_equal(left.partner, right.image)


def test_a_right_frame_is_mirrored_into_a_left_pair_and_back(raw: KittiRaw) -> None:
    sample = load_sample(raw, first(raw).other_side, needs_partner=True)
    view, partner = sample.as_left_pair()
    np.testing.assert_array_equal(view, sample.image[:, ::-1])
    np.testing.assert_array_equal(partner, sample.partner[:, ::-1])  # type: ignore[index]
    np.testing.assert_array_equal(sample.from_left_pair(view[..., 0]), sample.image[..., 0])


def test_the_focal_length_follows_shrunk_pictures(raw: KittiRaw) -> None:
    frame = first(raw)
    before = load_sample(raw, frame, needs_partner=False).focal_px
    path = raw.image_path(frame)
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (96, 32)))
    assert load_sample(raw, frame, needs_partner=False).focal_px == pytest.approx(before / 2)


def test_a_cropped_pair_is_named(raw: KittiRaw) -> None:
    frame = first(raw)
    for each in (frame, frame.other_side):
        path = raw.image_path(each)
        cv2.imwrite(str(path), cv2.imread(str(path))[:, 20:])
    with pytest.raises(DataError, match=r"image_02/data/.*aspect ratio differs by 10\.4%"):
        load_sample(raw, frame, needs_partner=True)


def test_a_missing_right_image_is_named(raw: KittiRaw) -> None:
    frame = first(raw)
    raw.image_path(frame.other_side).unlink()
    with pytest.raises(FileNotFoundError, match=r"right image of frame .*image_03"):
        load_sample(raw, frame, needs_partner=True)
    assert load_sample(raw, frame, needs_partner=False).partner is None


def test_views_of_two_sizes_are_no_pair(raw: KittiRaw) -> None:
    frame = first(raw)
    path = raw.image_path(frame.other_side)
    cv2.imwrite(str(path), cv2.imread(str(path))[:, :100])
    with pytest.raises(DataError, match="a rectified pair has one size"):
        load_sample(raw, frame, needs_partner=True)


def test_asking_for_a_partner_that_was_not_loaded_is_an_error() -> None:
    sample = StereoSample(
        frame=FrameId("2011_09_26_drive_0001_sync", 0),
        image=np.zeros((2, 3, 3), np.uint8),
        partner=None,
        focal_px=1.0,
        baseline_m=1.0,
    )
    with pytest.raises(ValueError, match="without its partner"):
        sample.as_left_pair()
