"""What an audit knows of each frame: the teacher's depth at every LiDAR point, and its density."""

import dataclasses
import functools
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from absl import logging

from data_prep.audit.bias_evidence import FAR_M, NEAR_M, BiasEvidence
from data_prep.jobs.labels import LabelJob, Labeller, TeacherWorker
from data_prep.jobs.run import Pool, run_frames
from mtdepth.attempts import Failed, attempt
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_map import IGNORE_ID
from mtdepth.files import UserError
from teachers.consistency import depth_and_difference
from teachers.interface import StereoSample, load_sample

Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]

# Left-right disagreements by which labels could be masked, pixels of the picture. ours: from finer
# than any matcher's own noise to KITTI's limit of an outlier.
MASK_THRESHOLDS_PX = (0.25, 0.5, 1.0, 2.0, 3.0)
NUM_SHOWN_REASONS = 3


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LidarPoints:
    """A teacher's depth where LiDAR hit, about 0.6 MB a frame.

    Attributes:
      lidar_m: `[n]` LiDAR depth, > 0.
      predicted_m: `[n]` uncorrected teacher's depth of the same pixels, 0 where it has none.
      focal_baseline_px_m: `[n]` focal length times baseline: disparity times depth.
      row: `[n]` height in the picture, 0 (top) up to but not including 1.
      column: `[n]` place across the picture, 0 (left) up to but not including 1.
      train_id: `[n]` class by the segmentation teacher, 255 where unknown.
      difference_px: `[n]` of `left_right_difference_px`; None where it was not asked for.
      frame: `[n]` number of the frame.
    """

    lidar_m: Floats
    predicted_m: Floats
    focal_baseline_px_m: Floats
    row: Floats
    column: Floats
    train_id: npt.NDArray[np.uint8]
    difference_px: Floats | None
    frame: npt.NDArray[np.int32]

    @property
    def has_depth(self) -> Bools:
        """`[n]`: where the teacher says anything."""
        return self.predicted_m > 0

    @property
    def lidar_px(self) -> Floats:
        """`[n]` the disparity that LiDAR's depth would have."""
        return self.focal_baseline_px_m / self.lidar_m

    @property
    def predicted_px(self) -> Floats:
        """`[n]` the teacher's disparity, 0 where it has none."""
        known_m = np.where(self.has_depth, self.predicted_m, 1)
        return np.where(self.has_depth, self.focal_baseline_px_m / known_m, 0)

    def of(self, chosen: Bools) -> "LidarPoints":
        """The chosen points alone."""
        columns: dict[str, Any] = {
            name: None if values is None else values[chosen]
            for name, values in ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self))
        }
        return LidarPoints(**columns)

    def in_scored_range(self) -> "LidarPoints":
        """The points from 1 to 80 m, which every figure of an audit is about."""
        return self.of((self.lidar_m >= NEAR_M) & (self.lidar_m <= FAR_M))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FrameFindings:
    """What was found on one frame.

    Attributes:
      frame: The frame.
      size_px: Height and width of its picture.
      density: Share of all pixels that have depth.
      agreement: By `MASK_THRESHOLDS_PX`, share of all pixels that a mask would keep; None where
        the two views were not compared.
      points: None where the frame has no LiDAR.
    """

    frame: FrameId
    size_px: tuple[int, int]
    density: float
    agreement: tuple[float, ...] | None
    points: LidarPoints | None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Findings:
    """What was found on all frames.

    Attributes:
      frames: Sorted; a point's `frame` counts them.
      points: Of all frames that have LiDAR; None where none has.
      left_out: Frames that could not be read, with the reason.
    """

    frames: list[FrameFindings]
    points: LidarPoints | None
    left_out: list[tuple[FrameId, str]]

    @property
    def density(self) -> float:
        """Share of all pixels that have depth, mean over frames."""
        return float(np.mean([found.density for found in self.frames]))

    @property
    def agreement(self) -> tuple[float, ...] | None:
        """By `MASK_THRESHOLDS_PX`, share of all pixels that a mask would keep, mean over frames."""
        shares = [found.agreement for found in self.frames if found.agreement is not None]
        return tuple(np.mean(shares, axis=0).tolist()) if shares else None

    def bias_evidence(self) -> BiasEvidence:
        """The pairs that a bias table is fitted to.

        Raises:
          UserError: If there is none.
        """
        if self.points is None or not self.points.has_depth.any():
            raise UserError("the teacher has no depth at any LiDAR point, so no bias can be seen")
        pairs = self.points.of(self.points.has_depth)
        names = [found.frame.drive for found in self.frames if found.points is not None]
        drives = {name: number for number, name in enumerate(sorted(set(names)))}
        drive_of_frame = np.array([drives.get(found.frame.drive, -1) for found in self.frames])
        return BiasEvidence(
            predicted_m=pairs.predicted_m,
            lidar_m=pairs.lidar_m,
            drive=drive_of_frame[pairs.frame],
            num_drives=len(drives),
            num_frames=len(names),
        )


