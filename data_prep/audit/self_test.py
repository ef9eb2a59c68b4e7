"""The self-test on one pair: a wrong scale, exchanged views or noise, before hours are spent."""

import dataclasses

from data_prep.audit.findings import Findings, FrameFindings, examine_sample, joined_points
from data_prep.audit.scale_check import UNMATCHED, Cause, Verdict, judge
from data_prep.jobs.labels import Labeller
from mtdepth.datasets.frames import FrameId
from teachers.interface import StereoSample, load_sample

# What exchanged views look like once they are put right: matched, whatever the scale.
MATCHED: tuple[Cause, ...] = ("right", "align_corners", "scaled", "shifted", "views agree")


def judge_pair(labeller: Labeller, frame: FrameId, *, compare_views: bool) -> Verdict:
    """Judges the depth teacher by one frame.

    Where nothing matches, a teacher that looks at both views is asked again with the two pictures
    exchanged: if they match then, left and right were swapped.

    Args:
      labeller: With the teacher.
      frame: With LiDAR, if any has it.
      compare_views: Whether the teacher also answers for the partner's view.

    Raises:
      OSError, UserError, DataError: If the frame cannot be read or predicted, or there is neither
        LiDAR nor a second view to judge by.
    """
    needs_partner = labeller.depth_teacher.needs_partner or compare_views
    sample = load_sample(labeller.raw, frame, needs_partner=needs_partner)
    verdict = _judged(examine_sample(labeller, sample, compare_views=compare_views))
    if verdict.cause not in UNMATCHED or not labeller.depth_teacher.needs_partner:
        return verdict
    exchanged = _judged(examine_sample(labeller, _exchanged(sample), compare_views=compare_views))
    if exchanged.cause not in MATCHED:
        return verdict
    return Verdict(
        cause="swapped",
        sentence="left and right pictures are swapped: as given they do not match, exchanged "
        f"{exchanged.sentence}",
        statistics=exchanged.statistics,
    )


def _judged(found: FrameFindings) -> Verdict:
    return judge(Findings(frames=[found], points=joined_points([found]), left_out=[]))


def _exchanged(sample: StereoSample) -> StereoSample:
    if sample.partner is None:
        raise ValueError(f"frame {sample.frame} was loaded without its partner view")
    return dataclasses.replace(sample, image=sample.partner, partner=sample.image)
