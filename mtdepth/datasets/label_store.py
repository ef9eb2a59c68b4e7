"""The label store: a teacher's depth and classes for the frames of a split, as files to look at.

Layout of a store `O`, written by `python -m data_prep.generate_teachers` and read by training,
evaluation and notebooks:

    O/manifest.json                                 what was made, from which teachers: `Manifest`
    O/frames.jsonl                                  one line for each finished or failed frame
    O/frames-<i>-of-<n>.jsonl                       the same, from shard i of n; merged on reading
    O/depth/<drive>/<image_02>/<0000000005>.png     uint16, metres * 256, 0 = no label
    O/train_id/<drive>/<image_02>/<0000000005>.png  uint8, 0..18, 255 = ignore
    O/bias_table.json, O/bias_error_by_distance.png present where a bias table was used
"""

import dataclasses
import itertools
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_map import IGNORE_ID, NUM_CLASSES
from mtdepth.datasets.plausible import depth_problem
from mtdepth.datasets.readers import open_recordings
from mtdepth.datasets.recordings import ROOT_VARIABLE
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.files import (
    DataError,
    content_digest,
    is_there,
    read_json,
    read_json_lines,
    write_json,
    write_text,
)
from mtdepth.pictures import read_gray_png, write_png

Floats = npt.NDArray[np.float32]
TrainIds = npt.NDArray[np.uint8]

FORMAT_VERSION = 1
DEPTH_UNITS_PER_M = 256.0  # KITTI's own depth PNGs, depth devkit readme
DISPARITY_UNITS_PER_PX = 256.0  # KITTI's own disparity PNGs, stereo 2015 devkit
CEILING = 65535 / 256.0  # of both: metres or pixels
MANIFEST = "manifest.json"
_NUM_JUDGED = 3
_SHARD = re.compile(r"frames-([0-9]{1,9})-of-([0-9]{1,9})")
MAKE_COMMAND = "python -m data_prep.generate_teachers"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a store holds and where it came from.

    Attributes:
      format_version: Of this layout.
      kitti_root: Path of the tree that the images are in, KITTI's or another rig's; absolute, or
        relative to the store ("." where both are one folder).
      split: Name or list file that chose the frames.
      depth_teacher: `"sgm"`, `"precomputed"`, ...
      depth_teacher_version: Whatever changes its output: settings, checksum of the weights.
      seg_teacher: `"none"` where the store has no train ids.
      seg_teacher_version: As for depth; empty where there is none.
      bias: `"none"`, or how the bias table was made: statistic, index, frames or file.
      depth_source: Where the metres come from, in words that stay with every model trained on it.
      created: UTC time, ISO 8601, of the first run.
    """

    kitti_root: str
    split: str
    depth_teacher: str
    depth_teacher_version: str
    seg_teacher: str
    seg_teacher_version: str
    bias: str
    depth_source: str
    created: str
    format_version: int = FORMAT_VERSION


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameRecord:
    """What became of one frame.

    Attributes:
      frame: The frame.
      status: `"finished"` or `"failed"`.
      why: The reason of a failure, empty otherwise.
      size_px: `(height, width)` of the labels; None after a failure.
      labelled_fraction: Share of the pixels that have depth; None after a failure.
    """

    frame: FrameId
    status: Literal["finished", "failed"]
    why: str = ""
    size_px: tuple[int, int] | None = None
    labelled_fraction: float | None = None


def depth_path(root: Path, frame: FrameId) -> Path:
    """Where a store at `root` keeps a frame's depth."""
    return root / "depth" / frame.drive / frame.camera / f"{frame.name}.png"


def train_id_path(root: Path, frame: FrameId) -> Path:
    """Where a store at `root` keeps a frame's train ids."""
    return root / "train_id" / frame.drive / frame.camera / f"{frame.name}.png"


