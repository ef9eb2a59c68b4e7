"""The readers of recordings: the one table that says which there are."""

from pathlib import Path

from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.recordings import Recordings
from mtdepth.datasets.rig_folder import RigFolder, drives_in

# The first whose `is_root` agrees opens a folder.
READERS: tuple[type[Recordings], ...] = (RigFolder, KittiRaw)


def reader_of(root: Path | str) -> type[Recordings]:
    """The reader of a folder of recordings; where it is none, the one that says what is missing."""
    what_is_missing = RigFolder if drives_in(Path(root)) else KittiRaw
    return next((reader for reader in READERS if reader.is_root(Path(root))), what_is_missing)


def open_recordings(root: Path | str) -> Recordings:
    """Opens recordings of any layout.

    Raises:
      FileNotFoundError: If the folder holds none.
      DataError: If its calibration is damaged or a drive breaks a rule of the layout.
    """
    return reader_of(root)(root)
