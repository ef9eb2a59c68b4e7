"""Which teachers a program uses: flags that are shared, checked and turned into teachers."""

import dataclasses
from pathlib import Path

from absl import flags, logging

from teachers.interface import DepthTeacher, SegmentationTeacher
from teachers.precomputed import PrecomputedDepth, PrecomputedDisparity, PrecomputedTrainIds
from teachers.sgm import SgmTeacher

DEPTH_TEACHERS = ("sgm", "precomputed")
SEG_TEACHERS = ("none", "precomputed")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeacherChoice:
    """A depth teacher and a segmentation teacher by name, with the folders they read.

    Small and picklable: every worker process builds its own teachers from it.
    """

    depth_teacher: str
    seg_teacher: str = "none"
    disparity_dir: Path | None = None
    depth_dir: Path | None = None
    train_id_dir: Path | None = None

    def __post_init__(self) -> None:
        """Rejects a choice that contradicts itself."""
        if self.depth_teacher not in DEPTH_TEACHERS:
            raise ValueError(f"--depth_teacher is one of {DEPTH_TEACHERS}: {self.depth_teacher!r}")
        if self.seg_teacher not in SEG_TEACHERS:
            raise ValueError(f"--seg_teacher is one of {SEG_TEACHERS}, got {self.seg_teacher!r}")
        folders = [folder for folder in (self.disparity_dir, self.depth_dir) if folder]
        if self.depth_teacher == "precomputed" and len(folders) != 1:
            raise ValueError(
                "--depth_teacher precomputed needs either --disparity_dir or --depth_dir"
            )
        if self.depth_teacher != "precomputed" and folders:
            raise ValueError(
                "--disparity_dir and --depth_dir belong to --depth_teacher precomputed, "
                f"not to {self.depth_teacher}"
            )
        if self.seg_teacher == "precomputed" and self.train_id_dir is None:
            raise ValueError("--seg_teacher precomputed needs --train_id_dir")
        if self.seg_teacher == "none" and self.train_id_dir is not None:
            raise ValueError("--train_id_dir belongs to --seg_teacher precomputed, not to none")

    def make_depth_teacher(self) -> DepthTeacher:
        """The depth teacher.

        Raises:
          FileNotFoundError: If its folder is missing.
        """
        if self.disparity_dir is not None:
            return PrecomputedDisparity(self.disparity_dir)
        if self.depth_dir is not None:
            return PrecomputedDepth(self.depth_dir)
        return SgmTeacher()

    def make_seg_teacher(self) -> SegmentationTeacher | None:
        """The segmentation teacher, None where no train ids are wanted.

        Raises:
          FileNotFoundError: If its folder is missing.
        """
        return PrecomputedTrainIds(self.train_id_dir) if self.train_id_dir else None


def define_depth_teacher_flags() -> None:
    """Defines --depth_teacher, --disparity_dir and --depth_dir."""
    flags.DEFINE_enum(
        "depth_teacher",
        None,
        list(DEPTH_TEACHERS),
        "sgm: semi-global matching of the two views, needs no weights. precomputed: PNG files. "
        "Default: precomputed where a folder is given, else sgm.",
    )
    flags.DEFINE_string(
        "disparity_dir", None, "Precomputed disparity: uint16 PNG, pixels * 256, 0 = none."
    )
    flags.DEFINE_string("depth_dir", None, "Precomputed depth: uint16 PNG, metres * 256, 0 = none.")


def choose_teachers(
    *,
    kitti_root: Path,
    depth_teacher: str | None,
    disparity_dir: str | None,
    depth_dir: str | None,
    seg_teacher: str | None = "none",
    train_id_dir: str | None = None,
) -> TeacherChoice:
    """Fills in what the caller left open, and says so.

    Depth: precomputed where a folder is given, else sgm. Segmentation: precomputed where a folder
    is given or the tree brings its own train ids (`<kitti_root>/truth/train_id`, as the demo world
    does), else none.

    Raises:
      ValueError: If the choice contradicts itself.
    """
    if depth_teacher is None:
        depth_teacher = "precomputed" if disparity_dir or depth_dir else "sgm"
        logging.info("--depth_teacher not given: %s", depth_teacher)
    own_train_ids = kitti_root / "truth" / "train_id"
    if seg_teacher in (None, "precomputed") and train_id_dir is None and own_train_ids.is_dir():
        train_id_dir = str(own_train_ids)
        logging.info("--train_id_dir not given: the tree's own, %s", own_train_ids)
    if seg_teacher is None:
        seg_teacher = "precomputed" if train_id_dir else "none"
        logging.info("--seg_teacher not given: %s", seg_teacher)
    return TeacherChoice(
        depth_teacher=depth_teacher,
        seg_teacher=seg_teacher,
        disparity_dir=Path(disparity_dir) if disparity_dir else None,
        depth_dir=Path(depth_dir) if depth_dir else None,
        train_id_dir=Path(train_id_dir) if train_id_dir else None,
    )
