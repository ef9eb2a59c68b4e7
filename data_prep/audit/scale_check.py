"""Is a teacher's scale right? Tells a mis-scaled checkpoint from noise by its ratio to LiDAR.

A line `teacher_px = scale * lidar_px + shift_px` is laid through the medians of a dozen bins of
LiDAR's disparity. Its slope is what a wrong checkpoint, focal length or baseline changes; its shift
is what cropped pictures change, or a calibration that is half a pixel off; what scatters around
it is noise. The limits below were set by the 84 single frames of KITTI that the tests use, where
two right teachers (PSMNet, semi-global matching) gave slopes of 0.985 to 1.029, shifts of -1.14 to
0.84 px, and half of the points within 1.2 to 5.2 % of each other off the line; the same disparities
shuffled within their frame gave 90 % or more.
"""

import contextlib
import dataclasses
import itertools
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from data_prep.audit.findings import (
    MASK_THRESHOLDS_PX,
    Findings,
    FrameFindings,
    LidarPoints,
    examine_sample,
    joined_points,
    points_of,
)
from data_prep.jobs.labels import Labeller
from mtdepth.datasets.frames import FrameId
from mtdepth.files import UserError
from teachers.interface import StereoSample, load_sample
from teachers.sgm import SgmTeacher

Floats = npt.NDArray[np.floating[Any]]

Cause = (
    Literal["right", "align_corners", "scaled", "shifted", "bent", "unsteady", "swapped"]
    | Literal["noise", "sparse", "too few points", "views agree", "views disagree"]
)
GOOD_CAUSES: tuple[Cause, ...] = ("right", "views agree")
# The two pictures do not belong together, or nothing that was computed belongs to them.
UNMATCHED: tuple[Cause, ...] = ("noise", "sparse", "views disagree")
# Right but for a factor, which is known.
SCALED: tuple[Cause, ...] = ("align_corners", "scaled")
# What exchanged views look like once they are put right: matched, whatever the scale.
MATCHED: tuple[Cause, ...] = ("right", *SCALED, "shifted", "views agree")

# PSMNet's upsampling with align_corners the wrong way, as its users report it.
ALIGN_CORNERS_FACTOR = 1.17
# What disparities of files in other units are times what they should be, read as pixels or metres
# times 256.
UNIT_FACTORS = {
    1 / 16: "does the file hold pixels times 16, as OpenCV's own disparity, not times 256?",
    0.25: "does the file hold pixels times 64, or depth in millimetres, not times 256?",
    1 / 256: "does the file hold whole pixels, not times 256?",
    256 / 5000: "does the file hold metres times 5000, not times 256?",
    2.56: "does the file hold depth in centimetres, not metres times 256?",
}
# ours: twice the largest slope error of a single right frame; still far from 1.17.
SCALE_TOLERANCE = 0.06
MAX_SHIFT_PX = 2.5  # ours: twice the largest shift of a right frame
# ours: half of the points within a factor of exp(0.3) = 1.35 of each other; right teachers 1.05 at
# most, shuffled disparities 1.9 at least.
MAX_SPREAD = 0.3
# ours: a slope flatter than this share of the median ratio does not follow LiDAR's; shuffled
# disparities have 0.04 at most.
MIN_SLOPE = 0.2
MAX_BEND = 0.25  # ours: a bin's log ratio off the line; right single frames have 0.14 at most
MAX_FRAME_SPREAD = 0.1  # ours: right teachers' frames lie within 0.02 of each other
MIN_DENSITY = 0.2  # ours: a matcher on two unrelated pictures finds a tenth
MIN_AGREEMENT = 0.3  # ours: semi-global matching has 0.82 on KITTI, 0.1 on unrelated pictures
AGREEMENT_PX = 1.0
MIN_POINTS = 300  # ours: 25 a bin
NUM_BINS = 12
MIN_BIN_DISTANCE_PX = 2.0  # ours: the slope between nearer bins is noise


