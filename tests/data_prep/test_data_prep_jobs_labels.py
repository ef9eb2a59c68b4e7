"""What a worker does for its frames: full batches of one size, one bad frame at a time."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from fakes.kitti_tree import build_kitti_tree

from data_prep.jobs.labels import LabelJob, Labeller, WriteLabels
from data_prep.teacher_choice import TeacherChoice
from mtdepth.attempts import Failed
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import FrameRecord, read_depth_png
from mtdepth.files import DataError
from teachers.interface import StereoSample

BATCH_SIZE = 3


class CountingTeacher:
    """A network whose labels tell the size of the batch that they were made in."""

    name, version, source, needs_partner = "counting", "1", "nowhere", False

    def __init__(self, *, damaged: FrameId | None = None) -> None:
        self.batches: list[list[FrameId]] = []
        self._damaged = damaged

    def predict(self, sample: StereoSample) -> npt.NDArray[np.float32]:
        return self.predict_batch([sample])[0]

    def predict_batch(self, samples: Sequence[StereoSample]) -> list[npt.NDArray[np.float32]]:
        self.batches.append([sample.frame for sample in samples])
        assert len({sample.size_px for sample in samples}) == 1
        if any(sample.frame == self._damaged for sample in samples):
            raise DataError("file.bin", "is damaged")
        return [np.full(s.size_px, len(samples) + s.frame.index, np.float32) for s in samples]


class CountingChoice(TeacherChoice):
    """Chooses it."""

    def __init__(self, *, teacher: CountingTeacher) -> None:
        super().__init__(depth_teacher="sgm")
        object.__setattr__(self, "teacher", teacher)

    @property
    def depth_is_neural(self) -> bool:
        return True

    def make_depth_teacher(self) -> CountingTeacher:
        teacher: CountingTeacher = vars(self)["teacher"]
        return teacher


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drives of four frames of two cameras, the second drive in smaller pictures."""
    root = build_kitti_tree(tmp_path_factory.mktemp("kitti") / "raw", num_drives=2, num_frames=4)
    raw = KittiRaw(root)
    for frame in raw.all_frames():
        if frame.drive == raw.drives()[1]:
            path = raw.image_path(frame)
            cv2.imwrite(str(path), cv2.imread(str(path))[::2, ::2])
    return root


def label(
    tree: Path, output: Path, frames: Sequence[FrameId], teacher: CountingTeacher
) -> dict[FrameId, FrameRecord | Failed]:
    job = LabelJob(
        kitti_root=tree,
        teachers=CountingChoice(teacher=teacher),
        output=output,
        batch_size=BATCH_SIZE,
    )
    return dict(WriteLabels(job)(frames))


def test_short_batches_are_filled_up_and_sizes_never_mixed(tree: Path, tmp_path: Path) -> None:
    frames = KittiRaw(tree).all_frames()
    mixed = [frame for pair in zip(frames[:8], frames[8:], strict=True) for frame in pair]
    teacher = CountingTeacher()
    label(tree, tmp_path / "labels", mixed, teacher)
    assert {len(batch) for batch in teacher.batches} == {BATCH_SIZE}
    assert {frame for batch in teacher.batches for frame in batch} == set(frames)
    assert len(teacher.batches) == 6  # eight frames of each size: 3 + 3 + 2


def test_labels_do_not_depend_on_which_frames_share_a_batch(tree: Path, tmp_path: Path) -> None:
    frames = KittiRaw(tree).all_frames()
    label(tree, tmp_path / "whole", frames, CountingTeacher())
    # As a job that was cut short twice, and met its frames in another order.
    for part in (frames[:1], frames[5:3:-1], frames):
        label(tree, tmp_path / "parts", part, CountingTeacher())
    paths = sorted((tmp_path / "whole").rglob("*.png"))
    assert len(paths) == len(frames)
    for path in paths:
        other = tmp_path / "parts" / path.relative_to(tmp_path / "whole")
        assert path.read_bytes() == other.read_bytes()
        assert read_depth_png(path)[0, 0] == BATCH_SIZE + int(path.stem)


def test_a_frame_that_spoils_its_batch_fails_alone(tree: Path, tmp_path: Path) -> None:
    frames = KittiRaw(tree).all_frames()[:6]
    results = label(tree, tmp_path / "labels", frames, CountingTeacher(damaged=frames[1]))
    failed = {frame: result for frame, result in results.items() if isinstance(result, Failed)}
    assert failed == {frames[1]: Failed("file.bin: is damaged")}


def test_a_batch_of_nothing_is_refused(tree: Path) -> None:
    with pytest.raises(ValueError, match="--batch_size is at least 1, got 0"):
        LabelJob(kitti_root=tree, teachers=TeacherChoice(depth_teacher="sgm"), batch_size=0)


def test_a_kept_depth_that_is_none_is_predicted_again(tree: Path, tmp_path: Path) -> None:
    frame = KittiRaw(tree).all_frames()[0]
    choice = CountingChoice(teacher=CountingTeacher())
    labeller = Labeller(LabelJob(kitti_root=tree, teachers=choice, raw_dir=tmp_path))
    depth_m = np.ones((4, 6), np.float32)
    for damaged in (b"", depth_m - 2, depth_m.astype(np.float64), depth_m[0], depth_m * np.nan):
        labeller.keep(frame, depth_m)
        (path,) = tmp_path.iterdir()
        assert labeller.load(frame).kept_depth_m is not None
        path.write_bytes(damaged) if isinstance(damaged, bytes) else np.save(path, damaged)
        assert labeller.load(frame).kept_depth_m is None
