"""Whether a drive's time stamps are complete, rise evenly, and agree between sensors."""

import numpy as np
import numpy.typing as npt

from data_prep.doctor.findings import Check, Finding

Times = npt.NDArray[np.float64]

TIMES_MISSING = Check(
    name="times_missing",
    severity="note",
    fault="a sensor has no timestamps.txt",
    remedy="none needed for labels and training; the drive's archive holds it",
)
TIMES_UNREADABLE = Check(
    name="times_unreadable",
    severity="error",
    fault="a timestamps.txt has a line that is no time",
    remedy="copy it again; a line is 2011-09-26 13:02:25.964389445",
)
TIMES_COUNT = Check(
    name="times_count",
    severity="error",
    fault="there are more or fewer time stamps than frames",
    remedy="frames or lines were lost: unzip the drive again",
)
TIMES_ORDER = Check(
    name="times_order",
    severity="error",
    fault="time stands still or goes back",
    remedy="frames were renumbered or mixed: unzip the drive again",
)
TIME_JUMP = Check(
    name="time_jump",
    severity="note",
    fault="much more time passes between two frames than usually",
    remedy="none for single frames; training on video drops the frames beside it",
)
SENSOR_DRIFT = Check(
    name="sensor_drift",
    severity="error",
    fault="two sensors' frames of one number are of different moments",
    remedy="take the synchronised download; of your own recordings, pair frames by time",
)
CHECKS = (TIMES_MISSING, TIMES_UNREADABLE, TIMES_COUNT, TIMES_ORDER, TIME_JUMP, SENSOR_DRIFT)

_JUMP = 2.5  # ours: of the usual step; KITTI's vary by some per cent
_MAX_DRIFT = 0.5  # ours: of the usual step: beyond it another frame would be nearer


def sensor_findings(times_s: Times, where: str, *, num_frames: int) -> list[Finding]:
    """Looks at one sensor's times.

    Args:
      times_s: `[lines]`.
      where: The file.
      num_frames: The highest frame number of the drive plus one.
    """
    if len(times_s) != num_frames:
        why = f"{len(times_s)} time stamps, frames up to number {num_frames - 1}"
        return [Finding(TIMES_COUNT, where, why)]
    steps_s = np.diff(times_s)
    findings = [
        Finding(TIMES_ORDER, where, f"frame {index + 1} is {steps_s[index]:.3f} s after {index}")
        for index in np.flatnonzero(steps_s <= 0)
    ]
    if findings or not len(steps_s):
        return findings
    usual_s = float(np.median(steps_s))
    return [
        Finding(
            TIME_JUMP,
            where,
            f"{steps_s[index]:.3f} s from frame {index} to {index + 1}, usually {usual_s:.3f} s",
        )
        for index in np.flatnonzero(steps_s > _JUMP * usual_s)
    ]


def drift_findings(times_s: dict[str, Times], drive: str) -> list[Finding]:
    """Compares every sensor with the first.

    Args:
      times_s: `[frames]` by the sensor's folder; those of another length are left out, since
        `sensor_findings` names them.
      drive: Its name.
    """
    names = list(times_s)
    findings = []
    for name in names[1:]:
        first, other = times_s[names[0]], times_s[name]
        if len(first) != len(other) or len(first) < 2:
            continue
        apart_s = np.abs(other - first)
        worst = int(np.argmax(apart_s))
        if apart_s[worst] > _MAX_DRIFT * float(np.median(np.diff(first))):
            why = f"{name} is {apart_s[worst]:.3f} s from {names[0]} at frame {worst}"
            findings.append(Finding(SENSOR_DRIFT, drive, why))
    return findings
