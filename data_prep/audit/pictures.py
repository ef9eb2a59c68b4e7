"""The frames of an audit as pictures: image, teacher's depth, LiDAR points coloured by error."""

from collections.abc import Sequence

from absl import logging

from data_prep.audit.errors import GroupErrors
from data_prep.engines.dealing import Engine, run_frames
from data_prep.label_job import FRAME_ERRORS, FrameByFrame, LabelJob, Labeller
from mtdepth.datasets.frames import FrameId
from mtdepth.reporting import Comparison


def pictures_of(worst: Sequence[GroupErrors], job: LabelJob, *, engine: Engine) -> list[Comparison]:
    """Runs the teachers again over a few frames; the rows of a comparison sheet.

    Args:
      worst: Named by their frames, in the order of the rows.
      job: The teachers.
      engine: Where workers run.
    """
    frames = {FrameId.parse(row.name): row for row in worst}
    answers = dict(
        run_frames(FrameByFrame(view_frame), list(frames), job, engine=engine, title="pictures")
    )
    rows = []
    for frame, row in frames.items():
        answer = answers[frame]
        if isinstance(answer, str):
            logging.warning("no picture of frame %s: %s", frame, answer)
        else:
            rows.append(Comparison(**{**vars(answer), "title": _title(row)}))
    return rows


def view_frame(labeller: Labeller, frame: FrameId) -> Comparison | str:
    """One frame, its LiDAR and its labels, or why they cannot be had."""
    try:
        (prediction,) = labeller.predict([loaded := labeller.load(frame)], wants_train_ids=True)
        return Comparison(
            title=str(frame),
            image=loaded.sample.image,
            truth_m=labeller.lidar_depth(loaded.sample),
            predicted_m=prediction.depth_m,
            truth_train_id=prediction.train_id,
        )
    except FRAME_ERRORS as error:
        return str(error)


def _title(row: GroupErrors) -> str:
    if row.abs_rel is None or row.d1 is None:
        return f"{row.name}: no depth at any of {row.num_points} LiDAR points"
    return f"{row.name}: Abs Rel {row.abs_rel:.3f}, D1 {row.d1:.1%}"
