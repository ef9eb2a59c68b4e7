"""The frames of an audit as pictures: image, teacher's depth, LiDAR points coloured by error."""

import dataclasses
from collections.abc import Sequence

from absl import logging

from data_prep.audit.errors import GroupErrors
from data_prep.jobs.labels import LabelJob, LabelWorker, Prediction
from data_prep.jobs.run import Failed, Pool, run_frames
from mtdepth.datasets.frames import FrameId
from mtdepth.reporting import Comparison
from teachers.interface import StereoSample


def pictures_of(worst: Sequence[GroupErrors], job: LabelJob, *, pool: Pool) -> list[Comparison]:
    """Runs the teachers again over a few frames; the rows of a comparison sheet.

    Args:
      worst: Named by their frames, in the order of the rows.
      job: The teachers.
      pool: Where workers run.
    """
    frames = {FrameId.parse(row.name): row for row in worst}
    results = dict(run_frames(ViewFrame(job), list(frames), pool=pool, title="pictures"))
    rows = []
    for frame, row in frames.items():
        result = results[frame]
        if isinstance(result, Failed):
            logging.warning("no picture of frame %s: %s", frame, result.why)
        else:
            rows.append(dataclasses.replace(result, title=_title(row)))
    return rows


class ViewFrame(LabelWorker[Comparison]):
    """A frame, its LiDAR and its labels."""

    def result(self, sample: StereoSample, prediction: Prediction) -> Comparison:
        """One row of a comparison sheet."""
        return Comparison(
            title=str(sample.frame),
            image=sample.image,
            truth_m=self.labeller.lidar_depth(sample),
            predicted_m=prediction.depth_m,
            truth_train_id=prediction.train_id,
        )


def _title(row: GroupErrors) -> str:
    if row.abs_rel is None or row.d1 is None:
        return f"{row.name}: no depth at any of {row.num_points} LiDAR points"
    return f"{row.name}: Abs Rel {row.abs_rel:.3f}, D1 {row.d1:.1%}"
