"""Whether the frames of a split are on disk, and their neighbours in time."""

from collections.abc import Sequence

from data_prep.checks.findings import Check, Finding
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.recordings import Recordings

SPLIT_FRAME = Check(
    name="split_frame",
    severity="error",
    fault="the split names a frame that has no picture",
    remedy="download its drive, or take the frame out of the list",
)
SPLIT_NEIGHBOUR = Check(
    name="split_neighbour",
    severity="note",
    fault="the split names a frame without the one before or after it",
    remedy="none for single frames; training on video needs both, so leave the ends of drives out",
)
CHECKS = (SPLIT_FRAME, SPLIT_NEIGHBOUR)


def split_findings(raw: Recordings, frames: Sequence[FrameId]) -> list[Finding]:
    """Looks for the pictures of a split and of the frames beside them."""
    on_disk = {
        (drive, side): {frame.index for frame in raw.frames_of(drive, side)}
        for drive in raw.drives()
        for side in ("l", "r")
    }
    findings = []
    for frame in frames:
        numbers = on_disk.get((frame.drive, frame.side), set())
        if frame.index not in numbers:
            why = "no picture" if numbers else "no such drive or camera"
            findings.append(Finding(SPLIT_FRAME, str(frame), why))
            continue
        missing = {"before": frame.index - 1, "after": frame.index + 1}
        names = [name for name, index in missing.items() if index not in numbers]
        if names:
            why = f"no frame {' and none '.join(names)} it"
            findings.append(Finding(SPLIT_NEIGHBOUR, str(frame), why))
    return findings
