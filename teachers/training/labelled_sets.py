"""Labelled data sets that teachers learn from: which files belong together.

| set | below its root | holds out |
| --- | --- | --- |
| `cityscapes` | `leftImg8bit/{train,val}/<city>/<name>_leftImg8bit.png` and `gtFine/{train,val}/<city>/<name>_gtFine_labelIds.png` (or `..._labelTrainIds.png`): classes | its `val` cities |
| `kitti2015` | `training/image_2/000002_10.png` with `training/semantic/` (label ids) for classes, with `training/image_3/` and `training/disp_occ_0/` (or `disp_noc_0/`) for disparity | the last fifth of the names, as Chang & Chen 2018 do |
| `demo_world` | what `data_prep.make_demo_world` writes: KITTI raw layout, `truth/{train_id,disparity}/<drive>/image_02/`, `splits/{train,val}.txt` | its `val` drives |
"""  # noqa: E501 (a table row is one line)

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Literal, TypeVar, get_args

from mtdepth.datasets.frames import FrameId, find_image
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.splits import read_frame_list
from mtdepth.files import DataError, UserError, content_digest, visible_files

SetName = Literal["cityscapes", "kitti2015", "demo_world"]
SET_NAMES: tuple[SetName, ...] = get_args(SetName)


@dataclasses.dataclass(frozen=True)
class ClassFiles:
    """A picture and its classes.

    Attributes:
      name: Unique in its set.
      image: RGB picture.
      ids: One-channel uint8 PNG of the same size.
      has_train_ids: Whether `ids` holds train ids; otherwise the data set's label ids.
    """

    name: str
    image: Path
    ids: Path
    has_train_ids: bool

    @property
    def label(self) -> Path:
        """The file that was made by hand."""
        return self.ids


@dataclasses.dataclass(frozen=True)
class PairFiles:
    """A rectified pair and the disparity of its left view.

    Attributes:
      name: Unique in its set.
      left, right: RGB pictures of one size.
      disparity: One-channel uint16 PNG of that size: pixels * 256, 0 = none (KITTI stereo devkit).
    """

    name: str
    left: Path
    right: Path
    disparity: Path

    @property
    def label(self) -> Path:
        """The file that was measured."""
        return self.disparity


Files = TypeVar("Files", bound=ClassFiles | PairFiles)


@dataclasses.dataclass(frozen=True)
class LabelledSet(Generic[Files]):
    """What to learn from, and what to be judged by.

    Attributes:
      name: One of `SET_NAMES`.
      root: Its folder.
      train: Learned from, in a fixed order; not empty.
      val: Held out; may be empty.
    """

    name: SetName
    root: Path
    train: tuple[Files, ...]
    val: tuple[Files, ...]

    @staticmethod
    def digest(files: tuple[Files, ...]) -> str:
        """Tells one list of labels from another: `content_digest`."""
        return content_digest((entry.name, entry.label) for entry in files)


