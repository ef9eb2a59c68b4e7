"""Threads at work: what is lost and what is not, pause, faults, full disks, sizes."""

import errno
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock, patch

import numpy as np
import pytest
from fakes.device import (
    LONG_S,
    EndlessSource,
    FakeBackend,
    FakeSource,
    ListWriter,
    contract,
    engine,
    finish,
    picture,
    result,
    service,
)

from export.device.controls import Controls, Settings
from export.device.governor import Limits
from export.device.models import SizedModels
from export.device.service import Service
from export.device.sources import Picture, Unreadable
from export.device.video import VideoWriter

FULL = OSError(errno.ENOSPC, "No space left on device")


def pictures(number: int) -> list[Picture | Unreadable]:
    return [picture(f"{index:03d}", red=index) for index in range(number)]


def test_files_lose_no_frame() -> None:
    writer = ListWriter()
    running = finish(service(FakeSource(pictures(60)), writer=writer))
    assert [item.name for item in writer.results] == [f"{index:03d}" for index in range(60)]
    assert [item.number for item in writer.results] == list(range(1, 61))
    assert running.num_dropped == 0
    assert writer.is_kept
    report = running.report()
    assert (report["num_frames"], report["num_failures"]) == (60, 0)
    assert report["total_ms"]["median"] > 0


def test_a_live_source_is_predicted_at_its_newest_frame_and_the_rest_is_counted() -> None:
    gate = threading.Semaphore(0)
    source = FakeSource(pictures(20), is_live=True)
    writer = ListWriter()
    running = service(source, engine(gate=gate), writer=writer)
    running.start()
    # The network hangs on its first frame, whichever that is, until all have come.
    assert source.given.wait(LONG_S)
    gate.release(2)
    number, name = 0, ""
    while name != "019":
        found = running.latest.newer_than(number, timeout_s=LONG_S)
        assert found is not None
        number, name = found[0], found[1].name
    assert number <= 2
    assert running.num_dropped == 20 - number
    running.stop()
    running.join()
    assert [item.name for item in writer.results][-1] == "019"


def test_a_slow_recorder_never_stalls_a_live_source() -> None:
    stuck, entered = threading.Event(), threading.Event()

    class Stuck(ListWriter):
        def write(self, item) -> None:  # type: ignore[no-untyped-def]
            entered.set()
            assert stuck.wait(LONG_S)
            super().write(item)

    running = service(EndlessSource([], is_live=True), writer=Stuck(), max_frames=30)
    running.start()
    assert entered.wait(LONG_S)
    number = 0
    while number < 30:
        found = running.latest.newer_than(number, timeout_s=LONG_S)
        assert found is not None
        number = found[0]
    stuck.set()
    running.stop()
    running.join()
    assert running.engine.num_frames == 30
    # One was being written, two waited; a slow machine may have written more.
    assert 0 < running.num_unrecorded <= 27


def test_pictures_that_fail_are_told_and_the_rest_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    items = [picture("a"), Unreadable("b", "cut short"), picture("c", size=(8, 9)), picture("d")]
    writer = ListWriter()
    running = finish(service(FakeSource(items), engine(focal_px=50.0), writer=writer))
    assert [item.name for item in writer.results] == ["a", "d"]
    assert [failure.name for failure in running.failures] == ["b", "c"]
    assert "is 8x9 (height x width), but the first picture" in running.failures[1].why
    assert "b: cut short" in caplog.text


