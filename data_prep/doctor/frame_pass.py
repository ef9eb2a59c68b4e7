"""Everything that needs a frame's files to be read, one frame at a time, in worker processes."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from data_prep.doctor import pictures, stereo_order, sweeps, times
from data_prep.doctor.findings import Check, Finding
from data_prep.jobs.pools import LocalPool
from data_prep.jobs.run import EachFrame, run_frames
from mtdepth.attempts import Failed
from mtdepth.datasets.calibration import Side, StereoRig
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.lidar import project_to_depth
from mtdepth.datasets.oxts import read_oxts
from mtdepth.datasets.readers import open_recordings
from mtdepth.files import DataError

Image = npt.NDArray[np.uint8]
Content = TypeVar("Content")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FramePlan:
    """What the workers need to know.

    Attributes:
      root: Of the recordings.
      matched: Frames whose two views are compared by matching.
      unusable: Drives whose calibration is missing or wrong: nothing is measured with it.
    """

    root: Path
    matched: frozenset[FrameId]
    unusable: frozenset[str]


@dataclasses.dataclass(eq=False)
class FrameAnswer:
    """What a moment's files showed.

    Attributes:
      frame: The moment, as its left frame.
      findings: Of this frame alone.
      looked: The checks that had something to look at.
      sizes: (height, width) of the readable pictures that fit their calibration.
      matches: Of a frame of `FramePlan.matched`.
      ratios: Stereo to LiDAR, likewise.
    """

    frame: FrameId
    findings: list[Finding] = dataclasses.field(default_factory=list)
    looked: list[Check] = dataclasses.field(default_factory=list)
    sizes: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    matches: stereo_order.Matches | None = None
    ratios: npt.NDArray[np.floating] | None = None

    def take(self, found: list[Finding], *checks: Check) -> bool:
        """Takes the findings of checks in; whether there was none."""
        self.looked.extend(checks)
        self.findings.extend(found)
        return not found


class FrameReader:
    """Reads and judges moments; every process has its own."""

    def __init__(self, plan: FramePlan) -> None:
        self._plan = plan
        self._raw = open_recordings(plan.root)

    def look(self, frame: FrameId) -> FrameAnswer:
        """Looks at both pictures, the sweep and the GPS/IMU packet of a moment.

        Args:
          frame: The moment, as its left frame; files may be absent.
        """
        answer = FrameAnswer(frame)
        rig = None if frame.drive in self._plan.unusable else self._raw.rig(frame)
        views = {side: self._picture(frame, side, rig, answer) for side in ("l", "r")}
        left, right = views["l"], views["r"]
        if left is not None and right is not None:
            found = pictures.pair_findings(left, right, str(frame))
            is_pair = answer.take(found, pictures.PAIR_SIZE, pictures.IDENTICAL_VIEWS)
            if left.shape != right.shape:
                answer.sizes.clear()  # said of the pair; the drive's sizes are another question
            if is_pair and frame in self._plan.matched:
                answer.matches = stereo_order.match_corners(left, right)
        self._sweep(left, rig, answer)
        if (packet := self._raw.oxts_path(frame)) is not None:
            self._packet(packet, answer)
        return answer

    def _picture(
        self, frame: FrameId, side: Side, rig: StereoRig | None, answer: FrameAnswer
    ) -> Image | None:
        """A picture that later checks can use, None where there is none."""
        try:
            path = self._raw.image_path(dataclasses.replace(frame, side=side))
        except FileNotFoundError:
            return None  # missing partners are counted from the folder's listing
        where = self._shown(path)
        view = dataclasses.replace(frame, side=side)
        image = _content(
            lambda: self._raw.read_image(view), pictures.UNREADABLE_PICTURE, where, answer
        )
        if image is None or not answer.take(
            pictures.blank_findings(image, where), pictures.BLANK_PICTURE
        ):
            return None
        size = (image.shape[0], image.shape[1])
        if rig is not None:
            found = pictures.size_findings(size, rig, where, side=side)
            if not answer.take(found, pictures.PICTURE_SIZE):
                return None
        answer.sizes.append(size)
        return image

    def _sweep(self, left: Image | None, rig: StereoRig | None, answer: FrameAnswer) -> None:
        path = self._raw.velodyne_path(answer.frame)
        if not path.is_file():
            return
        where = self._shown(path)
        points = _content(
            lambda: self._raw.read_sweep(answer.frame), sweeps.UNREADABLE_SWEEP, where, answer
        )
        if points is None or rig is None or left is None:
            return
        size = (left.shape[0], left.shape[1])
        lidar_m = project_to_depth(points, rig, side="l", size=size)
        answer.take(sweeps.coverage_findings(lidar_m, where), sweeps.SWEEP_COVERAGE)
        if answer.matches is not None:
            focal_px, baseline_m = stereo_order.focal_and_baseline(rig, size=size)
            answer.ratios = stereo_order.ratios_to_lidar(
                answer.matches, lidar_m, focal_px=focal_px, baseline_m=baseline_m
            )

    def _packet(self, path: Path, answer: FrameAnswer) -> None:
        if not path.is_file():
            return
        where = self._shown(path)
        packet = _content(lambda: read_oxts(path), times.UNREADABLE_OXTS, where, answer)
        if packet is not None:
            answer.take(times.packet_findings(packet, where), times.OXTS_VALUES)

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self._raw.root))


def _content(
    read: Callable[[], Content], check: Check, where: str, answer: FrameAnswer
) -> Content | None:
    """A file's content, None with the finding in the answer where it cannot be read."""
    try:
        content = read()
    except (DataError, OSError) as error:
        why = error.why if isinstance(error, DataError) else str(error)
        answer.take([Finding(check, where, why)], check)
        return None
    answer.take([], check)
    return content


def look_at_frames(
    frames: Sequence[FrameId], plan: FramePlan, *, num_processes: int
) -> Iterator[FrameAnswer]:
    """Looks at moments in worker processes, with a progress bar.

    Args:
      frames: The moments, as left frames.
      plan: What to do.
      num_processes: How many; 1 works in this process.

    Yields:
      An answer for each, in any order.
    """
    worker, pool = EachFrame(FrameReader(plan).look), LocalPool(num_processes)
    for frame, answer in run_frames(worker, frames, pool=pool, title="frames"):
        if isinstance(answer, Failed):
            answer = FrameAnswer(
                frame,
                findings=[Finding(pictures.UNREADABLE_PICTURE, str(frame), answer.why)],
                looked=[pictures.UNREADABLE_PICTURE],
            )
        yield answer
