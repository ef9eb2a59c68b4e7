"""All that is stored of a run: which writers there are, and when they stop."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from export.device.result import Result
from export.device.sources import ASSUMED_FPS, Source
from export.device.video import BROWSER_VIDEO_KINDS, VIDEO_KINDS, VideoWriter
from export.device.writers import FILE_KINDS, FileWriter, ObstacleWriter, Writer

# Recording stops before a disk is full, which would stop much else on the machine.
MIN_FREE_BYTES = 32 * 2**20
OBSTACLES = "obstacles.jsonl"


@dataclass(frozen=True)
class Recorder:
    """Several writers as one, which stop together while the disk still has room.

    Attributes:
      folder: Whose disk is looked at; None: none.
      writers: In the order of their urgency.
      free_bytes: How much room is left there.
    """

    folder: Path | None
    writers: Sequence[Writer]
    free_bytes: Callable[[Path], int] = field(default=lambda folder: shutil.disk_usage(folder).free)

    def write(self, result: Result) -> None:
        """Writes one result.

        Raises:
          OSError: If the disk is full, or nearly.
        """
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            if (free := self.free_bytes(self.folder)) < MIN_FREE_BYTES:
                raise OSError(
                    f"{self.folder}: the disk is full but for {free / 2**20:.0f} MiB; free some "
                    "space, or give another --output"
                )
        for writer in self.writers:
            writer.write(result)

    def close(self, *, is_kept: bool = True) -> None:
        """Closes all."""
        for writer in self.writers:
            writer.close(is_kept=is_kept)


def recorder(
    folder: Path | None,
    *,
    kinds: Sequence[str],
    source: Source,
    video_fps: float | None,
    obstacles: str | None,
    is_shown: bool,
) -> Recorder | None:
    """The writers that the command line asks for.

    Args:
      folder: The output; None: nothing is stored.
      kinds: Of `--write`; empty: what suits the source. A service that is watched as a page
        stores nothing unless told: it would fill the disk.
      source: Of the pictures.
      video_fps: Of `--video`.
      obstacles: Of `--obstacles`.
      is_shown: Whether there is a page.

    Returns:
      None where nothing is stored.

    Raises:
      OSError: If a file or the folder cannot be made.
    """
    writers: list[Writer] = [] if obstacles is None else [ObstacleWriter(obstacles)]
    if folder is not None:
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(f"--output {folder} is a file; give a folder")
        folder.mkdir(parents=True, exist_ok=True)
        is_of_pictures = source.fps is None
        if video_fps is not None:
            kinds = [*kinds, "video"]
        if not kinds and not is_shown:
            kinds = ("overlay", "depth") if is_of_pictures else ("video",)
        if "obstacles" in kinds:
            writers.append(ObstacleWriter(str(folder / OBSTACLES)))
        if files := tuple(kind for kind in kinds if kind in FILE_KINDS):
            writers.append(FileWriter(folder, files))
        if "video" in kinds:
            fps = video_fps or source.fps or ASSUMED_FPS
            of = BROWSER_VIDEO_KINDS if is_of_pictures else VIDEO_KINDS
            writers.append(VideoWriter(folder, fps=fps, kinds=of, is_live=source.is_live))
    return Recorder(folder, writers) if writers else None
