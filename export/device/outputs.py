"""What a run writes: the words of `--write`, and the folder that they go to.

A further output is a file with a function or a writer, and one entry of `OUTPUTS`.
"""

import contextlib
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from export.device.lines import STANDARD_OUTPUT, LineWriter, is_stream
from export.device.recording import Disk, Recording, Target, Writer
from export.device.result import Result
from export.device.sources import Source
from export.device.video import open_video
from mtdepth.files import DISK_ERRORS
from mtdepth.runtime import picture_files

_LOG = logging.getLogger(__name__)

_RUN = re.compile(r"run_(\d+)")


@dataclass(frozen=True, kw_only=True)
class Output:
    """One word of `--write`; either function is given.

    Attributes:
      of_picture: Writes the files of one result, whose names begin with the path's.
      of_run: Opens what takes every result.
      needs_camera: Whether it needs --focal_px or --camera, and why.
    """

    of_picture: Callable[[Path, Result], None] | None = None
    of_run: Callable[[Target], Writer] | None = None
    needs_camera: str = ""


_NEEDS_CAMERA = {"ply": "without, pixels have no direction"}
OUTPUTS = {
    **{
        name: Output(of_picture=write, needs_camera=_NEEDS_CAMERA.get(name, ""))
        for name, write in picture_files.WRITERS.items()
    },
    "obstacles": Output(
        of_run=lambda target: LineWriter(
            str(target.folder / "obstacles.jsonl"), is_live=target.source.is_live
        )
    ),
    "video": Output(of_run=open_video),
}


@dataclass(frozen=True)
class FileWriter(Writer):
    """Writes files of the named outputs for each result, each whole or not at all."""

    folder: Path
    names: tuple[str, ...]

    def write(self, result: Result) -> None:
        """Writes one result."""
        for name in self.names:
            if write := OUTPUTS[name].of_picture:
                write(self.folder / result.name, result)


@dataclass(frozen=True)
class Recorder:
    """What a run records, one for each writer, and the folder, None without files."""

    folder: Path | None
    recordings: tuple[Recording, ...]

    def tidy(self) -> None:
        """Leaves no empty folder behind: a service that fails at its start is started for ever."""
        if self.folder is not None and _RUN.fullmatch(self.folder.name):
            with contextlib.suppress(OSError):
                self.folder.rmdir()


def open_outputs(
    output: Path | None,
    *,
    names: Sequence[str],
    source: Source,
    video_fps: float | None = None,
    obstacles: str | None = None,
    is_shown: bool = False,
) -> Recorder:
    """The recordings that the command line asks for.

    What comes from files replaces what an earlier run made of them. A live source's pictures
    never come again: each start records into a folder of its own.

    Args:
      output: The folder; None: nothing is stored.
      names: Of `--write`; empty: what suits the source. A service that is watched as a page
        stores nothing unless told: it would fill the disk.
      source: Of the pictures.
      video_fps: Of `--video`.
      obstacles: Of `--obstacles`.
      is_shown: Whether there is a page.

    Raises:
      OSError: If a file or the folder cannot be made. Of a live source a full disk is none: its
        recording begins when there is room.
    """
    recordings: list[Recording] = []
    is_live = source.is_live
    if obstacles is not None:
        name = "standard output" if obstacles == STANDARD_OUTPUT else obstacles
        disk = None if is_stream(obstacles) else Disk(Path(obstacles).parent)
        writer = LineWriter(obstacles, is_live=is_live)
        recordings.append(Recording(name, writer, is_live=is_live, disk=disk))
    if output is None:
        return Recorder(None, tuple(recordings))
    if output.exists() and not output.is_dir():
        raise NotADirectoryError(f"--output {output} is a file; give a folder")
    if video_fps is not None:
        names = [*names, "video"]
    if not names and not is_shown:
        names = ("overlay", "depth") if source.fps is None else ("video",)
    folder = claim_run_folder(output) if names and is_live else output
    with _unless_full(is_live=is_live):
        folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str, Writer] = {}
    if files := tuple(name for name in OUTPUTS if name in names and OUTPUTS[name].of_picture):
        writers[", ".join(files)] = FileWriter(folder, files)
    target = Target(folder=folder, source=source, video_fps=video_fps)
    for name in OUTPUTS:
        if name in names and (opened := OUTPUTS[name].of_run):
            writers[name] = opened(target)
    recordings += [
        Recording(name, writer, is_live=is_live, disk=Disk(folder))
        for name, writer in writers.items()
    ]
    return Recorder(folder, tuple(recordings))


def claim_run_folder(output: Path) -> Path:
    """Makes the next of `run_0001`, `run_0002`, ...; of several programs each gets its own.

    Numbers, not times: a board without a clock of its own wakes up in the past.
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
