"""The readers of recordings: the one table that says which there are."""

from pathlib import Path

from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.recordings import Recordings
from mtdepth.datasets.rig_folder import RigFolder

# The first whose `is_root` agrees opens a folder; where none does, the last says what is missing.
READERS: tuple[type[Recordings], ...] = (RigFolder, KittiRaw)


def reader_of(root: Path | str) -> type[Recordings]:
    """The reader of a folder of recordings; KITTI's where nothing tells."""
    return next((reader for reader in READERS if reader.is_root(Path(root))), READERS[-1])


def open_recordings(root: Path | str) -> Recordings:
    """Opens recordings of any layout.

    Raises:
      FileNotFoundError: If the folder holds none.
      DataError: If its calibration is damaged or a drive breaks a rule of the layout.
    """
    return reader_of(root)(root)