@pytest.mark.parametrize(("is_live", "times"), [(True, 1), (False, 3)])
def test_a_camera_that_fails_all_the_time_is_told_of_once(
    is_live: bool, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    items = [Unreadable(name, "cut short") for name in "abc"]
    source = FakeSource(list(items), is_live=is_live)
    running = service(source)
    running.start()
    assert source.given.wait(LONG_S)
    running.stop()
    running.join()
    assert [failure.name for failure in running.failures] == ["a", "b", "c"]
    assert caplog.text.count("cut short") == times


def test_it_ends_after_so_many_frames() -> None:
    running = finish(service(FakeSource(pictures(50)), max_frames=7))
    assert running.engine.num_frames == 7


@pytest.mark.parametrize("is_live", [True, False])
def test_nothing_is_predicted_while_it_is_paused(is_live: bool) -> None:
    controls = Controls(Settings(is_paused=True), sizes=("S",))
    if is_live:
        source: FakeSource = EndlessSource([], is_live=True)
    else:
        source = FakeSource(pictures(5))
    running = service(source, controls=controls)
    running.start()
    assert running.latest.newer_than(0, timeout_s=0.05) is None
    controls.change({"paused": False})
    found = running.latest.newer_than(0, timeout_s=LONG_S)
    assert found is not None
    # Files lose none to the pause, a camera all that came in it.
    assert (found[1].name == "000000") is False
    if not is_live:
        assert running.is_done.wait(LONG_S)
        assert running.engine.num_frames == 5
    running.stop()
    running.join()


def test_a_paused_service_can_be_stopped() -> None:
    controls = Controls(Settings(is_paused=True), sizes=("S",))
    running = service(EndlessSource([], is_live=True), controls=controls)
    running.start()
    running.stop()
    running.join()
    assert running.is_done.is_set()


def test_a_full_disk_stops_the_recording_of_a_live_source_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    writer = ListWriter(error=FULL, fails_at=3)
    running = service(EndlessSource([], is_live=True), writer=writer, max_frames=40)
    finish(running)
    assert running.engine.num_frames == 40
    assert len(writer.results) == 3
    assert writer.is_kept
    assert running.recording == f"stopped: {FULL}"
    assert len(running.failures) == 1
    assert caplog.text.count("files: recording stopped: [Errno 28] No space left on device") == 1


def test_after_very_many_failures_a_new_one_is_still_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.device.service._MAX_FAILURES", 3)
    whys = ["it is dark"] * 5 + ["it is too bright"] * 5
    running = service(FakeSource([], is_live=True))
    for why in whys:
        running._fail(Unreadable("a", why))
    assert len(running.failures) == 3
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said == ["a: it is dark", "a: it is too bright"]


def test_a_full_disk_ends_a_run_over_files() -> None:
    writer = ListWriter(error=FULL, fails_at=2)
    running = finish(service(FakeSource(pictures(50)), writer=writer))
    assert running.fault is FULL
    assert writer.is_kept is False
    assert running.engine.num_frames < 50


def test_a_fault_of_the_source_is_kept_for_the_main_thread() -> None:
    class Broken(FakeSource):
        def frames(self) -> Iterator[Picture]:
            yield picture()
            raise OSError("pulled out")

    writer = ListWriter()
    running = finish(service(Broken([]), writer=writer))
    assert str(running.fault) == "pulled out"
    assert writer.is_kept is False


def test_a_viewer_that_asks_for_another_palette_sees_it_also_while_paused() -> None:
    running = finish(service(FakeSource(pictures(1))))
    before = running.latest.peek()
    assert before is not None
    running.controls.change({"palette": "turbo"})
    running.repaint()
    after = running.latest.peek()
    assert after is not None
    assert after.number == before.number
    assert after.look.palette == "turbo"
    assert after.jpeg("depth") != before.jpeg("depth")
    assert after.jpeg("picture") == before.jpeg("picture")


# Sizes


def test_the_size_that_was_asked_for_runs_next() -> None:
    gate = threading.Semaphore(0)
    at_work = engine("L", "S", gate=gate)
    source = FakeSource(pictures(4))
    running = service(source, at_work)
    running.start()
    gate.release()
    first = running.latest.newer_than(0, timeout_s=LONG_S)
    running.controls.change({"size": "S"})
    gate.release(9)
    assert running.is_done.wait(LONG_S)
    running.join()
    assert first is not None
    assert first[1].caption[0] == "L int8"
    last = running.latest.peek()
    assert last is not None
    assert last.caption[0] == "S int8"
    assert set(running.report()["by_size"]) == {"L", "S"}


def test_a_governor_takes_a_smaller_size_where_the_rate_is_not_held(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("export.device.governor.PATIENCE_S", 0.0)
    at_work = engine("L", "M", "S")
    # No machine predicts a million frames a second.
    running = service(FakeSource(pictures(30)), at_work, limits=Limits(target_fps=1e6))
    with caplog.at_level(logging.INFO):
        finish(running)
    assert at_work.models.size == "S"
    assert "size M instead of L" in caplog.text
    assert "size S instead of M" in caplog.text


def test_models_of_several_sizes_warm_up_when_they_are_selected() -> None:
    backends = {size: FakeBackend(contract(size)) for size in ("L", "S")}
    models = SizedModels(backends)
    assert models.sizes == ("L", "S")
    models.select("S")
    models.select("L")
    models.select("S")
    assert [backend.num_runs for backend in backends.values()] == [1, 1]
    with pytest.raises(ValueError, match="size must be one of L, S, got 'XL'"):
        models.select("XL")
    with pytest.raises(ValueError, match="no model"):
        SizedModels({})


# Controls


@pytest.mark.parametrize(
    "wish",
    [
        {"paused": "yes"},
        {"palette": "rainbow"},
        {"size": "XXL"},
        {"threshold": -1},
        {"threshold": True},
        {"volume": 11},
    ],
)
def test_an_illegal_wish_changes_nothing(wish: dict[str, object]) -> None:
    controls = Controls(Settings(), sizes=("L", "S"))
    with pytest.raises(ValueError, match="cannot be set to"):
        controls.change({"threshold": 3, **wish})
    assert controls.settings == Settings()


def test_wishes_are_taken_together() -> None:
    controls = Controls(Settings(), sizes=("L", "S"))
    found = controls.change({"paused": True, "palette": "gray", "size": "S", "threshold": 2})
    look = replace(Settings().look, palette="gray")
    assert found == Settings(is_paused=True, look=look, size="S", threshold_m=2.0)


# Views of a result


def test_a_view_is_encoded_once_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    item = result(picture(size=(60, 80)))
    first = item.jpeg("classes")
    monkeypatch.setattr("cv2.imencode", None)
    assert item.jpeg("classes") is first


def test_wide_pictures_are_shrunk_for_viewers_only() -> None:
    import cv2

    item = result(picture(size=(500, 1600)))
    view = cv2.imdecode(np.frombuffer(item.jpeg("picture"), np.uint8), cv2.IMREAD_COLOR)
    assert view.shape == (250, 800, 3)
    assert item.overlay.shape[1] > 1600


def test_a_depth_only_model_has_no_view_of_classes() -> None:
    item = result(has_classes=False)
    assert item.views == ("overlay", "picture", "depth")
    with pytest.raises(ValueError, match="view must be one of overlay, picture, depth"):
        item.jpeg("classes")


def test_a_live_video_keeps_the_pace_of_its_results(tmp_path) -> None:  # type: ignore[no-untyped-def]
    import cv2

    writer = VideoWriter(tmp_path, fps=10, is_live=True)
    item = result(picture(size=(64, 96)))
    # Ten a second: pictures 0, 1..4 and 5; the one that came too early is left out.
    for time_s in (7.0, 7.4, 7.41, 7.5):
        writer.write(replace(item, time_s=time_s))
    writer.close()
    (path,) = tmp_path.iterdir()
    capture = cv2.VideoCapture(str(path))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 6


def test_a_long_gap_of_a_live_video_is_cut_short_once(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path, fps=25, is_live=True)
    item = result(picture(size=(64, 96)))
    writer.write(replace(item, time_s=7.0))
    frames: list[object] = []
    encoder = MagicMock(write=frames.append)
    with patch.object(writer, "_writer", encoder):
        # The camera was away for an hour; then one picture after the other, as they come.
        for time_s, total in ((3607.0, 250), (3607.04, 251), (3607.08, 252)):
            writer.write(replace(item, time_s=time_s))
            assert len(frames) == total
    writer.close(is_kept=False)


def test_rates_are_those_of_the_last_results() -> None:
    running = Service(FakeSource([]), engine(), Controls(Settings(), sizes=("S",)))
    assert running.frames_per_second == 0
    for time_s in (1.0, 1.1, 1.2, 1.3):
        running._times_s.append(time_s)
    assert running.frames_per_second == pytest.approx(10)
