"""Triplets (t-1, t, t+1) of frames to learn from, and what became of the others."""

import collections
import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from mtdepth.contract import Fit
from mtdepth.data.video import Shot
from mtdepth.geometry.camera import Intrinsics
from mtdepth.runtime.fitting import fitted_intrinsics

Reason = Literal["edge", "gap", "unreadable", "cut", "static"]
REASONS: dict[Reason, str] = {
    "edge": "at an edge",
    "gap": "beside a gap",
    "unreadable": "beside an unreadable frame",
    "cut": "at a cut",
    "static": "static",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Triplet:
    """Three frames of a shot; the middle one is the target.

    Attributes:
      shot: Where they are from.
      numbers: Frame numbers (t-1, t, t+1), or further apart where the user says so.
      flows_px: Mean flow of (t-1, t) and (t, t+1), pixels at the network's size.
    """

    shot: Shot
    numbers: tuple[int, int, int]
    flows_px: tuple[float, float]

    @property
    def name(self) -> str:
        """The target's title."""
        return self.shot.titles[self.numbers[1]]

    @property
    def flow_px(self) -> float:
        """The smaller flow: a source that equals the target explains it at any depth."""
        return min(self.flows_px)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Selection:
    """What became of one source's frames.

    Attributes:
      label: The source as the user wrote it.
      num_shots: Its shots.
      num_frames: Its frames with a picture, each of which is kept or left out.
      kept: What is left.
      left_out: How many frames were left out for each reason.
      static: The triplets left out as static, for the preview.
      missing: Frames of its list without a picture.
      faults: What was wrong with the files that could not be read.
    """

    label: str
    num_shots: int
    num_frames: int
    kept: tuple[Triplet, ...]
    left_out: Mapping[Reason, int]
    static: tuple[Triplet, ...] = ()
    missing: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    def counts(self) -> dict[str, int | str]:
        """The numbers by name, as JSON can hold them."""
        return {
            "source": self.label,
            "shots": self.num_shots,
            "frames": self.num_frames,
            "triplets": len(self.kept),
            **{reason: self.left_out.get(reason, 0) for reason in REASONS},
            "missing": len(self.missing),
        }

    def __str__(self) -> str:
        """The numbers in words."""
        out = [
            f"{self.left_out[reason]} {why}"
            for reason, why in REASONS.items()
            if self.left_out.get(reason)
        ]
        return (
            f"{_number(self.num_frames, 'frame')} in {_number(self.num_shots, 'shot')} give "
            f"{_number(len(self.kept), 'triplet')}; "
            f"left out: {', '.join(out) or 'none'}"
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TripletSet:
    """What a network learns from, or is held out.

    Attributes:
      selections: One of each source, in the user's order.
      frame_step: Frame numbers between a triplet's frames.
      min_flow_px: The least mean flow.
      size_px: (height, width) of the network's input, which the flow refers to.
      kitti_root: Of the first source that is recordings of KITTI or of another rig.
    """

    selections: tuple[Selection, ...]
    frame_step: int
    min_flow_px: float
    size_px: tuple[int, int]
    kitti_root: Path | None

    @property
    def triplets(self) -> tuple[Triplet, ...]:
        """All that was kept, source by source, in the order of their frames; never empty."""
        return tuple(triplet for selection in self.selections for triplet in selection.kept)

    @property
    def labels(self) -> tuple[str, ...]:
        """The sources as the user wrote them, and how far apart a triplet's frames are."""
        apart = "" if self.frame_step == 1 else f", frames {self.frame_step} apart"
        return tuple(f"{selection.label}{apart}" for selection in self.selections)

    @property
    def digest(self) -> str:
        """SHA-256 over what is learned from: frames, their pictures and their cameras."""
        hasher = hashlib.sha256()
        shots: dict[int, Shot] = {}
        for triplet in self.triplets:
            shots.setdefault(id(triplet.shot), triplet.shot)
            hasher.update(f"{triplet.name} {triplet.numbers}\n".encode())
        for shot in shots.values():
            hasher.update(f"{shot.name} {shot.digest} {shot.camera}\n".encode())
        return f"content:{hasher.hexdigest()}"

    def summary(self) -> dict[str, Any]:
        """How the triplets were chosen, as JSON can hold it."""
        return {
            "frame_step": self.frame_step,
            "min_flow_px": self.min_flow_px,
            "sources": [selection.counts() for selection in self.selections],
        }

    def training_camera(self, *, size: tuple[int, int], fit: Fit) -> Intrinsics:
        """The most frequent camera, at the network's input size.

        Args:
          size: (height, width) of the network's input.
          fit: How a picture becomes that input.
        """
        cameras = collections.Counter(
            fitted_intrinsics(shot.camera_at(shot.size), size=size, fit=fit)
            for shot in (triplet.shot for triplet in self.triplets)
        )
        # The first of equally frequent ones, in the order of the frames.
        return cameras.most_common(1)[0][0]


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
