"""Left-right consistency: how far the depths of a pair's two views contradict each other.

A pixel of the left view points, by its disparity, to a pixel of the right one, whose disparity
should point back. The distance between where it comes back to and where it began is a confidence
that needs no truth (Egnal and Wildes 2002): it is large where one view hides what the other sees,
and where the matcher guessed. An error that both views make alike, such as a wrong scale, passes.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mtdepth.files import UserError
from teachers.interface import DepthTeacher, Floats, StereoSample, Teacher


def left_right_difference_px(left_px: Floats, right_px: Floats) -> Floats:
    """How far a left pixel's match in the right view points past it.

    The match is rounded to the nearest pixel, so that the right view's disparities are compared as
    they are, never blended over an edge.

    Args:
      left_px: `[height, width]` disparity of the left view; <= 0 or NaN is unmatched.
      right_px: `[height, width]` disparity of the right view, positive likewise.

    Returns:
      `[height, width]` absolute difference of the two disparities; infinite where it cannot be
      known: no disparity here, the match lies outside the right view, or has no disparity there.

    Raises:
      ValueError: If the views differ in size.
    """
    if left_px.shape != right_px.shape:
        raise ValueError(f"two views of one size, got {left_px.shape} and {right_px.shape}")
    height, width = left_px.shape
    matched_px = np.where(left_px > 0, left_px, 0)
    # Compared as floats: a broken disparity may lie beyond the range of any integer.
    target = np.rint(np.arange(width)[None, :] - matched_px)
    is_inside = (matched_px > 0) & (target >= 0)
    column = np.where(is_inside, target, 0).astype(np.intp)
    back_px = right_px[np.arange(height)[:, None], column]
    is_known = is_inside & (back_px > 0)
    difference_px = np.abs(matched_px - np.where(is_known, back_px, 0))
    return np.where(is_known, difference_px, np.inf).astype(np.float32)


class LeftRightChecked(Teacher[Floats]):
    """A depth teacher that keeps depth only where its answers for both views agree.

    The teacher is asked twice a frame, so labels take twice as long. What the partner does not see
    (a band at the picture's edge, and behind every near thing) loses its depth.
    """

    needs_partner = True

    def __init__(self, teacher: DepthTeacher, *, max_difference_px: float) -> None:
        if not max_difference_px > 0:
            raise UserError(f"--left_right_px must be positive, got {max_difference_px}")
        self._teacher = teacher
        self._max_difference_px = max_difference_px
        self.name = teacher.name
        self.version = f"{teacher.version}, both views within {max_difference_px:g} px"
        self.source = f"{teacher.source}, kept where both views agree"

    def predict_batch(self, samples: Sequence[StereoSample]) -> list[Floats]:
        """Depth of each labelled view, 0 where the views disagree; the samples are of one size."""
        return [
            np.where(difference_px <= self._max_difference_px, depth_m, np.float32(0))
            for depth_m, difference_px in depth_and_difference(self._teacher, samples)
        ]


def depth_and_difference(
    teacher: DepthTeacher, samples: Sequence[StereoSample]
) -> list[tuple[Floats, Floats]]:
    """Depth of each labelled view, and how far it contradicts that of the partner's view.

    Args:
      teacher: Asked for both views.
      samples: With partners, all of one size.

    Returns:
      For each sample `[height, width]` metres, 0 = none, and `[height, width]` of
      `left_right_difference_px`.

    Raises:
      ValueError: If a partner was not loaded.
      FileNotFoundError: If a file that the teacher reads for either view is missing.
      DataError: If such a file is damaged.
    """
    partners = [partner_sample(sample) for sample in samples]
    # Two batches, so that the teacher's memory is that of the batch which was chosen for it.
    own_m, partner_m = teacher.predict_batch(samples), teacher.predict_batch(partners)
    return [
        (depth_m, _difference_px(sample, depth_m, other_m))
        for sample, depth_m, other_m in zip(samples, own_m, partner_m, strict=True)
    ]


def partner_sample(sample: StereoSample) -> StereoSample:
    """The same pair with the partner's view as the labelled one.

    Its focal length is that of the sample: rectified views have one.

    Raises:
      ValueError: If the partner was not loaded.
    """
    if sample.partner is None:
        raise ValueError(f"frame {sample.frame} was loaded without its partner view")
    return dataclasses.replace(
        sample,
        frame=sample.frame.other_side,
        image=sample.partner,
        partner=sample.image,
    )


def _difference_px(sample: StereoSample, own_m: Floats, partner_m: Floats) -> Floats:
    # Turned as `as_left_pair` turns pictures; the turn is its own inverse.
    own_px, partner_px = (
        sample.disparity_px(sample.from_left_pair(depth_m)) for depth_m in (own_m, partner_m)
    )
    return sample.from_left_pair(left_right_difference_px(own_px, partner_px))
