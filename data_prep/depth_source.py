"""Whose depth a program measures: a teacher's, by the teacher flags, or a label store's."""

import dataclasses
from pathlib import Path

from absl import flags, logging

from data_prep.teacher_choice import TeacherChoice, given_teacher_flags, teachers_from_flags
from mtdepth import defaults
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import LabelStore
from mtdepth.datasets.readers import open_recordings
from mtdepth.datasets.splits import resolve_split
from mtdepth.files import UserError

flags.disclaim_key_flags()  # so that --help of the program that defines them shows them

_DEPTH_FOLDERS = ("disparity_dir", "depth_dir")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DepthSource:
    """Frames, and who says their depth.

    Attributes:
      kitti_root: The tree of the frames.
      frames: Of the split or of the store.
      teachers: Who answers; a store answers as precomputed labels.
      name: For titles: the teacher, and the store where it is one.
      bias: `"none"`, or how a store's depth was corrected already.
    """

    kitti_root: Path
    frames: list[FrameId]
    teachers: TeacherChoice
    name: str
    bias: str = "none"


def define_source_flags() -> None:
    """Defines --kitti_root, --split and --labels."""
    flags.DEFINE_string("kitti_root", None, "Recordings. Default: $MTDEPTH_KITTI_ROOT or the demo.")
    flags.DEFINE_string("split", None, "Name or list file. Default: the tree's training side.")
    flags.DEFINE_string(
        "labels", None, "Label store whose depth is measured instead of a teacher's."
    )


def source_from_flags() -> DepthSource:
    """The source of the flags that the program defined, teacher flags included.

    Raises:
      UserError: If the flags contradict each other.
      FileNotFoundError: If the tree, the split or the store is missing.
      DataError: If the split or the store is damaged.
    """
    values = flags.FLAGS
    if values.labels:
        return _from_store(values.labels, kitti_root=values.kitti_root)
    kitti_root = Path(values.kitti_root or defaults.default_kitti_root())
    split = values.split or defaults.default_split(kitti_root)
    teachers = teachers_from_flags(kitti_root)
    logging.info("tree %s, split %s, teacher %s", kitti_root, split, teachers.depth_teacher)
    frames = resolve_split(open_recordings(kitti_root), split)
    folders = [v.name for name, v in teachers.settings.items() if name in _DEPTH_FOLDERS]
    name = " ".join([teachers.depth_teacher, *(f"({folder})" for folder in folders)])
    return DepthSource(kitti_root=kitti_root, frames=frames, teachers=teachers, name=name)


def _from_store(path: str, *, kitti_root: str | None) -> DepthSource:
    if flags.FLAGS.split or given_teacher_flags():
        raise UserError("--labels takes the place of --split and the teacher flags")
    store = LabelStore.open(path, kitti_root=kitti_root)
    train_id_dir = store.root / "train_id" if store.has_train_ids else None
    return DepthSource(
        kitti_root=store.kitti_root,
        frames=store.frames,
        teachers=TeacherChoice(
            depth_teacher="precomputed",
            depth_dir=store.root / "depth",
            seg_teacher="precomputed" if train_id_dir else "none",
            train_id_dir=train_id_dir,
        ),
        name=f"{store.manifest.depth_teacher}, labels {store.root.name}",
        bias=store.manifest.bias,
    )
