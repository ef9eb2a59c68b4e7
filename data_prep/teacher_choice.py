"""Which teachers a program uses: flags from the registry of teachers, checked and made."""

import dataclasses
import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from absl import flags, logging

from mtdepth.files import UserError
from teachers.consistency import LeftRightChecked
from teachers.interface import DepthTeacher, SegmentationTeacher, Setting, TeacherEntry
from teachers.registry import DEPTH_TEACHERS, SEG_TEACHERS
from teachers.sky import WithoutSky

flags.disclaim_key_flags()  # so that --help of the program that defines them shows them

_CHECK, _SKY = "left_right_px", "sky"
_KEPT, _LEFT_OUT = "kept", "left_out"


@dataclasses.dataclass(frozen=True, init=False)
class TeacherChoice:
    """A depth teacher and a segmentation teacher by name, with what they are told.

    Small and picklable: every worker process makes its own teachers of it. Paths are absolute,
    since a worker may run elsewhere.

    Args:
      depth_teacher: One of `DEPTH_TEACHERS`.
      seg_teacher: One of `SEG_TEACHERS`.
      left_right_px: Depth is kept where both views' disparities agree within this; None keeps all.
      leaves_sky_out: Whether depth is left out where a picture shows sky, by its looks.
      **settings: Of the two teachers, by the names of their flags; None was not given.

    Attributes:
      settings: Those that were given.

    Raises:
      UserError: If the choice contradicts itself.
    """

    depth_teacher: str
    seg_teacher: str
    left_right_px: float | None
    leaves_sky_out: bool
    settings: dict[str, Any]

    def __init__(
        self,
        *,
        depth_teacher: str,
        seg_teacher: str = "none",
        left_right_px: float | None = None,
        leaves_sky_out: bool = False,
        **settings: Any,
    ) -> None:
        given = {
            name: value.absolute() if isinstance(value, Path) else value
            for name, value in settings.items()
            if value is not None
        }
        fields = {
            "depth_teacher": depth_teacher,
            "seg_teacher": seg_teacher,
            "left_right_px": left_right_px,
            "leaves_sky_out": leaves_sky_out,
            "settings": given,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        _check("depth_teacher", depth_teacher, DEPTH_TEACHERS, given)
        _check("seg_teacher", seg_teacher, SEG_TEACHERS, given)
        known = {setting.name for setting in _settings()}
        if unknown := sorted(set(given) - known):
            raise UserError(f"no teacher is told {', '.join(unknown)}")

    @property
    def depth_is_neural(self) -> bool:
        """Whether the depth teacher is a network."""
        return DEPTH_TEACHERS[self.depth_teacher].is_network

    @property
    def depth_is_measured(self) -> bool:
        """Whether a scanner says the depth, which no bias table corrects."""
        return DEPTH_TEACHERS[self.depth_teacher].is_measured

    @property
    def depth_judges_others(self) -> bool:
        """Whether other teachers' depth is judged by this one's where there is no LiDAR."""
        return DEPTH_TEACHERS[self.depth_teacher].judges_others

    @property
    def is_neural(self) -> bool:
        """Whether a network is at work, which uses all of a machine by itself."""
        return self.depth_is_neural or SEG_TEACHERS[self.seg_teacher].is_network

    @property
    def has_train_ids(self) -> bool:
        """Whether there are train ids beside depth."""
        return self.seg_teacher != "none"

    def make_depth_teacher(self) -> DepthTeacher:
        """The depth teacher.

        Raises:
          FileNotFoundError: If its folder or its weights are missing.
          DataError: If its weights are damaged.
          UserError: If a setting is out of range.
        """
        teacher: DepthTeacher = self._make(DEPTH_TEACHERS[self.depth_teacher])
        if self.left_right_px is not None:
            teacher = LeftRightChecked(teacher, max_difference_px=self.left_right_px)
        return WithoutSky(teacher) if self.leaves_sky_out else teacher

    def make_seg_teacher(self) -> SegmentationTeacher | None:
        """The segmentation teacher, None where no train ids are wanted; raises likewise."""
        teacher: SegmentationTeacher | None = self._make(SEG_TEACHERS[self.seg_teacher])
        return teacher

    def _make(self, entry: TeacherEntry) -> Any:
        names = [setting.name for setting in entry.settings if setting.name in self.settings]
        make = _made_once if entry.is_network else _made
        return make(entry, tuple((name, self.settings[name]) for name in names))


def _made(entry: TeacherEntry, settings: tuple[tuple[str, Any], ...]) -> Any:
    return entry.make(**dict(settings))


# A job makes its teachers for the manifest, for the bias table and for the labels, and a network is
# slow to read and to compile.
@functools.lru_cache(maxsize=2)
def _made_once(entry: TeacherEntry, settings: tuple[tuple[str, Any], ...]) -> Any:
    # Else the first process takes all of the GPU's memory, and its workers find none.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    return _made(entry, settings)


def _check(
    flag: str, chosen: str, teachers: Mapping[str, TeacherEntry], given: Mapping[str, Any]
) -> None:
    if chosen not in teachers:
        raise UserError(f"--{flag} is one of {', '.join(teachers)}, got {chosen!r}")
    own = {setting.name for setting in teachers[chosen].settings}
    for teacher, entry in teachers.items():
        wrong = [
            f"--{setting.name}"
            for setting in entry.settings
            if setting.name in given and setting.name not in own
        ]
        if wrong:
            verb = "belongs" if len(wrong) == 1 else "belong"
            raise UserError(f"{' and '.join(wrong)} {verb} to --{flag} {teacher}, not to {chosen}")
    needed = teachers[chosen].needs_one_of
    if needed and sum(name in given for name in needed) != 1:
        names = " or ".join(f"--{name}" for name in needed)
        either = "either " if len(needed) > 1 else ""
        raise UserError(f"--{flag} {chosen} needs {either}{names}")


def define_depth_teacher_flags() -> None:
    """Defines --depth_teacher and what the depth teachers are told."""
    _define_teacher_flags(
        "depth_teacher", DEPTH_TEACHERS, "the one whose setting is given, else sgm"
    )
    flags.DEFINE_float(
        _CHECK,
        None,
        "Keeps depth only where the disparities of both views agree within so many pixels; the "
        "depth teacher is asked twice a frame. Default: keeps all that the teacher gives.",
    )
    flags.DEFINE_enum(
        _SKY,
        None,
        [_KEPT, _LEFT_OUT],
        "Whether depth is left out where a picture is light, without texture, and reaches its "
        "upper edge: sky, which matching paints. Indoors keep it. Default: left_out where depth is "
        "matched and no class teacher knows the sky, else kept.",
    )


def define_seg_teacher_flags() -> None:
    """Defines --seg_teacher and what the segmentation teachers are told."""
    _define_teacher_flags("seg_teacher", SEG_TEACHERS, "the one whose setting is given, else none")


def _define_teacher_flags(flag: str, teachers: Mapping[str, TeacherEntry], default: str) -> None:
    lines = [f"{name}: {entry.help}." for name, entry in teachers.items()]
    flags.DEFINE_enum(flag, None, list(teachers), f"{' '.join(lines)} Default: {default}.")
    for setting in _settings(teachers.values()):
        if setting.kind == "choice":
            flags.DEFINE_enum(setting.name, None, list(setting.choices), setting.help)
        else:
            define = {
                "path": flags.DEFINE_string,
                "int": flags.DEFINE_integer,
                "float": flags.DEFINE_float,
                "floats": flags.DEFINE_list,
                "bool": flags.DEFINE_bool,
            }[setting.kind]
            define(setting.name, None, setting.help)


def _settings(
    entries: Iterable[TeacherEntry] = (*DEPTH_TEACHERS.values(), *SEG_TEACHERS.values()),
) -> list[Setting]:
    return [setting for entry in entries for setting in entry.settings]


def given_teacher_flags() -> list[str]:
    """The teacher flags that the command line gives, as it spells them."""
    values = flags.FLAGS.flag_values_dict()
    settings = [setting.name for setting in _settings()]
    names = ["depth_teacher", "seg_teacher", _CHECK, _SKY, *settings]
    return [f"--{name}" for name in names if values.get(name) not in (None, "")]


def given_teacher_words() -> list[str]:
    """The teacher flags that the command line gives with their values, for another program's."""
    return [
        word
        for flag in given_teacher_flags()
        for word in flags.FLAGS[flag.removeprefix("--")].serialize().split("\n")
    ]


def teachers_from_flags(kitti_root: Path) -> TeacherChoice:
    """The choice of the flags that the program defined; see `choose_teachers`.

    Raises:
      UserError: If the choice contradicts itself, or a scale is no number.
    """
    values = flags.FLAGS.flag_values_dict()
    settings = {setting.name: values.get(setting.name) for setting in _settings()}
    return choose_teachers(
        kitti_root=kitti_root,
        depth_teacher=values["depth_teacher"],
        seg_teacher=values.get("seg_teacher", "none"),
        left_right_px=values[_CHECK],
        sky=values[_SKY],
        **settings,
    )


def choose_teachers(
    *,
    kitti_root: Path,
    depth_teacher: str | None = None,
    seg_teacher: str | None = "none",
    left_right_px: float | None = None,
    sky: str | None = None,
    **settings: Any,
) -> TeacherChoice:
    """Fills in what the caller left open, and says so.

    Depth: the teacher that a setting belongs to, else sgm. Segmentation: likewise; a tree that
    brings its own train ids (`<kitti_root>/truth/train_id`, as the demo world does) counts as a
    folder that was given; else none. Sky: left out where depth is matched here and no class teacher
    tells it from the rest.

    Args:
      kitti_root: The tree.
      depth_teacher: None chooses.
      seg_teacher: None chooses.
      left_right_px: As `TeacherChoice`.
      sky: `kept` or `left_out`; None chooses.
      **settings: Of the teachers; paths and numbers also as strings.

    Raises:
      UserError: If the choice contradicts itself, or a scale is no number.
    """
    given = {
        setting.name: _value(setting, settings[setting.name])
        for setting in _settings()
        if settings.get(setting.name) not in (None, "")
    }
    if depth_teacher is None:
        depth_teacher = _owner(DEPTH_TEACHERS, given) or "sgm"
        logging.info("--depth_teacher not given: %s", depth_teacher)
    owner = _owner(SEG_TEACHERS, given) if seg_teacher is None else seg_teacher
    own_train_ids = kitti_root / "truth" / "train_id"
    may_use_own = owner in (None, "precomputed") and "train_id_dir" not in given
    if may_use_own and own_train_ids.is_dir():
        given["train_id_dir"] = own_train_ids
        logging.info("--train_id_dir not given: the tree's own, %s", own_train_ids)
    if seg_teacher is None:
        seg_teacher = _owner(SEG_TEACHERS, given) or "none"
        logging.info("--seg_teacher not given: %s", seg_teacher)
    entry = DEPTH_TEACHERS.get(depth_teacher)  # a wrong name is refused below
    if sky is None and entry and entry.matches_views and seg_teacher == "none":
        sky = _LEFT_OUT
        logging.info("--sky not given: %s, by its looks, as no class teacher knows it", sky)
    return TeacherChoice(
        depth_teacher=depth_teacher,
        seg_teacher=seg_teacher,
        left_right_px=left_right_px,
        leaves_sky_out=sky == _LEFT_OUT,
        **given,
    )


def _owner(teachers: Mapping[str, TeacherEntry], given: Mapping[str, Any]) -> str | None:
    """The teacher that something given belongs to."""
    for name, entry in teachers.items():
        if any(setting.name in given for setting in entry.settings):
            return name
    return None


def _value(setting: Setting, value: Any) -> Any:
    if setting.kind == "path":
        return Path(value)
    if setting.kind != "floats":
        return value
    try:
        return tuple(float(word) for word in value)
    except ValueError as error:
        raise UserError(f"--{setting.name} is like 0.75,1,1.25: {error}") from error
