"""KITTI's odometry sequences: frames, poses, times and calibration.

Their frames are numbered by sequence, not by drive, so they have a name and list files of their
own (`9 0 l`) and are not among the splits of raw recordings.
"""

import dataclasses
import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import (
    CalibrationFile,
    Side,
    StereoRig,
    check_side,
    rig_from_projections,
    rigid_transform,
)
from mtdepth.datasets.frames import numbered_files
from mtdepth.datasets.plausible import rotation_problem
from mtdepth.datasets.splits import read_list
from mtdepth.files import DataError, UserError, is_there
from mtdepth.pictures import PICTURE_SUFFIXES, read_rgb

Matrix = npt.NDArray[np.float64]

DOWNLOAD_PAGE = "https://www.cvlibs.net/datasets/kitti/eval_odometry.php"
CAMERA_OF_SIDE: dict[Side, str] = {"l": "image_2", "r": "image_3"}
_GRAY_CAMERA_OF_SIDE: dict[Side, str] = {"l": "image_0", "r": "image_1"}
_NUM_SEQUENCES = 22
# The division of every paper on self-supervised ego-motion (Zhou et al. 2017, sec. 4.3).
SEQUENCES_OF_SPLIT = {"train": tuple(range(9)), "test": (9, 10), "all": tuple(range(22))}


@dataclasses.dataclass(frozen=True, order=True)
class OdometryFrame:
    """One picture of an odometry sequence.

    Attributes:
      sequence: 0..21.
      index: Frame number, from 0.
      side: `l` (image_2) or `r` (image_3).

    Raises:
      UserError: If one of them is out of range.
    """

    sequence: int
    index: int
    side: Side = "l"

    def __post_init__(self) -> None:
        """Rejects a frame that no sequence could hold."""
        _check_sequence(self.sequence)
        if not 0 <= self.index < 10**6:
            raise UserError(f"an odometry frame number has at most six digits, got {self.index}")
        check_side(self.side)

    def __str__(self) -> str:
        """The frame as a line of a list file: `9 0 l`."""
        return f"{self.sequence} {self.index} {self.side}"

    @classmethod
    def parse(cls, line: str) -> "OdometryFrame":
        """Reads a line of a list file, `9 0 l`.

        Raises:
          UserError: If the line has another form.
        """
        match = re.fullmatch(r"([0-9]+)\s+([0-9]+)\s+([lr])", line.strip())
        if match is None:
            raise UserError(f"an odometry frame is written `9 0 l`, got {line.strip()!r}")
        return cls(int(match[1]), int(match[2]), cast(Side, match[3]))


def read_odometry_list(path: Path) -> list[OdometryFrame]:
    """Reads a list file of odometry frames, in its order; blank lines and `#` are skipped.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If a line has another form; names the line.
    """
    return read_list(path, OdometryFrame.parse)


def sequences_on_disk(root: Path) -> list[int]:
    """Returns the numbers of the sequences that have a folder, sorted."""
    folders = (root / "sequences").glob("[0-9][0-9]")
    numbers = (int(folder.name) for folder in folders if folder.is_dir())
    return sorted(number for number in numbers if number < _NUM_SEQUENCES)


def sequences_of_split(root: Path, split: str) -> list[int]:
    """Returns the sequences that a name stands for.

    Args:
      root: KITTI's `dataset` folder.
      split: `train` (00 to 08), `test` (09, 10) or `all`: those of them on disk; or numbers,
        `00,02`, each of which must be there.

    Raises:
      FileNotFoundError: If a numbered sequence is not on disk.
      UserError: If it is neither, or none of the split is on disk.
    """
    on_disk = sequences_on_disk(root)
    found = ", ".join(f"{number:02d}" for number in on_disk) or "none"
    if split in SEQUENCES_OF_SPLIT:
        if numbers := [number for number in SEQUENCES_OF_SPLIT[split] if number in on_disk]:
            return numbers
        raise UserError(f"no sequence of {split} is below {root / 'sequences'}; found: {found}")
    if not re.fullmatch(r"[0-9]{1,2}(,[0-9]{1,2})*", split):
        raise UserError(
            f"no split {split!r} of odometry: it is neither {', '.join(SEQUENCES_OF_SPLIT)}, nor "
            "numbers (00,02), nor a list file (`9 0 l`, one frame a line)"
        )
    numbers = [int(word) for word in split.split(",")]
    if absent := [number for number in numbers if number not in on_disk]:
        raise FileNotFoundError(
            f"{root / 'sequences' / f'{absent[0]:02d}'}: no such sequence; found: {found}"
        )
    return numbers


