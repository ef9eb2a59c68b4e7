"""A teacher's depth beside LiDAR's, and what a bias table does to frames it was not fitted on."""

import dataclasses
import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from absl import logging

from data_prep.bias_table import BiasTable, Index, Statistic, fit_bias_table
from data_prep.jobs.labels import LabelJob, LabelWorker, Prediction
from data_prep.jobs.run import Pool, run_frames
from mtdepth.attempts import Failed
from mtdepth.datasets.eigen import EIGEN_TEST_DRIVES
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.recordings import Recordings
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.defaults import is_demo
from mtdepth.files import UserError
from mtdepth.metrics.depth import DepthErrors, error_sums
from teachers.interface import StereoSample

Floats = npt.NDArray[np.floating[Any]]

NUM_FOLDS = 5
NEAR_M, FAR_M = 1.0, 80.0  # LiDAR range that is scored; scored depth is capped at its end


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BiasEvidence:
    """Pairs of teacher and LiDAR depth of many frames, about 0.2 MB a frame.

    Attributes:
      predicted_m: `[n]` uncorrected teacher's depth, > 0.
      lidar_m: `[n]` LiDAR depth of the same pixels, > 0.
      drive: `[n]` number of the drive, 0..num_drives-1.
      num_drives: How many.
      num_frames: How many frames the pairs are from.
      num_left_out: How many more could not be read.
    """

    predicted_m: Floats
    lidar_m: Floats
    drive: npt.NDArray[np.int64]
    num_drives: int
    num_frames: int
    num_left_out: int = 0

    def fit(
        self, *, statistic: Statistic, index: Index, of: npt.NDArray[np.bool_] | None = None
    ) -> BiasTable:
        """A table from all pairs, or from the pairs `of` which are true."""
        chosen = slice(None) if of is None else of
        return fit_bias_table(
            self.predicted_m[chosen], self.lidar_m[chosen], statistic=statistic, index=index
        )

    def held_out_m(self, *, statistic: Statistic, index: Index) -> Floats:
        """`[n]` depth corrected by tables that were fitted without the pair's drive.

        Drives are dealt into at most five folds. With one drive nothing can be left out, and the
        pairs are corrected by their own table: `is_held_out` tells.
        """
        if not self.is_held_out:
            return self.fit(statistic=statistic, index=index).apply(self.predicted_m)
        fold = self.drive % min(NUM_FOLDS, self.num_drives)
        corrected_m = np.empty(len(self.predicted_m), np.float32)
        for held in np.unique(fold):
            table = self.fit(statistic=statistic, index=index, of=fold != held)
            corrected_m[fold == held] = table.apply(self.predicted_m[fold == held])
        return corrected_m

    @property
    def is_held_out(self) -> bool:
        """Whether there are enough drives to leave some out."""
        return self.num_drives > 1

    @property
    def whose_errors(self) -> str:
        """Where the errors of `held_out_m` are measured, for titles."""
        if self.is_held_out:
            return f"error on drives that were left out ({self.num_drives} drives)"
        return "error on the fitted frames (one drive only, none could be left out)"

    def errors(self, depth_m: Floats) -> DepthErrors:
        """The seven errors over all pairs of 1 to 80 m, depth capped at 80 m, no crop."""
        scored = (self.lidar_m >= NEAR_M) & (self.lidar_m <= FAR_M)
        return error_sums(self.lidar_m[scored], np.minimum(depth_m[scored], FAR_M)).errors()


def eigen_test_drives_of(kitti_root: Path, frames: Sequence[FrameId]) -> list[str]:
    """Eigen's test drives among the frames' drives, sorted; none in a demo world.

    The demo world borrows KITTI's numbers; its drives are nobody's test set.
    """
    return [] if is_demo(kitti_root) else sorted({f.drive for f in frames} & EIGEN_TEST_DRIVES)