def write_depth_png(path: Path, depth_m: Floats) -> None:
    """Writes depth as uint16, metres * 256, atomically.

    Rounding errs by at most 1/512 m. A depth of `CEILING` or more is stored as 65535, which so
    means "at least 255.996 m", and no label (`below_ceiling`); a depth below 1/512 m is stored as
    1/256 m, since 0 means "no label".

    Args:
      path: The file, ending in `.png`.
      depth_m: `[height, width]`, 0 = no label.

    Raises:
      ValueError: If `depth_m` is not two-dimensional or holds NaN, infinity or a negative number.
    """
    if depth_m.ndim != 2:
        raise ValueError(f"{path}: depth_m must be [height, width], got shape {depth_m.shape}")
    if not (np.isfinite(depth_m).all() and (depth_m >= 0).all()):
        raise ValueError(f"{path}: depth_m must be finite and >= 0; write 0 where there is none")
    units = np.clip(np.rint(depth_m.astype(np.float64) * DEPTH_UNITS_PER_M), 1, 65535)
    write_png(path, np.where(depth_m > 0, units, 0).astype(np.uint16))


def read_depth_png(path: Path) -> Floats:
    """Reads a depth PNG as `[height, width]` float32 metres, 0 = no label.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is no one-channel uint16 picture, or cut short.
    """
    return (read_gray_png(path, np.uint16) / DEPTH_UNITS_PER_M).astype(np.float32)


def below_ceiling(values: Floats) -> Floats:
    """Metres or pixels of a label; what its file holds as 65535 becomes 0, no label.

    There it says "at least", or is another program's "none": a training would take it for a number.
    """
    return np.where(values < CEILING - 0.5 / DEPTH_UNITS_PER_M, values, 0).astype(np.float32)


def write_train_id_png(path: Path, train_id: TrainIds) -> None:
    """Writes `[height, width]` uint8 train ids, atomically.

    Raises:
      ValueError: If they are not uint8, not two-dimensional, or not 0..18 or 255.
    """
    if train_id.ndim != 2 or train_id.dtype != np.uint8:
        raise ValueError(
            f"{path}: train_id must be [height, width] uint8, "
            f"got shape {train_id.shape} of {train_id.dtype}"
        )
    _check_train_ids(path, train_id)
    write_png(path, train_id)


def read_train_id_png(path: Path) -> TrainIds:
    """Reads train ids as `[height, width]` uint8.

    Raises:
      FileNotFoundError: If the file is missing.
      DataError: If it is no one-channel uint8 picture, cut short, or not of train ids.
    """
    train_id = read_gray_png(path, np.uint8)
    try:
        _check_train_ids(path, train_id)
    except ValueError as error:
        raise DataError(path, str(error).removeprefix(f"{path}: ")) from error
    return train_id


def _check_train_ids(path: Path, train_id: TrainIds) -> None:
    counts = np.bincount(train_id.ravel(), minlength=256)
    others = counts[NUM_CLASSES:IGNORE_ID]
    if others.any():
        found = NUM_CLASSES + np.flatnonzero(others)
        remedy = (
            "Cityscapes label ids are turned into train ids by "
            "mtdepth.datasets.label_map.label_id_to_train_id"
        )
        if list(found) == [NUM_CLASSES]:
            remedy = f"is {NUM_CLASSES} your void? Then write {IGNORE_ID}"
        rule = f"train ids are 0..{NUM_CLASSES - 1} or {IGNORE_ID} (ignore)"
        raise ValueError(f"{path}: {rule}, found {found[0]}; {remedy}")


