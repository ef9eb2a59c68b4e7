"""Whether GPS/IMU packets are there, readable, and those of a vehicle on earth."""

import math
from collections.abc import Iterable, Sequence

from data_prep.doctor.findings import Check, Finding
from mtdepth.datasets.oxts import OxtsPacket

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
CHECKS = (UNREADABLE_OXTS, OXTS_VALUES, MISSING_OXTS)

_MAX_SPEED_M_PER_S = 100.0  # ours: 360 km/h


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