def collect_findings(
    frames: Sequence[FrameId], job: LabelJob, *, compare_views: bool, pool: Pool
) -> Findings:
    """Runs the teachers over frames; one that cannot be read is left out, with a warning.

    Args:
      frames: With LiDAR or without.
      job: The teachers; no bias, no output.
      compare_views: Whether the depth teacher also answers for the partner's view.
      pool: Where workers run.

    Raises:
      UserError: If no frame can be read, with the first one's reason.
    """
    worker = ExamineFrame(job, compare_views=compare_views)
    results = sorted(
        run_frames(worker, frames, pool=pool, title="audit"),
        key=operator.itemgetter(0),  # so that nothing depends on which worker was first
    )
    left_out = [(frame, found.why) for frame, found in results if isinstance(found, Failed)]
    for frame, reason in left_out[:NUM_SHOWN_REASONS]:
        logging.warning("left out of the audit: frame %s: %s", frame, reason)
    if len(left_out) > NUM_SHOWN_REASONS:
        logging.warning("left out: %d frames in all; the page lists them", len(left_out))
    found = [found for _, found in results if not isinstance(found, Failed)]
    if not found:
        frame, reason = left_out[0]
        raise UserError(f"none of {len(frames)} frames can be read; frame {frame}: {reason}")
    return Findings(frames=found, points=joined_points(found), left_out=left_out)


class ExamineFrame(TeacherWorker):
    """Teacher and LiDAR of a frame.

    Args:
      job: The teachers.
      compare_views: See `collect_findings`.
    """

    def __init__(self, job: LabelJob, *, compare_views: bool) -> None:
        super().__init__(job)
        self._compare_views = compare_views

    def __call__(
        self, frames: Iterable[FrameId]
    ) -> Iterator[tuple[FrameId, FrameFindings | Failed]]:
        """Frame and findings, in the order of the frames."""
        examine = functools.partial(examine_frame, self.labeller, compare_views=self._compare_views)
        return ((frame, attempt(examine, frame)) for frame in frames)


def examine_frame(labeller: Labeller, frame: FrameId, *, compare_views: bool) -> FrameFindings:
    """Reads a frame and examines it.

    Raises:
      OSError, UserError, DataError: If the frame cannot be read or predicted.
    """
    needs_partner = labeller.depth_teacher.needs_partner or compare_views
    sample = load_sample(labeller.raw, frame, needs_partner=needs_partner)
    return examine_sample(labeller, sample, compare_views=compare_views)


def examine_sample(
    labeller: Labeller, sample: StereoSample, *, compare_views: bool
) -> FrameFindings:
    """Teacher and LiDAR of one frame that was read.

    Raises:
      OSError, UserError, DataError: If the frame cannot be predicted, or its sweep is damaged.
    """
    difference_px = agreement = points = None
    if compare_views:
        ((depth_m, difference_px),) = depth_and_difference(labeller.depth_teacher, [sample])
        agreement = tuple(float(np.mean(difference_px <= most)) for most in MASK_THRESHOLDS_PX)
    else:
        depth_m = labeller.depth_teacher.predict(sample)
    if labeller.raw.velodyne_path(sample.frame).is_file():
        points = points_of(
            labeller.lidar_depth(sample),
            depth_m,
            focal_baseline_px_m=sample.focal_px * sample.pair_baseline_m,
            train_id=labeller.seg_teacher.predict(sample) if labeller.seg_teacher else None,
            difference_px=difference_px,
        )
    return FrameFindings(
        frame=sample.frame,
        size_px=sample.size_px,
        density=float(np.mean(depth_m > 0)),
        agreement=agreement,
        points=points,
    )


def points_of(
    lidar_m: Floats,
    depth_m: Floats,
    *,
    focal_baseline_px_m: float,
    train_id: npt.NDArray[np.uint8] | None = None,
    difference_px: Floats | None = None,
) -> LidarPoints:
    """Takes a frame's pictures apart into its LiDAR points.

    Args:
      lidar_m: `[height, width]`, 0 where no point falls.
      depth_m: `[height, width]` teacher's depth, 0 where none.
      focal_baseline_px_m: Focal length times baseline at this size.
      train_id: `[height, width]`, or None.
      difference_px: `[height, width]`, or None.
    """
    height, width = lidar_m.shape
    row, column = np.nonzero(lidar_m > 0)
    num_points = len(row)
    return LidarPoints(
        lidar_m=lidar_m[row, column],
        predicted_m=depth_m[row, column],
        focal_baseline_px_m=np.full(num_points, focal_baseline_px_m, np.float32),
        row=(row / height).astype(np.float32),
        column=(column / width).astype(np.float32),
        train_id=np.full(num_points, IGNORE_ID, np.uint8)
        if train_id is None
        else train_id[row, column],
        difference_px=None if difference_px is None else difference_px[row, column],
        frame=np.zeros(num_points, np.int32),
    )


def joined_points(found: Sequence[FrameFindings]) -> LidarPoints | None:
    """The points of all frames, numbered in their order; None where none has LiDAR."""
    parts = [
        dataclasses.replace(each.points, frame=np.full_like(each.points.frame, number))
        for number, each in enumerate(found)
        if each.points is not None
    ]
    if not parts:
        return None
    columns: dict[str, Any] = {}
    for field in dataclasses.fields(LidarPoints):
        values = [getattr(part, field.name) for part in parts]
        columns[field.name] = None if values[0] is None else np.concatenate(values)
    return LidarPoints(**columns)