class LabelStore:
    """Reads a label store; `LabelStore.open(path)` makes one."""

    def __init__(
        self, root: Path, *, manifest: Manifest, records: list[FrameRecord], kitti_root: Path
    ) -> None:
        self.root = root
        self.manifest = manifest
        self.kitti_root = kitti_root
        self._records = records
        self._raw = open_recordings(kitti_root)

    @classmethod
    def open(cls, path: Path | str, *, kitti_root: Path | str | None = None) -> "LabelStore":
        """Opens a store.

        Args:
          path: The store's folder.
          kitti_root: Where the images are now. By default the recorded tree, or
            `$MTDEPTH_KITTI_ROOT` where the recorded one is gone.

        Raises:
          FileNotFoundError: If the folder is no label store.
          DataError: If its manifest is damaged, of another version, or its job never finished.
        """
        root = Path(path)
        manifest = read_manifest(root)
        records = read_records(root)
        missing = _missing_lists(root)
        if missing or not records:
            raise DataError(
                root,
                f"the job that makes it has not finished ({', '.join(missing)} missing); give its "
                f"`{MAKE_COMMAND}` line again to go on",
            )
        recorded = root / manifest.kitti_root
        instead = None if recorded.is_dir() else os.environ.get(ROOT_VARIABLE)
        found = Path(kitti_root or instead or recorded)
        return cls(root, manifest=manifest, records=records, kitti_root=found)

    @property
    def frames(self) -> list[FrameId]:
        """The finished frames, sorted."""
        return [record.frame for record in self._records if record.status == "finished"]

    @property
    def records(self) -> list[FrameRecord]:
        """Every frame of the job, sorted, finished or failed."""
        return list(self._records)

    @property
    def failures(self) -> list[FrameRecord]:
        """The frames that failed, with their reasons."""
        return [record for record in self._records if record.status == "failed"]

    @property
    def has_train_ids(self) -> bool:
        """Whether the store has train ids beside depth."""
        return self.manifest.seg_teacher != "none"

    def image_path(self, frame: FrameId) -> Path:
        """The frame's picture in the KITTI tree.

        Raises:
          FileNotFoundError: If it is missing.
        """
        return self._raw.image_path(frame)

    def read_depth(self, frame: FrameId) -> Floats:
        """The frame's depth label, `[height, width]` metres, 0 = no label."""
        return below_ceiling(read_depth_png(depth_path(self.root, frame)))

    def read_train_id(self, frame: FrameId) -> TrainIds | None:
        """The frame's train ids, `[height, width]`, or None in a store without."""
        return read_train_id_png(train_id_path(self.root, frame)) if self.has_train_ids else None

    def read_sample(self, frame: FrameId) -> tuple[npt.NDArray[np.uint8], Floats, TrainIds | None]:
        """The frame's picture `[height, width, 3]`, depth and train ids `[height, width]`.

        Raises:
          FileNotFoundError: If a file is missing.
          DataError: If a file is damaged, or a label has another size than the picture.
        """
        image = self._raw.read_image(frame)
        depth_m, train_id = self.read_depth(frame), self.read_train_id(frame)
        for path_of, labels in ((depth_path, depth_m), (train_id_path, train_id)):
            if labels is not None and labels.shape != image.shape[:2]:
                raise DataError(
                    path_of(self.root, frame),
                    f"labels are {labels.shape[0]}x{labels.shape[1]} (height x width) but "
                    f"{self.image_path(frame)} is {image.shape[0]}x{image.shape[1]}: a label store "
                    "of another resolution. Give the KITTI tree that it was made from, or make it "
                    f"again by `{MAKE_COMMAND}`",
                )
        return image, depth_m, train_id

    def depth_problem(self) -> str:
        """Why the depth of a few frames is no scene's; empty where it may be."""
        for frame in evenly_spaced(self.frames, number=_NUM_JUDGED):
            if why := depth_problem(self.read_depth(frame)):
                return f"{depth_path(self.root, frame)}: {why}"
        return ""

    def digest(self) -> str:
        """`content_digest` of the finished frames' labels.

        Raises:
          FileNotFoundError: If a label is missing.
        """
        paths = (depth_path, train_id_path) if self.has_train_ids else (depth_path,)
        return content_digest(
            (str(frame), path_of(self.root, frame)) for frame in self.frames for path_of in paths
        )


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Writes a store's manifest, atomically."""
    write_json(root / MANIFEST, dataclasses.asdict(manifest))