@dataclasses.dataclass(frozen=True, kw_only=True)
class RatioBin:
    """Ratios in one of the bins of LiDAR's disparity, which hold equally many points.

    Attributes:
      lidar_px: Median of LiDAR's disparity.
      teacher_px: Median of the teacher's.
      ratio: Their quotient.
      low: Lower quartile of the points' ratios.
      high: Upper quartile.
    """

    lidar_px: float
    teacher_px: float
    ratio: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class RatioStatistics:
    """How the teacher's disparities go with LiDAR's.

    Attributes:
      num_points: Points with both.
      density: Share of the LiDAR points that have teacher depth.
      ratio: Median of teacher's disparity / LiDAR's.
      scale: Slope of the line through the bins.
      shift_px: Its value at 0.
      spread: Interquartile range of the natural logarithm of teacher's disparity / line's, each
        frame beside its own median.
      bend: Largest of the bins' |log(teacher's disparity / line's)|.
      frame_ratios: 5, 25, 50, 75 and 95 percent points of single frames' median ratio.
      bins: From far to near.
    """

    num_points: int
    density: float
    ratio: float
    scale: float
    shift_px: float
    spread: float
    bend: float
    frame_ratios: tuple[float, ...]
    bins: list[RatioBin]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is the matter with a teacher, if anything.

    Attributes:
      cause: In one word.
      sentence: For people.
      statistics: None without LiDAR, or with too few points.
    """

    cause: Cause
    sentence: str
    statistics: RatioStatistics | None = None

    @property
    def is_good(self) -> bool:
        """Whether labels may be made."""
        return self.cause in GOOD_CAUSES


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
    found = examine_sample(labeller, sample, compare_views=compare_views)
    if found.points is None and not labeller.job.teachers.depth_judges_others:
        with contextlib.suppress(UserError):  # of a rig of one camera
            both = load_sample(labeller.raw, frame, needs_partner=True)
            matched = judge_by_matching(both, labeller.depth_teacher.predict(both))
            return dataclasses.replace(matched, sentence=f"no LiDAR; {matched.sentence}")
    verdict = _judged(found)
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


def judge(findings: Findings) -> Verdict:
    """Judges by LiDAR where there is any, else by the agreement of the two views."""
    if findings.points is not None:
        return judge_by_lidar(findings.points.in_scored_range())
    return judge_by_agreement(findings.agreement)


def judge_by_lidar(points: LidarPoints) -> Verdict:
    """Judges a teacher's scale by LiDAR.

    Args:
      points: From 1 to 80 m, with teacher depth or without.
    """
    num_points = len(points.lidar_m)
    density = float(np.mean(points.has_depth)) if num_points else 0.0
    if num_points >= MIN_POINTS and density < MIN_DENSITY:
        return Verdict(
            cause="sparse",
            sentence=f"the teacher has depth at only {density:.0%} of the LiDAR points: the two "
            "pictures do not match; are they of one moment, rectified, and left and right?",
        )
    if np.count_nonzero(points.has_depth) < MIN_POINTS:
        return Verdict(
            cause="too few points",
            sentence=f"{num_points} LiDAR points, {density:.0%} of them with teacher depth, are "
            f"too few to tell a scale (at least {MIN_POINTS} are needed): give more frames",
        )
    return judge_statistics(ratio_statistics(points))


def judge_by_matching(sample: StereoSample, depth_m: Floats) -> Verdict:
    """Judges depth without LiDAR, by what semi-global matching finds in the two views.

    Args:
      sample: With its partner.
      depth_m: `[height, width]` as the teacher made it or a file holds it, 0 = none.
    """
    rows = np.s_[::2, ::2]  # a quarter of the pixels is plenty
    matched_m = SgmTeacher().predict(sample)
    points = points_of(
        matched_m[rows],
        depth_m[rows],
        focal_baseline_px_m=sample.focal_px * sample.pair_baseline_m,
    )
    verdict = judge_by_lidar(points.in_scored_range())
    said = verdict.sentence.replace("LiDAR points", "pixels that match")
    sentence = said.replace("LiDAR's", "those of matching the two views")
    return dataclasses.replace(verdict, sentence=sentence)


def judge_by_agreement(agreement: tuple[float, ...] | None) -> Verdict:
    """Judges without LiDAR, where only the views can be compared.

    Args:
      agreement: Share of all pixels within each of `MASK_THRESHOLDS_PX`.

    Raises:
      UserError: If the views were not compared either.
    """
    if agreement is None:
        raise UserError(
            "no frame has LiDAR and the teacher's two views were not compared, so there is nothing "
            "to judge by: give frames with LiDAR, or a teacher and --compare_views"
        )
    share = agreement[MASK_THRESHOLDS_PX.index(AGREEMENT_PX)]
    said = f"no LiDAR; both views agree within {AGREEMENT_PX:g} px on {share:.0%} of the pixels"
    if share < MIN_AGREEMENT:
        return Verdict(
            cause="views disagree",
            sentence=f"{said}: noise, or the two pictures do not match; are they of one moment, "
            "rectified, and left and right?",
        )
    return Verdict(
        cause="views agree",
        sentence=f"{said}: no noise, but a wrong scale passes this check",
    )


def ratio_statistics(points: LidarPoints) -> RatioStatistics:
    """Lays the line through the bins.

    Args:
      points: At least `MIN_POINTS` with teacher depth.
    """
    known = points.of(points.has_depth)
    from scipy import ndimage  # a process that labels never comes here

    lidar_px = known.lidar_px.astype(np.float64)
    teacher_px = known.predicted_px.astype(np.float64)
    ratio = teacher_px / lidar_px
    bins = _ratio_bins(lidar_px, ratio)
    scale, shift_px = _line_through(bins)
    # A line that falls below 0 somewhere explains nothing there; a tenth of a pixel is far enough.
    least_px = 0.1 * float(np.clip(scale, 1e-3, 1.0))
    line_px = np.maximum(scale * lidar_px + shift_px, least_px)
    off_line = np.log(teacher_px / line_px)
    bends = [
        abs(np.log(each.teacher_px / max(scale * each.lidar_px + shift_px, least_px)))
        for each in bins
    ]
    # Each frame beside its own middle: relative depth is no noise.
    frames, of_frame = np.unique(known.frame, return_inverse=True)
    off_line -= ndimage.median(off_line, of_frame, range(len(frames)))[of_frame]
    by_frame = ndimage.median(ratio, of_frame, range(len(frames)))
    return RatioStatistics(
        num_points=len(ratio),
        density=len(ratio) / len(points.lidar_m),
        ratio=float(np.median(ratio)),
        scale=scale,
        shift_px=shift_px,
        spread=float(np.subtract(*np.percentile(off_line, [75, 25]))),
        bend=float(max(bends)),
        frame_ratios=tuple(np.percentile(by_frame, [5, 25, 50, 75, 95]).tolist()),
        bins=bins,
    )


def judge_statistics(found: RatioStatistics) -> Verdict:
    """Finds the first cause that explains the ratios; noise first, since it explains anything."""
    cause, text = _cause_of(found)
    numbers = (
        f"disparities are {found.scale:.3f} times LiDAR's, shifted by {found.shift_px:+.2f} px, "
        f"half of them within {np.expm1(found.spread):.1%} of each other"
    )
    return Verdict(cause=cause, sentence=f"{text} ({numbers})", statistics=found)


def _cause_of(found: RatioStatistics) -> tuple[Cause, str]:
    low, high = found.frame_ratios[1], found.frame_ratios[3]
    for factor, question in UNIT_FACTORS.items():
        follows = found.scale > 0 and is_within_tolerance(found.scale, factor)
        if follows and found.spread <= MAX_SPREAD and is_within_tolerance(found.ratio, factor):
            way = (
                f"{1 / factor:.3g} times too small"
                if factor < 1
                else f"{factor:.3g} times too large"
            )
            return "scaled", f"disparities are {way}: {question}"
    if found.spread > MAX_SPREAD or found.scale < MIN_SLOPE * found.ratio:
        return "noise", "noise: the disparities have no ratio to LiDAR's that holds"
    if np.log(high / low) > MAX_FRAME_SPREAD:
        return "unsteady", (
            f"every frame has a scale of its own (half of them {low:.2f} to {high:.2f}): the depth "
            "is relative, not metric"
        )
    is_right = is_within_tolerance(found.scale, 1.0)
    if found.bend > MAX_BEND or (not is_right and abs(found.shift_px) > MAX_SHIFT_PX):
        return "bent", (
            "the ratio to LiDAR's disparities changes with distance, not by a scale or a shift: "
            "what was given is not disparity, or not depth, in the units that were said"
        )
    if is_right:
        if abs(found.shift_px) > MAX_SHIFT_PX:
            return "shifted", (
                f"disparities are off by {found.shift_px:+.1f} px at all distances: the pictures "
                "were cropped or rectified otherwise than the calibration says"
            )
        return "right", "the scale is right"
    return _cause_of_scale(found.scale)


def _cause_of_scale(scale: float) -> tuple[Cause, str]:
    remedy = (
        "align_corners of the checkpoint is set the wrong way; make the disparities again with the "
        "other setting"
    )
    for expected, way in ((1 / ALIGN_CORNERS_FACTOR, "small"), (ALIGN_CORNERS_FACTOR, "large")):
        if is_within_tolerance(scale, expected):
            factor = f"about {ALIGN_CORNERS_FACTOR:g} times too {way}"
            return "align_corners", f"disparities are {factor}: {remedy}"
    return "scaled", (
        f"disparities are {scale:.3f} times what they should be at all distances: focal length or "
        "baseline is wrong, or they count pixels of a picture of another width, or other units"
    )


def is_within_tolerance(scale: float, expected: float) -> bool:
    """Whether a slope is what is expected, up to what single right frames differ."""
    return abs(float(np.log(scale / expected))) <= np.log1p(SCALE_TOLERANCE)


def _ratio_bins(lidar_px: Floats, ratio: Floats) -> list[RatioBin]:
    bins = []
    # Sorted and cut, so that many equal disparities cannot leave a bin empty.
    for part in np.array_split(np.argsort(lidar_px, kind="stable"), NUM_BINS):
        low, high = np.percentile(ratio[part], [25, 75])
        middle_px = float(np.median(lidar_px[part]))
        teacher_px = float(np.median(ratio[part] * lidar_px[part]))
        bins.append(
            RatioBin(
                lidar_px=middle_px,
                teacher_px=teacher_px,
                ratio=teacher_px / middle_px,
                low=float(low),
                high=float(high),
            )
        )
    return bins


def _line_through(bins: list[RatioBin]) -> tuple[float, float]:
    """Scale and shift: the median slope of all pairs of bins (Theil 1950, Sen 1968)."""
    slopes = [
        (near.teacher_px - far.teacher_px) / (near.lidar_px - far.lidar_px)
        for far, near in itertools.combinations(bins, 2)
        if near.lidar_px - far.lidar_px > MIN_BIN_DISTANCE_PX
    ]
    # One distance alone, a wall, tells scale and shift not apart: all of it is scale.
    scale = float(np.median(slopes if slopes else [each.ratio for each in bins]))
    shift_px = float(np.median([each.teacher_px - scale * each.lidar_px for each in bins]))
    return scale, shift_px if slopes else 0.0
