"""All that is stored of a run: which writers there are, and in which folder."""

import contextlib
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from export.device.lines import STANDARD_OUTPUT, LineWriter, is_stream
from export.device.recording import Disk, Recording
from export.device.sources import ASSUMED_FPS, Source
from export.device.video import (
    BROWSER_VIDEO_KINDS,
    LIVE_VIDEO_KINDS,
    VIDEO_KINDS,
    VideoWriter,
)
from export.device.writers import FILE_KINDS, FileWriter, Writer
from mtdepth.files import DISK_ERRORS

_LOG = logging.getLogger(__name__)

OBSTACLES = "obstacles.jsonl"
_RUN = re.compile(r"run_(\d+)")


@dataclass(frozen=True)
class Recorder:
    """What a run records.

    Attributes:
      folder: Where to; None: no files.
      recordings: One for each writer.
    """

    folder: Path | None
    recordings: tuple[Recording, ...]

    def tidy(self) -> None:
        """Leaves no empty folder behind: a service that fails at its start is started for ever."""
        if self.folder is not None and _RUN.fullmatch(self.folder.name):
            with contextlib.suppress(OSError):
                self.folder.rmdir()


def recorder(
    output: Path | None,
    *,
    kinds: Sequence[str],
    source: Source,
    video_fps: float | None,
    obstacles: str | None,
    is_shown: bool,
) -> Recorder:
    """The writers that the command line asks for.

    What comes from files replaces what an earlier run made of them. A live source's pictures
    never come again: each start records into a folder of its own.

    Args:
      output: The folder; None: nothing is stored.
      kinds: Of `--write`; empty: what suits the source. A service that is watched as a page
        stores nothing unless told: it would fill the disk.
      source: Of the pictures.
      video_fps: Of `--video`.
      obstacles: Of `--obstacles`.
      is_shown: Whether there is a page.

    Raises:
      OSError: If a file or the folder cannot be made. Of a live source a full disk is none: its
        recording begins when there is room.
    """
    is_live = source.is_live
    recordings: list[Recording] = []

    def record(name: str, writer: Writer, disk: Disk | None) -> None:
        recordings.append(Recording(name, writer, is_live=is_live, disk=disk))

    if obstacles is not None:
        name = "standard output" if obstacles == STANDARD_OUTPUT else obstacles
        disk = None if is_stream(obstacles) else Disk(Path(obstacles).parent)
        record(name, LineWriter(obstacles, is_live=is_live), disk)
    if output is None:
        return Recorder(None, tuple(recordings))
    if output.exists() and not output.is_dir():
        raise NotADirectoryError(f"--output {output} is a file; give a folder")
    is_of_pictures = source.fps is None
    if video_fps is not None:
        kinds = [*kinds, "video"]
    if not kinds and not is_shown:
        kinds = ("overlay", "depth") if is_of_pictures else ("video",)
    folder = claim_run_folder(output) if kinds and is_live else output
    with _unless_full(is_live=is_live):
        folder.mkdir(parents=True, exist_ok=True)
    disk = Disk(folder)
    if "obstacles" in kinds:
        path = str(folder / OBSTACLES)
        record(path, LineWriter(path, is_live=is_live), disk)
    if files := tuple(kind for kind in kinds if kind in FILE_KINDS):
        record(", ".join(files), FileWriter(folder, files), disk)
    if "video" in kinds:
        of_files = BROWSER_VIDEO_KINDS if is_of_pictures else VIDEO_KINDS
        video = VideoWriter(
            folder,
            fps=video_fps or source.fps or ASSUMED_FPS,
            kinds=LIVE_VIDEO_KINDS if is_live else of_files,
            is_live=is_live,
        )
        record("video", video, disk)
    return Recorder(folder, tuple(recordings))


def claim_run_folder(output: Path) -> Path:
    """Makes the next of `run_0001`, `run_0002`, ...; of several programs each gets its own.

    Numbers, not times: a board without a clock of its own wakes up in the past.

    Raises:
      OSError: If it cannot be made for another reason than a full disk.
    """
    found = [_RUN.fullmatch(path.name) for path in output.glob("run_*")]
    number = 1 + max((int(match[1]) for match in found if match is not None), default=0)
    while True:
        folder = output / f"run_{number:04d}"
        try:
            with _unless_full(is_live=True):
                folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
            continue
        _LOG.info("recording to %s", folder)
        return folder


@contextlib.contextmanager
def _unless_full(*, is_live: bool) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not is_live or error.errno not in DISK_ERRORS:
            raise