def check_no_test_drive(kitti_root: Path, frames: Sequence[FrameId], *, remedy: str) -> None:
    """Refuses to fit a table on what is scored.

    Args:
      kitti_root: The tree.
      frames: The whole split.
      remedy: What to do instead.

    Raises:
      UserError: If a frame is of one of Eigen's test drives.
    """
    if found := eigen_test_drives_of(kitti_root, frames):
        raise UserError(
            f"a bias table is fitted on training frames only, but the split has frames of "
            f"{len(found)} of Eigen's test drives, {found[0]} for one; {remedy}"
        )


def frames_with_lidar(raw: Recordings, frames: Sequence[FrameId], *, at_most: int) -> list[FrameId]:
    """Frames that have a sweep, at most so many, spread evenly over the list.

    Raises:
      UserError: If `at_most` is below 1.
    """
    if at_most < 1:
        raise UserError(f"--bias_frames is at least 1, got {at_most}")
    present = [frame for frame in frames if raw.velodyne_path(frame).is_file()]
    return evenly_spaced(present, number=at_most)


@dataclasses.dataclass(frozen=True, eq=False)
class LidarPairs:
    """A frame's depth where LiDAR hit.

    Attributes:
      predicted_m: `[n]` uncorrected teacher's depth, > 0.
      lidar_m: `[n]` LiDAR depth at the same pixels, > 0.
    """

    predicted_m: Floats
    lidar_m: Floats


class CompareWithLidar(LabelWorker[LidarPairs]):
    """Teacher and LiDAR where both have depth; keeps the prediction for the frame's labels."""

    wants_train_ids = False

    def result(self, sample: StereoSample, prediction: Prediction) -> LidarPairs:
        """Looks at the prediction where LiDAR hit."""
        self.labeller.keep(sample.frame, prediction.depth_m)
        lidar_m = self.labeller.lidar_depth(sample)
        both = (lidar_m > 0) & (prediction.depth_m > 0)
        return LidarPairs(prediction.depth_m[both], lidar_m[both])


def collect_evidence(frames: Sequence[FrameId], job: LabelJob, *, pool: Pool) -> BiasEvidence:
    """Runs the depth teacher on frames with LiDAR; a frame that cannot be read is left out.

    Args:
      frames: All with a sweep.
      job: The depth teacher; no bias.
      pool: Where workers run.

    Raises:
      UserError: If no frame gives a pair, with the first frame's reason if none can be read; or if
        a frame is missing that may be all right, since a table is kept.
    """
    worker, size = CompareWithLidar(job), job.batch_size
    results = sorted(
        run_frames(worker, frames, pool=pool, title="bias table", batch_size=size),
        key=operator.itemgetter(0),  # so that the table does not depend on which worker was first
    )
    failures = [(frame, result) for frame, result in results if isinstance(result, Failed)]
    pairs = [(frame, result) for frame, result in results if isinstance(result, LidarPairs)]
    for frame, failed in failures:
        logging.warning("left out of the bias table: frame %s: %s", frame, failed.why)
    for frame, failed in failures:
        if failed.may_pass:
            raise UserError(
                f"no bias table is fitted without frame {frame}, which may be all right: "
                f"{failed.why}. Give the same line again; `--bias none` labels without a table"
            )
    if not pairs:
        frame, failed = failures[0]
        raise UserError(
            f"none of {len(frames)} frames can be read, so no bias can be fitted; "
            f"frame {frame}: {failed.why}"
        )
    if not sum(len(found.lidar_m) for _, found in pairs):
        raise UserError(
            f"none of {len(frames)} frames has teacher depth at a LiDAR point, so there is no bias "
            "to fit; `--bias none` writes labels as the teacher made them"
        )
    drives = {drive: number for number, drive in enumerate(sorted({f.drive for f, _ in pairs}))}
    return BiasEvidence(
        predicted_m=np.concatenate([found.predicted_m for _, found in pairs]),
        lidar_m=np.concatenate([found.lidar_m for _, found in pairs]),
        drive=np.concatenate([np.full(len(a.lidar_m), drives[f.drive]) for f, a in pairs]),
        num_drives=len(drives),
        num_frames=len(pairs),
        num_left_out=len(failures),
    )
