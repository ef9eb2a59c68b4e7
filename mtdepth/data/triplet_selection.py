"""Choosing triplets: which frames have both neighbours, can be read, and see the camera move."""

import collections
import math
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from mtdepth.contract import Fit
from mtdepth.data.motion import Motion, Pair, measure_motion
from mtdepth.data.triplets import Reason, Selection, Triplet, TripletSet
from mtdepth.data.video import Shot, VideoSource
from mtdepth.datasets.eigen import EIGEN_TEST_DRIVES
from mtdepth.files import UserError

# ours: neighbours in KITTI have 62 % in common or more, first frames of two of its drives 3 %.
_MIN_AGREEMENT = 0.2
_MAX_NAMED = 5  # offenders of one kind that a message names


def select_triplets(
    sources: Sequence[VideoSource],
    *,
    size_px: tuple[int, int],
    fit: Fit,
    min_flow_px: float,
    cache_dir: Path,
    frame_step: int = 1,
) -> TripletSet:
    """Chooses the triplets of videos, and says in the log what was left out.

    Args:
      sources: The videos.
      size_px: (height, width) of the network's input.
      fit: How a picture becomes that input.
      min_flow_px: Least mean flow of either pair, in pixels at that size.
      cache_dir: Where measured flow is kept.
      frame_step: Distance of the three frames; 2 takes (t-2, t, t+2).

    Raises:
      UserError: If nothing is left; gives the counts and what to do.
      DataError: If the pictures do not suit the camera, or no picture of a shot can be read.
    """
    if frame_step < 1:
        raise UserError(f"frame_step must be at least 1, got {frame_step}")
    selections = []
    for source in sources:
        motions = {}
        for shot in source.shots:
            shot.camera_at(shot.size)  # has the rule for pictures of another shape
            pairs = _pairs(shot, frame_step)
            motions[shot] = measure_motion(
                shot, pairs, size_px=size_px, fit=fit, cache_dir=cache_dir
            )
        selection = _select(source, motions, frame_step=frame_step, min_flow_px=min_flow_px)
        _report(selection, size_px=size_px, min_flow_px=min_flow_px)
        selections.append(selection)
    if not any(selection.kept for selection in selections):
        raise UserError(_nothing_left(selections, frame_step=frame_step, min_flow_px=min_flow_px))
    roots = [source.kitti_root for source in sources if source.kitti_root]
    return TripletSet(
        selections=tuple(selections),
        frame_step=frame_step,
        min_flow_px=min_flow_px,
        size_px=size_px,
        kitti_root=roots[0] if roots else None,
    )


def warn_of_overlap(learned: TripletSet, held_out: TripletSet | None) -> None:
    """Says in the log what makes a score meaningless: a shot on both sides, or test drives."""
    folders = _folders(learned)
    held_out_folders = _folders(held_out) if held_out else {}
    if shared := sorted(folders[path] for path in folders.keys() & held_out_folders.keys()):
        logging.warning(
            "%s: learned from and held out; the frames next to a held-out one look like it",
            ", ".join(shared[:_MAX_NAMED]),
        )
    names = [*folders.values(), *held_out_folders.values()]
    drives = {name.partition(" ")[0] for name in names}
    if tested := sorted(drives & EIGEN_TEST_DRIVES):
        logging.warning(
            "%s: Eigen test drives, so a score on eigen_test is no test",
            ", ".join(tested[:_MAX_NAMED]),
        )


def _folders(triplets: TripletSet) -> dict[Path, str]:
    """The folders of the shots; two trees may use one name for different drives."""
    shots = {triplet.shot for triplet in triplets.triplets}
    return {next(iter(shot.files.values())).parent.resolve(): shot.name for shot in shots}


def _numbers(target: int, step: int) -> tuple[int, int, int]:
    return (target - step, target, target + step)


def _pairs(shot: Shot, step: int) -> list[Pair]:
    """The pairs of frames of every triplet whose three frames are there."""
    pairs = set()
    for target in shot.targets:
        before, _, after = _numbers(target, step)
        if before in shot.files and after in shot.files:
            pairs |= {(before, target), (target, after)}
    return sorted(pairs)


def _select(
    source: VideoSource, motions: dict[Shot, Motion], *, frame_step: int, min_flow_px: float
) -> Selection:
    kept: list[Triplet] = []
    left_out: dict[Reason, list[Triplet]] = collections.defaultdict(list)
    for shot in source.shots:
        motion = motions[shot]
        for target in shot.targets:
            numbers = _numbers(target, frame_step)
            before, after = (
                motion.flow_px.get(pair, math.nan) for pair in (numbers[:2], numbers[1:])
            )
            triplet = Triplet(shot, numbers, (before, after))
            reason = _reason(shot, numbers, motion, min_flow_px=min_flow_px)
            (left_out[reason] if reason else kept).append(triplet)
    return Selection(
        label=source.label,
        num_shots=len(source.shots),
        num_frames=source.num_frames,
        kept=tuple(kept),
        left_out={reason: len(triplets) for reason, triplets in left_out.items()},
        static=tuple(left_out.get("static", ())),
        missing=source.missing,
        faults=tuple(why for motion in motions.values() for why in motion.unreadable.values()),
    )


def _reason(
    shot: Shot, numbers: tuple[int, int, int], motion: Motion, *, min_flow_px: float
) -> Reason | None:
    """Says why a triplet is left out; None where it is kept."""
    before, target, after = numbers
    if before not in shot.files or after not in shot.files:
        first, last = min(shot.files), max(shot.files)
        return "edge" if before < first or after > last else "gap"
    pairs: tuple[Pair, Pair] = ((before, target), (target, after))
    if any(pair not in motion.flow_px for pair in pairs):
        return "unreadable"
    if min(motion.flow_px[pair] for pair in pairs) < min_flow_px:
        return "static"
    if min(motion.agreement[pair] for pair in pairs) < _MIN_AGREEMENT:
        return "cut"
    return None


def _report(selection: Selection, *, size_px: tuple[int, int], min_flow_px: float) -> None:
    logging.info(
        "%s: %s (flow at %dx%d, width x height; least %g px)",
        selection.label,
        selection,
        size_px[1],
        size_px[0],
        min_flow_px,
    )
    for kind, names in (("has no picture", selection.missing), ("left out", selection.faults)):
        for name in names[:_MAX_NAMED]:
            logging.warning("%s: %s", kind, name)
        if len(names) > _MAX_NAMED:
            logging.warning("%s: %d more", kind, len(names) - _MAX_NAMED)


def _nothing_left(selections: Sequence[Selection], *, frame_step: int, min_flow_px: float) -> str:
    lines = [f"{selection.label}: {selection}" for selection in selections]
    reasons = {reason for selection in selections for reason in selection.left_out}
    remedies = []
    if {"gap", "edge"} & reasons:
        remedies.append(
            f"the frames {frame_step} before and after each must be there, too: give whole drives, "
            "not scattered frames"
        )
    if "static" in reasons:
        remedies.append(
            f"the camera moves by less than {min_flow_px:g} px of the network's between frames: "
            f"take frames farther apart (--frame_step {2 * frame_step + 1}), or allow less "
            f"(--override min_flow_px={min_flow_px / 4:g})"
        )
    if "cut" in reasons:
        remedies.append("at a cut the pictures show nothing in common: is this one film?")
    if "unreadable" in reasons:
        remedies.append("copy the files again that could not be read")
    return f"no triplet to learn from. {'; '.join(lines)}. What helps: {'; '.join(remedies)}"