class OdometrySequence:
    """One sequence: `<root>/sequences/09/{image_2,image_3,calib.txt,times.txt}`, `<root>/poses`.

    Of a grey download `image_0` and `image_1` are taken, with their projections.

    Args:
      root: KITTI's `dataset` folder.
      sequence: 0..21.

    Raises:
      FileNotFoundError: If the sequence is not on disk.
      UserError: If the number is out of range.
    """

    def __init__(self, root: Path | str, sequence: int) -> None:
        _check_sequence(sequence)
        self.root = Path(root)
        self.sequence = sequence
        self.folder = self.root / "sequences" / f"{sequence:02d}"
        if not self.folder.is_dir():
            raise FileNotFoundError(
                f"{self.folder}: no such folder; odometry sequences are laid out as "
                f"<root>/sequences/00/image_2/000000.png ({DOWNLOAD_PAGE})"
            )

    def pictures(self, side: Side = "l") -> dict[int, Path]:
        """The pictures of one camera by frame number, sorted; none where it was not downloaded."""
        folder = self.folder / self._camera(check_side(side))
        return numbered_files(folder, PICTURE_SUFFIXES, num_digits=6)

    @functools.cached_property
    def poses(self) -> Matrix:
        """World_from_camera poses `[frames, 4, 4]`, metres; row i belongs to frame number i.

        `X_world = T @ X_camera`, of *rectified camera 0* (left grey); the world is its frame at
        the first picture. May hold more frames than there are pictures.

        Raises:
          FileNotFoundError: If there is no file; KITTI keeps the poses of 11 to 21 to itself.
          DataError: If a line is not twelve finite numbers, or turns no camera.
        """
        path = self.root / "poses" / f"{self.sequence:02d}.txt"
        if not is_there(path):
            raise FileNotFoundError(
                f"{path}: no such file; KITTI publishes the poses of sequences 00 to 10 only "
                f"({DOWNLOAD_PAGE})"
            )
        rows = _numbers_by_line(path, count=12)
        poses = np.tile(np.eye(4), (len(rows), 1, 1))
        poses[:, :3, :] = rows.reshape(-1, 3, 4)
        for number, pose in enumerate(poses, start=1):
            if why := rotation_problem(pose[:3, :3]):
                raise DataError(path, f"line {number} holds {why}")
        return poses

    def poses_of(self, rows: Iterable[int]) -> dict[int, Matrix]:
        """Of `poses` those of some pictures, by row; none where KITTI keeps them to itself.

        Raises:
          DataError: As `poses`.
        """
        try:
            return {row: self.poses[row] for row in rows if row < len(self.poses)}
        except FileNotFoundError:
            return {}

    @functools.cached_property
    def times_s(self) -> npt.NDArray[np.float64]:
        """Seconds since the first frame `[frames]`.

        Raises:
          FileNotFoundError: If there is no file.
          DataError: If a line is not one number.
        """
        return _numbers_by_line(self.folder / "times.txt", count=1)[:, 0]

    @functools.cached_property
    def rig(self) -> StereoRig:
        """The rectified stereo rig; laser points go to rectified camera 0 by `Tr`, where given.

        The file does not state the image size, so the first picture of each camera does.

        Raises:
          FileNotFoundError: If the calibration or every picture is missing.
          DataError: If a line is missing or damaged.
        """
        file = CalibrationFile(self.folder / "calib.txt", remedy=f"download it: {DOWNLOAD_PAGE}")
        size_left = self._image_size("l")
        T_velodyne_to_camera_0 = None
        if "Tr" in file:
            T_velodyne_to_camera_0 = rigid_transform(
                file.path, "Tr", np.vstack([file.matrix("Tr", (3, 4)), [0.0, 0.0, 0.0, 1.0]])
            )
        return rig_from_projections(
            path=file.path,
            P_rect_02=file.matrix(f"P{self._camera('l')[-1]}", (3, 4)),
            P_rect_03=file.matrix(f"P{self._camera('r')[-1]}", (3, 4)),
            size_left=size_left,
            # A monocular download has no right pictures; they would be of the same size.
            size_right=self._image_size("r") if self.pictures("r") else size_left,
            R_rect_00=np.eye(3),
            T_velodyne_to_camera_0=T_velodyne_to_camera_0,
        )

    def _camera(self, side: Side) -> str:
        """The folder of a side: of the colour cameras, else of the grey ones."""
        is_gray = not (self.folder / "image_2").is_dir() and (self.folder / "image_0").is_dir()
        return (_GRAY_CAMERA_OF_SIDE if is_gray else CAMERA_OF_SIDE)[side]

    def _image_size(self, side: Side) -> tuple[int, int]:
        path = next(iter(self.pictures(side).values()), None)
        if path is None:
            raise FileNotFoundError(
                f"{self.folder / self._camera(side)}: no picture; download the colour images: "
                f"{DOWNLOAD_PAGE}"
            )
        height_px, width_px = read_rgb(path).shape[:2]
        return height_px, width_px


def _numbers_by_line(path: Path, *, count: int) -> Matrix:
    if not is_there(path):
        raise FileNotFoundError(f"{path}: no such file; download it: {DOWNLOAD_PAGE}")

    def parse(text: str) -> list[float]:
        row = [float(word) for word in text.split()]
        if len(row) != count or not np.isfinite(row).all():
            raise ValueError(f"expected {count} finite numbers, found {len(row)}")
        return row

    rows = read_list(path, parse)
    if not rows:
        raise DataError(path, "has no line; copy or download it again")
    return np.array(rows)


def _check_sequence(sequence: int) -> None:
    if not 0 <= sequence < _NUM_SEQUENCES:
        raise UserError(f"KITTI has odometry sequences 0 to 21, got {sequence}")
