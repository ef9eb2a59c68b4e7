"""Which teachers a program uses: flags that are shared, checked and turned into teachers."""

import dataclasses
import functools
import os
from pathlib import Path
from typing import Any, get_args

from absl import flags, logging

from teachers.consistency import LeftRightChecked
from teachers.interface import DepthTeacher, SegmentationTeacher
from teachers.precomputed import PrecomputedDepth, PrecomputedDisparity, PrecomputedTrainIds
from teachers.psmnet.precision import Precision
from teachers.sgm import SgmTeacher

flags.disclaim_key_flags()  # so that --help of the program that defines them shows them

DEPTH_TEACHERS = ("sgm", "precomputed", "psmnet")
SEG_TEACHERS = ("none", "precomputed", "deeplab_v3")
# What each teacher may be told; the flag of a field has its name.
SETTINGS_OF_DEPTH_TEACHER = {
    "sgm": (),
    "precomputed": ("disparity_dir", "depth_dir"),
    "psmnet": ("psmnet_weights", "max_disparity", "align_corners", "psmnet_dtype"),
}
SETTINGS_OF_SEG_TEACHER = {
    "none": (),
    "precomputed": ("train_id_dir",),
    "deeplab_v3": ("deeplab_weights", "flip", "scales", "confidence_floor"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeacherChoice:
    """A depth teacher and a segmentation teacher by name, with what they are told.

    Small and picklable: every worker process builds its own teachers from it. A setting that is
    None was not given.

    Attributes:
      depth_teacher: `"sgm"`, `"precomputed"` or `"psmnet"`.
      seg_teacher: `"none"`, `"precomputed"` or `"deeplab_v3"`.
      disparity_dir: Of `precomputed` depth.
      depth_dir: Of `precomputed` depth.
      psmnet_weights: An authors' checkpoint or a converted file.
      max_disparity: Searched disparities in pixels; None: as the weights were trained.
      align_corners: How the network resizes; None: as the weights' file says.
      psmnet_dtype: Number format of the network's convolutions; None: float32.
      left_right_px: Depth is kept where both views' disparities agree within this; None keeps all.
      train_id_dir: Of `precomputed` train ids.
      deeplab_weights: A saved network, or a published frozen graph.
      flip: Whether the mirrored picture is asked too and the two are averaged.
      scales: Sizes at which the network sees the picture, averaged; None: its own alone.
      confidence_floor: Below it a pixel has no class; None: every pixel has one.
    """

    depth_teacher: str
    seg_teacher: str = "none"
    disparity_dir: Path | None = None
    depth_dir: Path | None = None
    psmnet_weights: Path | None = None
    max_disparity: int | None = None
    align_corners: bool | None = None
    psmnet_dtype: Precision | None = None
    left_right_px: float | None = None
    train_id_dir: Path | None = None
    deeplab_weights: Path | None = None
    flip: bool | None = None
    scales: tuple[float, ...] | None = None
    confidence_floor: float | None = None

    def __post_init__(self) -> None:
        """Rejects a choice that contradicts itself."""
        if self.depth_teacher not in DEPTH_TEACHERS:
            raise ValueError(f"--depth_teacher is one of {DEPTH_TEACHERS}: {self.depth_teacher!r}")
        if self.seg_teacher not in SEG_TEACHERS:
            raise ValueError(f"--seg_teacher is one of {SEG_TEACHERS}, got {self.seg_teacher!r}")
        self._check_belonging("depth_teacher", SETTINGS_OF_DEPTH_TEACHER)
        self._check_belonging("seg_teacher", SETTINGS_OF_SEG_TEACHER)
        if self.depth_teacher == "precomputed" and (self.disparity_dir is None) == (
            self.depth_dir is None
        ):
            raise ValueError(
                "--depth_teacher precomputed needs either --disparity_dir or --depth_dir"
            )
        if self.depth_teacher == "psmnet" and self.psmnet_weights is None:
            raise ValueError("--depth_teacher psmnet needs --psmnet_weights")
        if self.seg_teacher == "precomputed" and self.train_id_dir is None:
            raise ValueError("--seg_teacher precomputed needs --train_id_dir")
        if self.seg_teacher == "deeplab_v3" and self.deeplab_weights is None:
            raise ValueError("--seg_teacher deeplab_v3 needs --deeplab_weights")

    def _check_belonging(self, flag: str, settings_of: dict[str, tuple[str, ...]]) -> None:
        chosen = getattr(self, flag)
        for teacher, names in settings_of.items():
            wrong = [name for name in names if getattr(self, name) is not None]
            if teacher != chosen and wrong:
                given = " and ".join(f"--{name}" for name in wrong)
                verb = "belongs" if len(wrong) == 1 else "belong"
                raise ValueError(f"{given} {verb} to --{flag} {teacher}, not to {chosen}")

    @property
    def depth_is_neural(self) -> bool:
        """Whether the depth teacher is a network."""
        return self.depth_teacher == "psmnet"

    @property
    def is_neural(self) -> bool:
        """Whether a network is at work, which uses all of a machine by itself."""
        return self.depth_is_neural or self.seg_teacher == "deeplab_v3"

    @property
    def has_train_ids(self) -> bool:
        """Whether there are train ids beside depth."""
        return self.seg_teacher != "none"

    def make_depth_teacher(self) -> DepthTeacher:
        """The depth teacher.

        Raises:
          FileNotFoundError: If its folder or its weights are missing.
          DataError: If its weights are damaged.
          ValueError: If a setting is out of range.
        """
        teacher = self._depth_teacher()
        if self.left_right_px is not None:
            return LeftRightChecked(teacher, max_difference_px=self.left_right_px)
        return teacher

    def _depth_teacher(self) -> DepthTeacher:
        if self.disparity_dir is not None:
            return PrecomputedDisparity(self.disparity_dir)
        if self.depth_dir is not None:
            return PrecomputedDepth(self.depth_dir)
        if self.psmnet_weights is not None:
            return _psmnet(
                self.psmnet_weights,
                max_disparity_px=self.max_disparity,
                align_corners=self.align_corners,
                dtype=self.psmnet_dtype or "float32",
            )
        return SgmTeacher()

    def make_seg_teacher(self) -> SegmentationTeacher | None:
        """The segmentation teacher, None where no train ids are wanted.

        Raises:
          FileNotFoundError: If its folder or its weights are missing.
          DataError: If its weights are damaged.
          ValueError: If a setting is out of range.
        """
        if self.train_id_dir is not None:
            return PrecomputedTrainIds(self.train_id_dir)
        if self.deeplab_weights is None:
            return None
        return _deeplab(
            self.deeplab_weights,
            flip=bool(self.flip),
            scales=(1.0,) if self.scales is None else self.scales,
            confidence_floor=self.confidence_floor or 0.0,
        )


# Once a process: a job makes its teachers for the manifest, for the bias table and for the labels,
# and a network is slow to read and to compile. TensorFlow is imported only where one is wanted.
@functools.lru_cache(maxsize=1)
def _psmnet(weights: Path, **settings: Any) -> DepthTeacher:
    _share_gpu()
    from teachers.psmnet.teacher import PsmnetTeacher

    return PsmnetTeacher(weights, **settings)


@functools.lru_cache(maxsize=1)
def _deeplab(weights: Path, **settings: Any) -> SegmentationTeacher:
    _share_gpu()
    from teachers.deeplab_v3.teacher import DeepLabTeacher

    return DeepLabTeacher(weights, **settings)


def _share_gpu() -> None:
    # Else the first process takes all of the GPU's memory, and its workers find none.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def define_depth_teacher_flags() -> None:
    """Defines --depth_teacher and what the depth teachers are told."""
    flags.DEFINE_enum(
        "depth_teacher",
        None,
        list(DEPTH_TEACHERS),
        "sgm: semi-global matching of the two views, needs no weights. precomputed: PNG files. "
        "psmnet: the stereo network. Default: precomputed where a folder is given, psmnet where "
        "its weights are, else sgm.",
    )
    flags.DEFINE_string(
        "disparity_dir", None, "Precomputed disparity: uint16 PNG, pixels * 256, 0 = none."
    )
    flags.DEFINE_string("depth_dir", None, "Precomputed depth: uint16 PNG, metres * 256, 0 = none.")
    flags.DEFINE_string(
        "psmnet_weights", None, "PSMNet: an authors' checkpoint (needs torch), or converted."
    )
    flags.DEFINE_integer(
        "max_disparity", None, "PSMNet: searched pixels. Default: as the weights were trained."
    )
    flags.DEFINE_bool(
        "align_corners", None, "PSMNet: how it resizes. Default: as the weights' file says."
    )
    flags.DEFINE_enum(
        "psmnet_dtype",
        None,
        list(get_args(Precision)),
        "PSMNet: number format of its convolutions. Default: float32.",
    )
    flags.DEFINE_float(
        "left_right_px",
        None,
        "Keeps depth only where the disparities of both views agree within so many pixels; the "
        "depth teacher is asked twice a frame. Default: keeps all that the teacher gives.",
    )


def define_seg_teacher_flags() -> None:
    """Defines --seg_teacher and what the segmentation teachers are told."""
    flags.DEFINE_enum(
        "seg_teacher",
        None,
        list(SEG_TEACHERS),
        "precomputed: PNG files. deeplab_v3: the network. Default: deeplab_v3 where its weights "
        "are given, precomputed where there is a folder of PNG files, else none.",
    )
    flags.DEFINE_string("train_id_dir", None, "Precomputed train ids: uint8 PNG, 255 = ignore.")
    flags.DEFINE_string(
        "deeplab_weights", None, "DeepLab: a saved network, or a published frozen graph."
    )
    flags.DEFINE_bool("flip", None, "DeepLab: averages with the mirrored picture.")
    flags.DEFINE_list("scales", None, "DeepLab: averages over these sizes, e.g. 0.75,1,1.25.")
    flags.DEFINE_float(
        "confidence_floor", None, "DeepLab: a pixel below this probability has no class."
    )


def given_teacher_flags() -> list[str]:
    """The teacher flags that the command line gives, as it spells them."""
    values = flags.FLAGS.flag_values_dict()
    names = [field.name for field in dataclasses.fields(TeacherChoice)]
    return [f"--{name}" for name in names if values.get(name) not in (None, "")]


def teachers_from_flags(kitti_root: Path) -> TeacherChoice:
    """The choice of the flags that the program defined; see `choose_teachers`.

    Raises:
      ValueError: If the choice contradicts itself, or a scale is no number.
    """
    values = flags.FLAGS.flag_values_dict()
    fields = [field.name for field in dataclasses.fields(TeacherChoice)]
    given = {name: values[name] for name in fields if name in values}
    if "seg_teacher" not in values:
        given["seg_teacher"] = "none"
    if given.get("scales") is not None:
        given["scales"] = _parsed_scales(given["scales"])
    return choose_teachers(kitti_root=kitti_root, **given)


def _parsed_scales(words: list[str]) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in words)
    except ValueError as error:
        raise ValueError(f"--scales is like 0.75,1,1.25: {error}") from error


def choose_teachers(
    *,
    kitti_root: Path,
    depth_teacher: str | None = None,
    seg_teacher: str | None = "none",
    **settings: Any,
) -> TeacherChoice:
    """Fills in what the caller left open, and says so.

    Depth: the teacher that a setting belongs to, else sgm. Segmentation: likewise; a tree that
    brings its own train ids (`<kitti_root>/truth/train_id`, as the demo world does) counts as a
    folder that was given; else none.

    Args:
      kitti_root: The tree.
      depth_teacher: None chooses.
      seg_teacher: None chooses.
      **settings: Other fields of `TeacherChoice`; paths also as strings.

    Raises:
      ValueError: If the choice contradicts itself.
    """
    given: dict[str, Any] = {
        name: Path(value) if name.endswith(("_dir", "_weights")) else value
        for name, value in settings.items()
        if value not in (None, "")
    }
    if depth_teacher is None:
        depth_teacher = _owner(SETTINGS_OF_DEPTH_TEACHER, given) or "sgm"
        logging.info("--depth_teacher not given: %s", depth_teacher)
    if seg_teacher is None:
        seg_teacher = _owner(SETTINGS_OF_SEG_TEACHER, given)
    own_train_ids = kitti_root / "truth" / "train_id"
    may_use_own = seg_teacher in (None, "precomputed") and "train_id_dir" not in given
    if may_use_own and own_train_ids.is_dir():
        given["train_id_dir"] = own_train_ids
        logging.info("--train_id_dir not given: the tree's own, %s", own_train_ids)
    if seg_teacher is None:
        seg_teacher = "precomputed" if "train_id_dir" in given else "none"
        logging.info("--seg_teacher not given: %s", seg_teacher)
    return TeacherChoice(depth_teacher=depth_teacher, seg_teacher=seg_teacher, **given)


def _owner(settings_of: dict[str, tuple[str, ...]], given: dict[str, Any]) -> str | None:
    """The teacher that something given belongs to."""
    return next((t for t, names in settings_of.items() if any(n in given for n in names)), None)
