"""KITTI's raw recordings, synchronised and rectified.

<root>/2011_09_26/calib_cam_to_cam.txt                                     one rig a date
<root>/2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000000.png  or .jpg; image_03: right
.../velodyne_points/data/0000000000.bin, .../oxts/data/0000000000.txt, .../*/timestamps.txt
"""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.calibration import DOWNLOAD_PAGE, StereoRig, read_rig
from mtdepth.datasets.eigen import (
    CALIBRATION_DRIVES,
    EIGEN_TEST_DRIVES,
    KITTI_DRIVES,
    eigen_improved_frames,
    eigen_test_frames,
)
from mtdepth.datasets.frames import CAMERA_OF_SIDE, FrameId, is_kitti_drive
from mtdepth.datasets.recordings import Layout, Recordings
from mtdepth.files import DataError, UserError, read_text

_STAMP = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{1,9})?")
_DATE = re.compile(r"\d{4}_\d{2}_\d{2}")
_EXAMPLE = "<root>/2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000000.png"


class KittiRaw(Recordings):
    """A folder in KITTI's raw layout.

    Raises:
      FileNotFoundError: If the folder is missing or holds no date folder.
    """

    layout = Layout(
        title="KITTI's drives",
        example=_EXAMPLE,
        list_line="2011_09_26/2011_09_26_drive_0001_sync 0000000005 l",
        camera_folders={side: f"{camera}/data" for side, camera in CAMERA_OF_SIDE.items()},
        lidar_folder="velodyne_points/data",
        split_names=("eigen_test", "eigen_improved", "eigen_train"),
        default_splits={"train": "eigen_train", "val": "eigen_test"},
        num_digits=10,
        lidar_z_is_up=True,
        has_dates=True,
        timed_sensors=(*CAMERA_OF_SIDE.values(), "velodyne_points", "oxts"),
    )

    def __init__(self, root: Path | str) -> None:
        super().__init__(root)
        self._rig_of_date: dict[str, StereoRig] = {}
        if not self.root.is_dir():
            raise FileNotFoundError(
                f"{self.root}: no such folder; it should be the root of KITTI raw recordings, "
                f"laid out as {_EXAMPLE} ({DOWNLOAD_PAGE}), or of another rig's, with its rig.json"
            )
        if not self.is_root(self.root):
            raise FileNotFoundError(
                f"{self.root}: holds no date folder such as 2011_09_26, so it is not the root of "
                f"KITTI raw recordings, which are laid out as {_EXAMPLE}; is it one folder up or "
                "down? Recordings of another rig have a rig.json there"
            )

    @classmethod
    def is_root(cls, root: Path) -> bool:
        """Whether a folder holds one that is named like a date."""
        return bool(_dates(root))

    def drives(self) -> list[str]:
        """Every drive on disk, whatever its number, sorted."""
        return sorted(
            folder.name
            for date in _dates(self.root)
            for folder in date.iterdir()
            if is_kitti_drive(folder.name) and folder.name.startswith(date.name) and folder.is_dir()
        )

    def drive_dir(self, drive: str) -> Path:
        """The folder of a drive, present or not."""
        return self.root / (drive[:10] if is_kitti_drive(drive) else "") / drive

    def calibration(self, date: str) -> StereoRig:
        """The rig of a recording date; read once.

        Raises:
          FileNotFoundError: If a calibration file is missing.
          DataError: If one is damaged.
        """
        if date not in self._rig_of_date:
            self._rig_of_date[date] = read_rig(self.root / date)
        return self._rig_of_date[date]

    def rig(self, frame: FrameId) -> StereoRig:
        """The rig that took a frame: `calibration` of its date."""
        return self.calibration(frame.date)

    def calibration_files(self, drive: str) -> list[Path]:
        """The files of a drive's date; the third where the drive has GPS/IMU packets."""
        names = ["calib_cam_to_cam.txt", "calib_velo_to_cam.txt"]
        if (self.drive_dir(drive) / "oxts" / "data").is_dir():
            names.append("calib_imu_to_velo.txt")
        return [self.drive_dir(drive).parent / name for name in names]

    def oxts_path(self, frame: FrameId) -> Path:
        """Where the frame's GPS/IMU packet lies; the file may be absent."""
        return self.drive_dir(frame.drive) / "oxts" / "data" / f"{frame.name}.txt"

    def split(self, name: str) -> list[FrameId]:
        """The frames of one of Eigen's sides.

        `eigen_test` is the published 697, on disk or not, `eigen_improved` the 652 of them that
        have annotated depth. `eigen_train` is of what is on disk, both cameras, sorted: KITTI's own
        drives without the 28 test drives and without the checkerboard recordings. A drive whose
        number KITTI does not have is left out, since it may be a test drive under another name.
        (Eigen's own side is the 33 of these of the categories city, residential and road; drives of
        the categories campus and person take part if they were downloaded.)

        Raises:
          ValueError: If nothing of the training side is here.
        """
        if name == "eigen_test":
            return eigen_test_frames()
        if name == "eigen_improved":
            return eigen_improved_frames()
        is_training = KITTI_DRIVES - EIGEN_TEST_DRIVES - CALIBRATION_DRIVES
        drives = self.drives()
        frames = self.all_frames(drive for drive in drives if drive in is_training)
        if not frames:
            raise UserError(
                f"the split eigen_train below {self.root} has no frame; of the drives there "
                f"({', '.join(drives[:5]) or 'none'}) none is a KITTI drive of the training side; "
                "for recordings of your own take `all` or a list file"
            )
        return frames

    def _remedy(self, drive: str) -> str:
        if not is_kitti_drive(drive):
            return "; this is no drive of KITTI's; the root of another rig has a rig.json"
        if not self.drive_dir(drive).is_dir():
            return f"; the whole drive is missing: download {drive}.zip from {DOWNLOAD_PAGE}"
        return f"; {drive}.zip holds both cameras: download it again from {DOWNLOAD_PAGE}"


def read_times(path: Path) -> npt.NDArray[np.float64]:
    """Reads a `timestamps.txt`: seconds since 1970, one a frame from number 0, `[lines]`.

    A blank line, as KITTI has where a sweep was lost, is a time that nobody knows: NaN.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If a line is no time; names it.
    """
    seconds = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        text = line.strip()
        try:
            if text and not _STAMP.fullmatch(text):
                raise ValueError("no time such as 2011-09-26 13:02:25.964389445")
            moment = np.datetime64(text.replace(" ", "T") or "NaT", "ns")
        except ValueError as error:
            raise DataError(path, f"line {number} is {text[:40]!r}: {error}") from error
        seconds.append(moment.astype(np.int64) / 1e9 if text else np.nan)
    return np.array(seconds, np.float64)


def _dates(root: Path) -> list[Path]:
    folders = root.iterdir() if root.is_dir() else ()
    return sorted(path for path in folders if _DATE.fullmatch(path.name) and path.is_dir())
