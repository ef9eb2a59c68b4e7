"""Time stamps: complete, rising evenly, agreeing between sensors; and GPS/IMU packets."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from data_prep.doctor.findings import Check, Finding
from mtdepth.datasets.oxts import OxtsPacket

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
    fault="a timestamps.txt has a line that is no time, or none for a frame that is there",
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
UNREADABLE_OXTS = Check(
    name="unreadable_oxts",
    severity="error",
    fault="a GPS/IMU packet is damaged",
    remedy="copy or unzip it again; a packet is 30 numbers",
)
OXTS_VALUES = Check(
    name="oxts_values",
    severity="error",
    fault="a GPS/IMU packet has values that no vehicle has",
    remedy="check the order of the fields (KITTI's dataformat.txt) and their units",
)
MISSING_OXTS = Check(
    name="missing_oxts",
    severity="note",
    fault="a drive has GPS/IMU packets, but not for this frame",
    remedy="none for labels and training on single frames; unzip the drive again for poses",
)
CHECKS = (
    TIMES_MISSING,
    TIMES_UNREADABLE,
    TIMES_COUNT,
    TIMES_ORDER,
    TIME_JUMP,
    SENSOR_DRIFT,
    UNREADABLE_OXTS,
    OXTS_VALUES,
    MISSING_OXTS,
)

_JUMP = 2.5  # ours: of the usual step; KITTI's vary by some per cent
_MAX_SPEED_M_PER_S = 100.0  # ours: 360 km/h
_MAX_DRIFT = 0.5  # ours: of the usual step: beyond it another frame would be nearer


def sensor_findings(
    times_s: Times, where: str, *, num_frames: int, present: Sequence[int]
) -> list[Finding]:
    """Looks at one sensor's times.

    Args:
      times_s: `[lines]`, NaN where a line is blank.
      where: The file.
      num_frames: The highest frame number of the drive plus one.
      present: The numbers of the frames that the sensor has, which need a time.
    """
    if len(times_s) != num_frames:
        why = f"{len(times_s)} time stamps, frames up to number {num_frames - 1}"
        return [Finding(TIMES_COUNT, where, why)]
    known = np.flatnonzero(np.isfinite(times_s))
    findings = [
        Finding(TIMES_UNREADABLE, where, f"line {index + 1} is blank, but frame {index} is there")
        for index in sorted(set(present).difference(known.tolist()))
    ]
    steps_s, steps = np.diff(times_s[known]), np.diff(known)
    findings += [
        Finding(TIMES_ORDER, where, f"frame {after} is {step_s:.3f} s after {before}")
        for before, after, step_s in zip(known, known[1:], steps_s, strict=False)
        if step_s <= 0
    ]
    if findings or not len(steps_s):
        return findings
    usual_s = float(np.median(steps_s / steps))
    return [
        Finding(
            TIME_JUMP,
            where,
            f"{step_s:.3f} s from frame {before} to {after}, usually {usual_s:.3f} s",
        )
        for before, after, step_s in zip(known, known[1:], steps_s, strict=False)
        if step_s > _JUMP * usual_s * (after - before)
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
        if len(first) != len(other) or np.isfinite(other - first).sum() < 2:
            continue
        apart_s = np.abs(other - first)
        worst = int(np.nanargmax(apart_s))
        if apart_s[worst] > _MAX_DRIFT * float(np.nanmedian(np.diff(first))):
            why = f"{name} is {apart_s[worst]:.3f} s from {names[0]} at frame {worst}"
            findings.append(Finding(SENSOR_DRIFT, drive, why))
    return findings


def packet_findings(packet: OxtsPacket, where: str) -> list[Finding]:
    """Looks at one packet."""
    speed_m_per_s = math.hypot(packet.vn_m_per_s, packet.ve_m_per_s)
    angles_rad = (packet.roll_rad, packet.pitch_rad, packet.yaw_rad)
    reasons = {
        f"latitude {packet.lat_deg:.6g} degrees": abs(packet.lat_deg) > 90,
        f"longitude {packet.lon_deg:.6g} degrees": abs(packet.lon_deg) > 180,
        f"a speed of {speed_m_per_s:.4g} m/s": speed_m_per_s > _MAX_SPEED_M_PER_S,
        "roll, pitch or yaw beyond a turn: radians?": max(map(abs, angles_rad)) > 2 * math.pi,
    }
    return [Finding(OXTS_VALUES, where, why) for why, is_wrong in reasons.items() if is_wrong]


def missing_findings(drive: str, frames: Iterable[int], packets: Sequence[int]) -> list[Finding]:
    """Frames without a packet, in a drive that has some."""
    missing = sorted(set(frames) - set(packets)) if packets else []
    return [Finding(MISSING_OXTS, f"{drive} {number:010d}", "no packet") for number in missing]
