"""From recordings to the table of steps: every step is the command line that does it alone."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from data_prep.audit.bias_evidence import eigen_test_drives_of
from data_prep.auto.division import Division, divide
from data_prep.bias_table import TABLE_NAME
from data_prep.generation import FIT_BIAS, NO_BIAS
from data_prep.teacher_choice import TeacherChoice
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.readers import open_recordings
from mtdepth.datasets.recordings import Recordings
from mtdepth.datasets.splits import resolve_split
from mtdepth.defaults import is_demo
from mtdepth.pictures import read_rgb
from mtdepth.recipes.registry import find_recipe
from mtdepth.steps import Step

START = "pretrained"
LABEL_PROTOCOL = "labels_80m"
_STRIDE_PX = 32  # of the networks: both sides of an input are multiples of it
_FILM_HZ, _FILM_FRAMES = 5, 200  # ours: frames of most recordings are not of one moment in 1/10 s


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What the caller of `auto` wants.

    Attributes:
      recordings: KITTI raw, or another rig's.
      output: Folder of everything that is made.
      teachers: Who labels.
      teacher_flags: The same, as words of a command line.
      split: Which frames take part: a name or a list file.
      recipe: Of the training.
      overrides: Fields of it, `key=value`.
    """

    recordings: Path
    output: Path
    teachers: TeacherChoice
    teacher_flags: tuple[str, ...] = ()
    split: str = "all"
    recipe: str = "small_data"
    overrides: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be done.

    Attributes:
      steps: In their order.
      lists: The list files that they read, by path.
      in_words: What was found and chosen, a sentence each.
    """

    steps: tuple[Step, ...]
    lists: dict[Path, str]
    in_words: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Paths:
    """What stands where in the output."""

    output: Path

    @property
    def journal(self) -> Path:
        """Steps that are finished."""
        return self.output / "auto.json"

    @property
    def train_list(self) -> Path:
        """Frames that are learned from."""
        return self.output / "train.txt"

    @property
    def held_out_list(self) -> Path:
        """Frames that are scored."""
        return self.output / "held_out.txt"

    @property
    def labels(self) -> Path:
        """Of the training frames."""
        return self.output / "labels"

    @property
    def held_out_labels(self) -> Path:
        """Of the others."""
        return self.output / "labels_held_out"

    @property
    def network(self) -> Path:
        """The run."""
        return self.output / "network"

    @property
    def int8(self) -> Path:
        """The file for the device."""
        return self.output / "int8" / "model.tflite"

    @property
    def film(self) -> Path:
        """What that file sees of a held-out drive."""
        return self.output / "seen" / "overlay.mp4"

    @property
    def float_scores(self) -> Path:
        """The scores of the networks before the export."""
        return self.output / "scores.json"

    @property
    def scores(self) -> Path:
        """The scores of all networks, the file for the device first."""
        return self.output / "scores_int8.json"

    @property
    def report(self) -> Path:
        """The folder of the page."""
        return self.output / "report"


def make_plan(request: Request) -> Plan:
    """Looks at the names of the recordings' files, and at one picture.

    Raises:
      FileNotFoundError: If there are no recordings, or no picture of a frame.
      DataError: If their calibration is damaged.
      UserError: If there are too few frames.
    """
    raw = open_recordings(request.recordings)
    division = divide(
        raw, resolve_split(raw, request.split), knows_eigen=not is_demo(request.recordings)
    )
    paths = Paths(request.output)
    picture = read_rgb(raw.image_path(division.held_out[0])).shape[:2]
    size = network_size(picture, like=find_recipe(request.recipe).input_size_px)
    return Plan(
        steps=tuple(_steps(request, raw, division, picture=picture, size=size)),
        lists={
            paths.train_list: _list_of(division.train),
            paths.held_out_list: _list_of(division.held_out),
        },
        in_words=tuple(_words(request, raw, division, size=size)),
    )


def network_size(picture: tuple[int, int], *, like: tuple[int, int]) -> tuple[int, int]:
    """The network's input for pictures of a size: their shape, about as many pixels as `like`.

    Args:
      picture: (height, width) of the pictures.
      like: (height, width) of the recipe's input.

    Returns:
      (height, width), multiples of 32.
    """
    height_px, width_px = picture
    shape, num_pixels = width_px / height_px, math.prod(like)

    def unlike(size: tuple[int, int]) -> float:
        # A shape that is off squeezes every picture; fewer or more pixels cost less.
        off_shape = abs(math.log(size[1] / size[0] / shape))
        return off_shape + 0.2 * abs(math.log(math.prod(size) / num_pixels))

    sides = range(_STRIDE_PX, 2 * max(like) + 1, _STRIDE_PX)
    return min(((height, width) for height in sides for width in sides), key=unlike)


def _steps(
    request: Request,
    raw: Recordings,
    division: Division,
    *,
    picture: tuple[int, int],
    size: tuple[int, int],
) -> list[Step]:
    paths = Paths(request.output)
    root = ("--kitti_root", str(request.recordings))
    bias = _bias(request, division)
    of_held_out = str(paths.labels / TABLE_NAME) if bias == FIT_BIAS else NO_BIAS
    score = (
        *("evaluate", *root, "--split", str(paths.held_out_list)),
        *("--labels", str(paths.held_out_labels), "--train_labels", str(paths.labels)),
        *(() if division.held_out_has_lidar else ("--protocol", LABEL_PROTOCOL)),
    )
    networks = ("--model", str(paths.network), "--model", START)
    fullest = max(division.held_out, key=lambda frame: _num_of_drive(frame, division))
    camera = raw.camera(fullest, size=picture)

    def labels(split: Path, bias: str, output: Path) -> tuple[str, ...]:
        return (
            *("label", *root, "--split", str(split), *request.teacher_flags),
            *("--bias", bias, "--output", str(output)),
        )

    return [
        Step("doctor", ("doctor", *root, *_given_split(request))),
        Step("labels", labels(paths.train_list, bias, paths.labels), paths.labels),
        Step(
            "held-out labels",
            labels(paths.held_out_list, of_held_out, paths.held_out_labels),
            paths.held_out_labels,
        ),
        Step(
            "training",
            (
                *("train", "--recipe", request.recipe, "--data", str(paths.labels)),
                *(word for each in _overrides(request, size) for word in ("--override", each)),
                *("--workdir", str(paths.network)),
            ),
            paths.network,
        ),
        Step(
            "scores",
            (*score, *networks, "--output", str(paths.float_scores)),
            paths.float_scores,
        ),
        Step(
            "int8",
            (
                *("export", "--workdir", str(paths.network), "--precision", "int8"),
                *("--output", str(paths.int8.parent)),
            ),
            paths.int8,
        ),
        Step(
            "film",
            (
                *("device", "--model", str(paths.int8)),
                *("--source", str(raw.image_path(fullest).parent)),
                *("--focal_px", f"{camera.focal_px:.6g}", "--video", str(_FILM_HZ)),
                *("--max_frames", str(_FILM_FRAMES), "--output", str(paths.film.parent)),
            ),
            paths.film,
        ),
        Step(
            "report",
            (
                *(*score, "--model", str(paths.int8), *networks),
                *("--output", str(paths.scores)),
                *("--pictures", str(paths.report), "--attach", str(paths.film)),
            ),
            paths.report,
        ),
    ]


def _words(
    request: Request, raw: Recordings, division: Division, *, size: tuple[int, int]
) -> list[str]:
    teachers, has_bias = request.teachers, _bias(request, division) == FIT_BIAS
    classes = (
        f"classes by {teachers.seg_teacher}"
        if teachers.has_train_ids
        else "no classes, for want of train ids and of a class teacher's weights (--train_id_dir, "
        "--deeplab_weights): depth alone is learned"
    )
    corrected = ", corrected by LiDAR" if has_bias else ""
    truth = (
        "by LiDAR"
        if division.held_out_has_lidar
        else "by held-out labels, as there is no LiDAR: that tells how well the teacher is "
        "imitated, and not how far things are"
    )
    return [
        f"recordings  {request.recordings}, {raw.layout.title}; {len(division.train)} frames of "
        "the left camera are learned from",
        f"held out    {division.in_words}",
        f"labels      depth by {teachers.depth_teacher}{corrected}; {classes}",
        f"training    recipe {request.recipe}, network input {size[1]}x{size[0]}, the pictures' "
        "shape",
        f"scores      {truth}",
    ]


def _bias(request: Request, division: Division) -> str:
    """`fit`, or `none`: where depth is measured, or no frame that may tell has LiDAR."""
    is_test = eigen_test_drives_of(request.recordings, division.train)
    may_fit = division.train_has_lidar and not request.teachers.depth_is_measured and not is_test
    return FIT_BIAS if may_fit else NO_BIAS


def _overrides(request: Request, size: tuple[int, int]) -> list[str]:
    recipe = find_recipe(request.recipe)
    ours = []
    if not request.teachers.has_train_ids and "segmentation" in recipe.tasks:
        ours.append("student.tasks=[depth]")
    if size != recipe.input_size_px:
        ours.append(f"input_size_px=[{size[0]},{size[1]}]")
    return [*ours, *request.overrides]  # the user's last, which count


def _given_split(request: Request) -> tuple[str, ...]:
    return () if request.split == "all" else ("--split", request.split)


def _list_of(frames: Sequence[FrameId]) -> str:
    return "".join(f"{frame}\n" for frame in frames)


def _num_of_drive(frame: FrameId, division: Division) -> int:
    return sum(each.drive == frame.drive for each in division.held_out)