def detect_set(root: Path) -> SetName:
    """Tells by its folders which set a root holds.

    Raises:
      FileNotFoundError: If the root is missing or has no known layout.
      UserError: If it could be more than one.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; --root is the folder of a labelled set")
    found = [name for name, mark in _MARKS.items() if (root / mark).exists()]
    if not found:
        marks = ", ".join(f"{mark} ({name})" for name, mark in _MARKS.items())
        raise FileNotFoundError(
            f"{root}: holds no labelled set: none of {marks} is there. Is it one folder up or down?"
        )
    if len(found) > 1:
        raise UserError(f"{root} could be {' or '.join(found)}; say which with --set")
    return found[0]


def open_classes(name: SetName, root: Path) -> LabelledSet[ClassFiles]:
    """Lists the pictures with classes of a set.

    Raises:
      FileNotFoundError: If a file or folder of the layout is missing.
      DataError: If a list of frames is damaged.
    """
    openers: dict[SetName, Callable[[Path], LabelledSet[ClassFiles]]] = {
        "cityscapes": _cityscapes,
        "kitti2015": _kitti2015_classes,
        "demo_world": _demo_classes,
    }
    return openers[name](root)


def open_pairs(name: SetName, root: Path) -> LabelledSet[PairFiles]:
    """Lists the pairs with disparity of a set.

    Raises:
      UserError: If the set has none.
      FileNotFoundError: If a file or folder of the layout is missing.
      DataError: If a list of frames is damaged.
    """
    if name == "cityscapes":
        raise UserError(
            "cityscapes has no measured disparity (its own is semi-global matching's); train "
            "psmnet on kitti2015 or demo_world"
        )
    return (_kitti2015_pairs if name == "kitti2015" else _demo_pairs)(root)


_MARKS: dict[SetName, str] = {
    "cityscapes": "leftImg8bit",
    "kitti2015": "training/image_2",
    "demo_world": "truth",
}
_CITYSCAPES_REMEDY = (
    "Cityscapes is unpacked as leftImg8bit/train/<city>/ and gtFine/train/<city>/ "
    "(leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip)"
)
_KITTI_REMEDY = (
    "KITTI 2015 is unpacked as training/image_2, image_3, disp_occ_0 (data_scene_flow.zip) and "
    "training/semantic (data_semantics.zip)"
)
_DEMO_REMEDY = "make the world again with `python -m data_prep.make_demo_world`"


def _cityscapes(root: Path) -> LabelledSet[ClassFiles]:
    train, val = (_cityscapes_split(root, split) for split in ("train", "val"))
    if not train:
        raise FileNotFoundError(
            f"{root / 'gtFine' / 'train'}: no <city>/*_gtFine_labelIds.png there; "
            f"{_CITYSCAPES_REMEDY}"
        )
    return LabelledSet("cityscapes", root, train, val)


def _cityscapes_split(root: Path, split: str) -> tuple[ClassFiles, ...]:
    folder = root / "gtFine" / split
    for kind in ("labelIds", "labelTrainIds"):
        ending = f"_gtFine_{kind}.png"
        if labels := visible_files(folder, f"*/*{ending}"):
            return tuple(
                ClassFiles(
                    name=label.name.removesuffix(ending),
                    image=find_image(
                        root / "leftImg8bit" / split / label.parent.name,
                        label.name.removesuffix(ending) + "_leftImg8bit",
                        what=f"picture of {label}",
                        remedy=_CITYSCAPES_REMEDY,
                    ),
                    ids=label,
                    has_train_ids=kind == "labelTrainIds",
                )
                for label in labels
            )
    return ()


def _kitti2015_classes(root: Path) -> LabelledSet[ClassFiles]:
    files = tuple(
        ClassFiles(
            name=label.stem,
            image=_kitti2015_image(root, "image_2", label),
            ids=label,
            has_train_ids=False,
        )
        for label in _kitti2015_labels(root, ("semantic",))
    )
    return LabelledSet("kitti2015", root, *_last_fifth_apart(files))


def _kitti2015_pairs(root: Path) -> LabelledSet[PairFiles]:
    files = tuple(
        PairFiles(
            name=label.stem,
            left=_kitti2015_image(root, "image_2", label),
            right=_kitti2015_image(root, "image_3", label),
            disparity=label,
        )
        # With the pixels that only the left camera sees, as the benchmark's main table counts.
        for label in _kitti2015_labels(root, ("disp_occ_0", "disp_noc_0"))
    )
    return LabelledSet("kitti2015", root, *_last_fifth_apart(files))


def _kitti2015_labels(root: Path, folders: tuple[str, ...]) -> list[Path]:
    for folder in folders:
        # Frame 10 of each scene is the labelled one.
        if labels := visible_files(root / "training" / folder, "*_10.png"):
            return labels
    tried = " and ".join(str(root / "training" / folder) for folder in folders)
    raise FileNotFoundError(f"no 000002_10.png or the like in {tried}; {_KITTI_REMEDY}")


def _kitti2015_image(root: Path, camera: str, label: Path) -> Path:
    return find_image(
        root / "training" / camera, label.stem, what=f"picture of {label}", remedy=_KITTI_REMEDY
    )


def _last_fifth_apart(files: tuple[Files, ...]) -> tuple[tuple[Files, ...], tuple[Files, ...]]:
    """160 and 40 of the 200 frames: a block, since neighbours by name are often of one drive."""
    num_val = len(files) // 5
    return files[: len(files) - num_val], files[len(files) - num_val :]


def _demo_classes(root: Path) -> LabelledSet[ClassFiles]:
    raw = KittiRaw(root)

    def files_of(frame: FrameId) -> ClassFiles:
        return ClassFiles(
            name=str(frame),
            image=raw.image_path(frame),
            ids=_demo_truth(root, "train_id", frame),
            has_train_ids=True,
        )

    return LabelledSet("demo_world", root, *_demo_splits(root, files_of))


def _demo_pairs(root: Path) -> LabelledSet[PairFiles]:
    raw = KittiRaw(root)

    def files_of(frame: FrameId) -> PairFiles:
        return PairFiles(
            name=str(frame),
            left=raw.image_path(frame),
            right=raw.image_path(frame.other_side),
            disparity=_demo_truth(root, "disparity", frame),
        )

    return LabelledSet("demo_world", root, *_demo_splits(root, files_of))


def _demo_splits(
    root: Path, files_of: Callable[[FrameId], Files]
) -> tuple[tuple[Files, ...], tuple[Files, ...]]:
    lists = [root / "splits" / f"{split}.txt" for split in ("train", "val")]
    for path in lists:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: missing; {_DEMO_REMEDY}")
    train, val = (tuple(files_of(frame) for frame in read_frame_list(path)) for path in lists)
    if not train:
        raise DataError(lists[0], f"lists no frame; {_DEMO_REMEDY}")
    return train, val


def _demo_truth(root: Path, kind: str, frame: FrameId) -> Path:
    path = root / "truth" / kind / frame.drive / frame.camera / f"{frame.name}.png"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: missing; {_DEMO_REMEDY}")
    return path
