"""Left-right consistency: known contradictions, the mirrored side, and what a mask keeps."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.datasets.frames import FrameId
from teachers.consistency import (
    LeftRightChecked,
    depth_and_difference,
    left_right_difference_px,
    partner_sample,
)
from teachers.interface import StereoSample

Floats = npt.NDArray[np.float32]
FOCAL_PX, BASELINE_M = 100.0, 0.5
LEFT = FrameId("2011_09_26_drive_0001_sync", 5)
RIGHT = FrameId("2011_09_26_drive_0001_sync", 5, "r")


def disparities(*rows: list[float]) -> Floats:
    return np.array(rows, np.float32)


def test_the_difference_is_that_of_the_pixel_which_the_match_points_to() -> None:
    # Column 3 points to 3 - 2 = 1, which says 2.5; column 2 to 2 - 1.4 = 0.6, rounded 1: 2.5 too;
    # column 1 to -1, outside; column 0 has none; column 4 to 4 - 1 = 3, which has none.
    left_px = disparities([0, 2, 1.4, 2, 1])
    right_px = disparities([9, 2.5, 9, 0, 9])
    found_px = left_right_difference_px(left_px, right_px)
    expected = [np.inf, np.inf, 1.1, 0.5, np.inf]
    np.testing.assert_allclose(found_px[0], expected, rtol=1e-6)  # float32


def test_broken_disparities_agree_with_nothing() -> None:
    left_px = disparities([np.nan, np.inf, 1e30, -1, 1])
    right_px = disparities([1, 1, 1, np.nan, 1])
    assert np.isinf(left_right_difference_px(left_px, right_px)).all()


def test_views_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one size, got \(1, 2\) and \(1, 3\)"):
        left_right_difference_px(disparities([1, 1]), disparities([1, 1, 1]))


@given(disparity_px=st.integers(1, 20), wrong_by_px=st.floats(0, 10, width=32))
def test_a_plane_differs_by_what_the_other_view_is_wrong(
    disparity_px: int, wrong_by_px: float
) -> None:
    left_px = np.full((3, 32), disparity_px, np.float32)
    found_px = left_right_difference_px(left_px, left_px + np.float32(wrong_by_px))
    np.testing.assert_allclose(found_px[:, disparity_px:], wrong_by_px, atol=1e-5)  # float32
    assert np.isinf(found_px[:, :disparity_px]).all()


class Stripes:
    """A teacher that answers each side from a fixed disparity row."""

    name = "stripes"
    version = "1"
    source = "a test"
    needs_partner = False

    def __init__(self, left_px: list[float], right_px: list[float]) -> None:
        self._row = {"l": disparities(left_px), "r": disparities(right_px)}

    def predict(self, sample: StereoSample) -> Floats:
        row_px = self._row[sample.frame.side]
        product = sample.focal_px * sample.baseline_m
        return np.where(row_px > 0, product / np.where(row_px > 0, row_px, 1), 0).astype(np.float32)

    def predict_batch(self, samples: Sequence[StereoSample]) -> list[Floats]:
        return [self.predict(sample) for sample in samples]


def sample(frame: FrameId) -> StereoSample:
    shades = [np.full((1, 6, 3), shade, np.uint8) for shade in (10, 20)]
    image, partner = shades if frame.side == "l" else shades[::-1]
    return StereoSample(
        frame=frame, image=image, partner=partner, focal_px=FOCAL_PX, baseline_m=BASELINE_M
    )


# A near strip (disparity 2) at left columns 3-4, right columns 1-2, before a wall of disparity 1.
# Left column 2 is hidden from the right view, right column 3 from the left one.
SCENE = Stripes([1, 1, 1, 2, 2, 1], [1, 2, 2, 1, 1, 1])


def test_only_what_both_views_see_keeps_its_depth() -> None:
    checked = LeftRightChecked(SCENE, max_difference_px=0.5)
    # Column 0 points outside the right view; 1 at right 0: 1; 2 at right 1: 2, hidden; 3, 4 agree;
    # 5 at right 4: 1. Depth is 100 * 0.5 / disparity.
    np.testing.assert_array_equal(checked.predict(sample(LEFT))[0], [0, 50, 0, 25, 25, 50])
    # From the right view a point lies to the right in the left one: 0 at left 1: 1; 1 at left 3: 2;
    # 2 at left 4: 2; 3 at left 4: 2, hidden; 4 at left 5: 1; 5 at left 6, outside.
    np.testing.assert_array_equal(checked.predict(sample(RIGHT))[0], [50, 25, 25, 0, 50, 0])


def test_a_batch_is_what_single_frames_are() -> None:
    checked = LeftRightChecked(SCENE, max_difference_px=0.5)
    both = checked.predict_batch([sample(LEFT), sample(RIGHT)])
    for found, frame in zip(both, (LEFT, RIGHT), strict=True):
        np.testing.assert_array_equal(found, checked.predict(sample(frame)))


def test_depth_and_difference_keep_what_a_mask_would_take() -> None:
    ((depth_m, difference_px),) = depth_and_difference(SCENE, [sample(LEFT)])
    np.testing.assert_array_equal(depth_m, SCENE.predict(sample(LEFT)))
    np.testing.assert_array_equal(difference_px[0], [np.inf, 0, 1, 0, 0, 0])


def test_the_partners_sample_exchanges_side_and_pictures() -> None:
    other = partner_sample(sample(LEFT))
    assert (other.frame, other.image[0, 0, 0]) == (RIGHT, 20)
    assert other.partner is not None
    assert other.partner[0, 0, 0] == 10
    lonely = StereoSample(frame=LEFT, image=other.image, partner=None, focal_px=1.0, baseline_m=1.0)
    with pytest.raises(ValueError, match="without its partner"):
        partner_sample(lonely)


def test_a_checked_teacher_says_so() -> None:
    checked = LeftRightChecked(SCENE, max_difference_px=1.5)
    assert (checked.name, checked.needs_partner) == ("stripes", True)
    assert checked.version == "1, both views within 1.5 px"
    assert checked.source == "a test, kept where both views agree"
    with pytest.raises(ValueError, match="--left_right_px must be positive, got 0"):
        LeftRightChecked(SCENE, max_difference_px=0)