def read_manifest(root: Path) -> Manifest:
    """Reads a store's manifest.

    Raises:
      FileNotFoundError: If `root` is no label store.
      DataError: If the manifest is damaged or of another format version.
    """
    path = root / MANIFEST
    if not is_there(path):
        raise FileNotFoundError(
            f"{root}: not a label store ({MANIFEST} is missing); make one with `{MAKE_COMMAND}`"
        )
    content = read_json(path)
    names = {field.name for field in dataclasses.fields(Manifest)}
    version = content.get("format_version") if isinstance(content, dict) else None
    if type(version) is not int or version != FORMAT_VERSION:
        raise DataError(
            path, f"expected format_version {FORMAT_VERSION}; make it again by `{MAKE_COMMAND}`"
        )
    if set(content) != names:
        wrong = sorted(names.symmetric_difference(content))
        raise DataError(path, f"missing or unknown fields {wrong}; make it again")
    for name, value in content.items():
        if not isinstance(value, str) and name != "format_version":
            raise DataError(path, f"{name} must be text, got {value!r}; make it again")
    return Manifest(**content)


def records_path(root: Path, *, shard_index: int, num_shards: int) -> Path:
    """Where shard `shard_index` of `num_shards` lists its frames."""
    part = "" if num_shards == 1 else f"-{shard_index}-of-{num_shards}"
    return root / f"frames{part}.jsonl"


def is_whole(root: Path) -> bool:
    """Whether every shard of the job that makes a store has written its list of frames."""
    return not _missing_lists(root)


def _missing_lists(root: Path) -> list[str]:
    """The lists that unfinished shards still owe; none once a whole job or all shards are done."""
    if is_there(root / "frames.jsonl"):
        return []
    indices: dict[int, set[int]] = {}
    for path in root.glob("frames-*-of-*.jsonl"):
        if match := _SHARD.fullmatch(path.stem):
            indices.setdefault(int(match[2]), set()).add(int(match[1]))
    if any(len(found) == num_shards for num_shards, found in indices.items()):
        return []
    if not indices:
        return ["frames.jsonl"]
    num_shards, found = min(indices.items())
    owed = (index for index in range(num_shards) if index not in found)
    return [f"frames-{index}-of-{num_shards}.jsonl" for index in itertools.islice(owed, 10)]


def write_records(path: Path, records: Iterable[FrameRecord]) -> None:
    """Writes frame records, one JSON line each, sorted by frame, atomically."""
    lines = [
        json.dumps(dataclasses.asdict(record) | {"frame": str(record.frame)})
        for record in sorted(records, key=lambda record: record.frame)
    ]
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_records(root: Path) -> list[FrameRecord]:
    """Reads and merges a store's `frames*.jsonl`, sorted by frame; none there gives none.

    A frame that one list calls failed and another finished is finished: labels are never removed.

    Raises:
      DataError: If a line is damaged, or the list of a whole job is empty.
    """
    merged: dict[FrameId, FrameRecord] = {}
    remedy = f"delete it and give the `{MAKE_COMMAND}` line again: labels that are there stay"
    for path in sorted(root.glob("frames*.jsonl")):
        lines = read_json_lines(path)
        if not lines and path.stem == "frames":  # a shard may have none, a job has some
            raise DataError(path, f"lists no frame, so it was cut short; {remedy}")
        for number, fields in enumerate(lines, start=1):
            try:
                record = _record(fields)
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(path, f"line {number} is damaged ({error!r}); {remedy}") from error
            known = merged.get(record.frame)
            if known is None or known.status == "failed":
                merged[record.frame] = record
    return [merged[frame] for frame in sorted(merged)]


def _record(fields: dict[str, Any]) -> FrameRecord:
    """A line of a list as its record; KeyError, TypeError or ValueError where it is none."""
    status, why, size_px = fields["status"], fields["why"], fields["size_px"]
    if status not in ("finished", "failed") or not isinstance(why, str):
        raise ValueError(f"status {status!r}, why {why!r}")
    if size_px is not None:
        if [type(side) for side in size_px] != [int, int] or min(size_px) < 1:
            raise ValueError(f"size_px {size_px}")
        size_px = (size_px[0], size_px[1])
    share = fields["labelled_fraction"]
    if share is not None and (type(share) not in (int, float) or not 0 <= share <= 1):
        raise ValueError(f"labelled_fraction {share}")
    frame = FrameId.parse(str(fields["frame"]))
    return FrameRecord(
        frame=frame, status=status, why=why, size_px=size_px, labelled_fraction=share
    )
