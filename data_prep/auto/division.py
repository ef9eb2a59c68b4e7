"""Which frames of some recordings are learned from, and which are held out to be scored."""

import dataclasses
from collections.abc import Sequence

from mtdepth.datasets.eigen import EIGEN_TEST_DRIVES
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.recordings import Recordings
from mtdepth.datasets.rig_folder import VAL_SHARE, held_out_drives
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.files import UserError

MAX_HELD_OUT = 200  # ours: more would change a score by less than another seed does


@dataclasses.dataclass(frozen=True, kw_only=True)
class Division:
    """Frames of the left camera, in two parts.

    Attributes:
      train: What is learned from, sorted.
      held_out: What is scored, sorted.
      in_words: How they were chosen.
      train_has_lidar: Whether a frame of `train` has a sweep.
      held_out_has_lidar: Whether every frame of `held_out` has one; otherwise none has.
    """

    train: tuple[FrameId, ...]
    held_out: tuple[FrameId, ...]
    in_words: str
    train_has_lidar: bool
    held_out_has_lidar: bool


def divide(raw: Recordings, frames: Sequence[FrameId], *, knows_eigen: bool) -> Division:
    """Holds out whole drives, since neighbouring frames look alike, or the end of the only one.

    Where some held-out frames have LiDAR, the others are left out: one truth for all.

    Args:
      raw: The recordings.
      frames: Of them; those of the right camera are passed over.
      knows_eigen: Whether Eigen's test drives, where there are some, are what is held out.

    Raises:
      UserError: If there are fewer than two frames.
    """
    left = sorted(frame for frame in frames if frame.side == "l")
    if len(left) < 2:
        raise UserError(
            f"{raw.root}: {len(left)} frames of the left camera, of which one is learned from and "
            "another is scored; two are the least, some dozens are of use"
        )
    drives = sorted({frame.drive for frame in left})
    tested = [drive for drive in drives if knows_eigen and drive in EIGEN_TEST_DRIVES]
    if len(drives) == 1:
        num_held = max(1, round(VAL_SHARE * len(left)))
        train, held_out = left[:-num_held], left[-num_held:]
        words = (
            f"the last {len(held_out)} of {len(left)} frames, as there is one drive; they look "
            "like those before them, so scores flatter: a second drive would tell the truth"
        )
    else:
        held = tested if 0 < len(tested) < len(drives) else held_out_drives(drives)
        train = [frame for frame in left if frame.drive not in held]
        held_out = [frame for frame in left if frame.drive in held]
        which = "Eigen's test drives" if held == tested else "the last fifth of the drives"
        more = f" and {len(held) - 3} more" if len(held) > 3 else ""
        words = f"{which} ({', '.join(held[:3])}{more}), {len(held_out)} frames"
    scanned = [frame for frame in held_out if raw.velodyne_path(frame).is_file()]
    chosen = evenly_spaced(scanned or held_out, number=MAX_HELD_OUT)
    if len(chosen) < len(held_out):
        words += f"; {len(chosen)} of them {'with LiDAR ' if scanned else ''}are scored"
    return Division(
        train=tuple(train),
        held_out=tuple(chosen),
        in_words=words,
        train_has_lidar=any(raw.velodyne_path(frame).is_file() for frame in train),
        held_out_has_lidar=bool(scanned),
    )
