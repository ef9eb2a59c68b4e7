"""Which size runs, as a function of what was measured; and how the machine is asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from export.device import telemetry
from export.device.governor import Limits, Measurement, State, next_state

SIZES = ("L", "M", "S", "XS")


def seen(now_s: float, frame_ms: float | None, *, num: int = 30, hot: float | None = None):
    return Measurement(now_s=now_s, frame_ms=frame_ms, num_frames=num, temperature_c=hot)


def run(
    limits: Limits,
    ms_of_size: dict[str, float],
    *,
    seconds: int,
    temperature_of_size: dict[str, float] | None = None,
) -> list[str]:
    """Sizes second by second, of a machine whose sizes always take the same time."""
    state, sizes = State(size="L", since_s=0.0), []
    for second in range(seconds):
        hot = None if temperature_of_size is None else temperature_of_size[state.size]
        measured = seen(float(second), ms_of_size[state.size], hot=hot)
        state = next_state(state, measured, sizes=SIZES, limits=limits)
        sizes.append(state.size)
    return sizes


def test_the_largest_size_that_holds_the_rate_is_found_and_kept() -> None:
    ms = {"L": 90.0, "M": 60.0, "S": 38.0, "XS": 30.0}
    sizes = run(Limits(target_fps=25), ms, seconds=50)
    # Two seconds each: L and M take more than 40 ms.
    assert sizes[:6] == ["L", "L", "M", "M", "S", "S"]
    assert set(sizes[4:]) == {"S"}


def test_a_size_known_to_be_too_slow_is_tried_again_only_after_a_minute() -> None:
    # S leaves room for more, M does not hold the rate.
    ms = {"L": 90.0, "M": 60.0, "S": 20.0, "XS": 15.0}
    sizes = run(Limits(target_fps=25), ms, seconds=130)
    changes = [
        (second, size) for second, size in enumerate(sizes) if size != sizes[max(second - 1, 0)]
    ]
    # L is not tried from M's 60 ms; M's entry of second 4 is a minute old at second 64.
    assert changes == [(2, "M"), (4, "S"), (64, "M"), (66, "S"), (126, "M"), (128, "S")]
    assert sizes[-1] == "S"


def test_a_machine_that_has_time_again_goes_back_to_the_larger_size() -> None:
    state = State(size="S", since_s=0.0, known_ms={})
    limits = Limits(target_fps=10)
    state = next_state(state, seen(10.0, 30.0), sizes=SIZES, limits=limits)
    assert state.size == "S"  # not yet
    state = next_state(state, seen(15.0, 30.0), sizes=SIZES, limits=limits)
    assert (state.size, state.since_s) == ("M", 15.0)


def test_just_fast_enough_is_no_reason_to_grow() -> None:
    # 90 ms of 100: within the margin of 15 %.
    state = State(size="S", since_s=0.0)
    limits = Limits(target_fps=10)
    assert next_state(state, seen(99.0, 90.0), sizes=SIZES, limits=limits).size == "S"


def test_a_hot_machine_takes_smaller_sizes_slowly_and_stays_where_it_is_cool() -> None:
    ms = dict.fromkeys(SIZES, 10.0)
    heat = {"L": 82.0, "M": 81.0, "S": 76.0, "XS": 60.0}
    sizes = run(Limits(max_temperature_c=80), ms, seconds=100, temperature_of_size=heat)
    assert sizes[:16] == ["L"] * 15 + ["M"]
    # 76 degrees: cool enough to stay, not to grow.
    assert set(sizes[31:]) == {"S"}


def test_the_smallest_size_stays_however_slow() -> None:
    state = State(size="XS", since_s=0.0)
    assert next_state(state, seen(9, 900), sizes=SIZES, limits=Limits(target_fps=30)).size == "XS"


@pytest.mark.parametrize("measured", [seen(9, None, num=0), seen(9, 900.0, num=4)])
def test_nothing_is_decided_on_too_few_frames(measured: Measurement) -> None:
    state = State(size="L", since_s=0.0)
    assert next_state(state, measured, sizes=SIZES, limits=Limits(target_fps=30)) == state


def test_an_unknown_temperature_is_no_reason_for_anything() -> None:
    limits = Limits(max_temperature_c=50)
    sizes = run(limits, dict.fromkeys(SIZES, 10.0), seconds=30)
    assert set(sizes) == {"L"}
    assert limits.is_active
    assert not Limits().is_active


# The machine


def test_the_hottest_zone_counts(tmp_path: Path) -> None:
    assert telemetry.temperature_c(tmp_path) is None
    for number, text in enumerate(["48312\n", "51000\n", "-274000\n", "asleep\n"]):
        zone = tmp_path / f"sys/class/thermal/thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "temp").write_text(text)
    assert telemetry.temperature_c(tmp_path) == 51.0


def test_a_pi_says_why_it_slows_down() -> None:
    # The example of the Raspberry Pi documentation: under-voltage and throttled, both now and
    # since the start.
    found = telemetry.parse_throttled("throttled=0x50005\n")
    assert found.now == ("under-voltage", "throttled")
    assert found.since_boot == ("under-voltage", "throttled")
    assert telemetry.parse_throttled("0").now == ()
    assert telemetry.parse_throttled("80000").since_boot == ("soft limit",)


def test_the_kernel_is_asked_where_it_knows(tmp_path: Path) -> None:
    assert telemetry.throttling(tmp_path) is None
    folder = tmp_path / "sys/devices/platform/soc/soc:firmware"
    folder.mkdir(parents=True)
    (folder / "get_throttled").write_text("2\n")
    found = telemetry.throttling(tmp_path)
    assert found is not None
    assert found.now == ("frequency capped",)


def test_the_process_knows_its_peak_and_its_age(tmp_path: Path) -> None:
    more_bytes = 2**26
    # In a process of its own, whose memory nothing else takes or gives back.
    lines = (
        "from export.device.telemetry import peak_memory_bytes as peak; before = peak(); "
        f"held = bytearray({more_bytes}); print(before, peak())"
    )
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    before, after = (int(word) for word in done.stdout.split())
    assert 0.9 * more_bytes < after - before < 1.5 * more_bytes
    age_s = telemetry.process_age_s()
    assert 0 < age_s <= telemetry.process_age_s()
    assert telemetry.peak_memory_bytes(tmp_path) is None
    assert telemetry.process_age_s(tmp_path) is None


def test_the_age_is_read_behind_a_name_with_blanks(tmp_path: Path) -> None:
    folder = tmp_path / "proc" / "self"
    folder.mkdir(parents=True)
    (tmp_path / "proc" / "uptime").write_text("1000.50 99.0\n")
    # proc(5): pid (comm) state, then 18 numbers up to starttime, in ticks.
    numbers = " ".join(["0"] * 18)
    ticks = os.sysconf("SC_CLK_TCK")
    (folder / "stat").write_text(f"7 (a) b) S {numbers} {998 * ticks} 5 6\n")
    assert telemetry.process_age_s(tmp_path) == pytest.approx(2.5)
