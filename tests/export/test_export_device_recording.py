"""What is recorded: when it stops, how it goes on, and that no start replaces an earlier one's."""

import errno
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import cv2
import numpy as np
import pytest
from fakes.device import (
    LONG_S,
    EndlessSource,
    FakeSource,
    ListWriter,
    finish,
    picture,
    result,
    service,
)

from export.device import video as video_module
from export.device.options import parse, write_kinds
from export.device.outputs import OUTPUTS, FileWriter, Output, claim_run_folder, open_outputs
from export.device.recording import (
    MIN_FREE_BYTES,
    RETRY_S,
    STEADY_S,
    BusyError,
    Disk,
    GoneError,
    Recording,
)
from export.device.result import Result
from export.device.service import Service
from export.device.sources import Picture, Unreadable
from export.device.video import LIVE_VIDEO_KINDS, VideoWriter
from mtdepth.datasets.label_store import read_depth_png
from mtdepth.runtime.film import ASSUMED_FPS

FULL = OSError(errno.ENOSPC, "No space left on device")


class Bench:
    """A recording whose clock and disk are set by hand, one result after the other."""

    def __init__(self, folder: Path, writer: Any, *, is_live: bool = True) -> None:
        self.now_s = 100.0
        self.free_bytes = 10**9
        self.failures: list[Unreadable] = []
        self.num_news = 0
        disk = Disk(folder, lambda _: self.free_bytes)
        clock = lambda: self.now_s  # noqa: E731
        self.recording = Recording("files", writer, is_live=is_live, disk=disk, clock=clock)

    def report(self, failure: Unreadable, *, is_news: bool) -> None:
        self.failures.append(failure)
        self.num_news += is_news

    def take(self, name: str, *, after_s: float = 0.0) -> None:
        self.now_s += after_s
        self.recording._take(result(picture(name)), self.report)


def test_recording_stops_before_the_disk_is_full_and_goes_on_when_there_is_room_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path, FileWriter(tmp_path, ("depth",)))
    bench.take("a")
    bench.free_bytes = MIN_FREE_BYTES - 1
    bench.take("b")
    why = f"{tmp_path}: the disk is full but for 32 MiB; free 64 MiB, or record to another disk"
    assert bench.recording.status == f"stopped: {why}"
    bench.free_bytes = 10**9
    bench.take("c", after_s=RETRY_S - 1)  # not looked at yet
    bench.free_bytes = MIN_FREE_BYTES + 1
    bench.take("d", after_s=1)  # it would be full again at once
    assert bench.recording.status.startswith("stopped")
    bench.free_bytes = 10**9
    bench.take("e", after_s=RETRY_S)
    assert bench.recording.status == "on"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_depth.png", "e_depth.png"]
    # Once each, and kept: the exit status is not 0.
    assert bench.failures == [Unreadable("files", f"recording stopped: {why}")]
    assert bench.num_news == 1
    by = "export.device.recording"
    said = [record.getMessage() for record in caplog.records if record.name == by]
    assert said == ["files: recording goes on after 10 s"]


def test_an_attempt_in_vain_is_no_news_and_no_second_failure(tmp_path: Path) -> None:
    writer = ListWriter(error=FULL)
    bench = Bench(tmp_path, writer)
    for _ in range(4):
        bench.take("a", after_s=RETRY_S)
    assert len(bench.failures) == 1
    assert bench.recording.status == f"stopped: {FULL}"
    writer.error = None
    bench.take("b", after_s=RETRY_S)
    assert [item.name for item in writer.results] == ["b"]
    assert bench.recording.status == "on"


def test_a_recording_that_stops_again_and_again_is_tried_less_often(tmp_path: Path) -> None:
    writer = ListWriter()
    bench = Bench(tmp_path, writer)

    def waits_s() -> float:
        """How long it waits, from a failure on, until it is on again."""
        writer.error = FULL
        writer.fails_at = 0
        bench.take("a")
        writer.error = None
        since_s = bench.now_s
        while bench.recording.status != "on":
            bench.take("b", after_s=1)
        return bench.now_s - since_s

    assert [waits_s() for _ in range(3)] == [RETRY_S, 2 * RETRY_S, 4 * RETRY_S]
    bench.now_s += STEADY_S
    assert waits_s() == RETRY_S
    assert bench.num_news == 4


def test_a_disk_that_answers_by_errors_is_asked_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ListWriter(error=FULL))
    bench.take("a")

    def broken(_: Path) -> int:
        raise OSError(errno.EIO, "Input/output error")

    object.__setattr__(bench.recording._disk, "free_bytes", broken)
    bench.take("b", after_s=RETRY_S)
    assert bench.recording.status == f"stopped: {FULL}"


def test_an_error_ends_a_recording_of_files(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ListWriter(error=FULL), is_live=False)
    with pytest.raises(OSError, match="No space left"):
        bench.take("a")


def test_a_reader_who_takes_nothing_is_seen_and_counted(tmp_path: Path) -> None:
    writer = ListWriter(error=BusyError())
    bench = Bench(tmp_path, writer)
    bench.recording._disk = None
    for _ in range(3):
        bench.take("a", after_s=1)
    assert bench.recording.status == "waits 2 s for its reader"
    assert bench.recording.num_left_out == 3
    assert bench.failures == []
    writer.error = None
    bench.take("b")
    assert bench.recording.status == "on"


def test_a_disk_that_does_not_answer_is_seen(tmp_path: Path) -> None:
    seen = []

    class Slow(ListWriter):
        def write(self, item: Result) -> None:
            bench.now_s += 7
            seen.append(bench.recording.status)
            super().write(item)

    bench = Bench(tmp_path, Slow())
    bench.take("a")
    assert seen == ["waits 7 s for its disk"]
    assert bench.recording.status == "on"


def test_a_writer_that_cannot_be_finished_is_told_of() -> None:
    class Unfinished(ListWriter):
        def close(self, *, is_kept: bool = True) -> None:
            super().close(is_kept=is_kept)
            raise OSError(errno.EIO, "Input/output error")

    running = finish(service(FakeSource([picture()]), writer=Unfinished()))
    assert [failure.why for failure in running.failures] == [
        "cannot be finished: [Errno 5] Input/output error"
    ]


# Several at once


class Stuck(ListWriter):
    """Hangs in its first result until it is let go, as a disk that does not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.goes_on = threading.Event(), threading.Event()

    def write(self, item: Result) -> None:
        self.entered.set()
        assert self.goes_on.wait(LONG_S)
        super().write(item)


def started(*sources: FakeSource, **options: Any) -> Service:
    running = service(*sources, **options)
    running.start()
    return running


def test_a_writer_that_hangs_stops_no_other() -> None:
    stuck, other = Stuck(), ListWriter()
    running = started(EndlessSource([], is_live=True), writers={"lines": stuck, "files": other})
    assert stuck.entered.wait(LONG_S)
    seen = running.latest.newer_than(0, timeout_s=LONG_S)
    while len(other.results) < 20 and seen is not None:
        seen = running.latest.newer_than(seen[0], timeout_s=LONG_S)
    assert len(other.results) >= 20
    assert stuck.results == []
    assert running.num_unrecorded > 0
    stuck.goes_on.set()
    running.stop()
    running.join()
    assert stuck.is_kept
    # It was given the newest, not those of the time in which it hung.
    assert [item.number for item in stuck.results][-1] == running.engine.num_frames


def test_a_reader_who_is_gone_for_good_stops_his_lines_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = ListWriter(error=GoneError(errno.EPIPE, "nobody reads"), fails_at=2)
    files = ListWriter()
    running = service(
        EndlessSource([], is_live=True), writers={"lines": lines, "files": files}, max_frames=30
    )
    finish(running)
    assert len(lines.results) == 2
    assert [item.number for item in files.results][-1] == 30
    assert running.recording == "lines stopped: [Errno 32] nobody reads; files on"
    assert not running.is_for_nobody
    assert len(running.failures) == 1
    assert caplog.text.count("nobody reads") == 1
    assert [recording.is_gone for recording in running.recordings] == [True, False]


def test_what_goes_to_nobody_is_seen() -> None:
    lines = ListWriter(error=GoneError(errno.EPIPE, "nobody reads"))
    running = finish(service(EndlessSource([], is_live=True), writer=lines, max_frames=9))
    assert running.is_for_nobody
    assert running.recording == "stopped: [Errno 32] nobody reads"
    assert not service(FakeSource([])).is_for_nobody


def test_a_stop_ends_though_a_disk_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("export.device.service._JOIN_S", 0.05)
    monkeypatch.setattr("export.device.service._LAST_JOIN_S", 0.05)
    stuck = Stuck()
    running = started(EndlessSource([], is_live=True), writer=stuck)
    assert stuck.entered.wait(LONG_S)
    running.stop()
    running.join()
    assert not running.is_done.is_set()
    assert "its disk does not answer" in caplog.text
    stuck.goes_on.set()
    assert running.is_done.wait(LONG_S)


def test_a_stop_waits_for_an_encoder_of_files_however_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_JOIN_S", "_LAST_JOIN_S"):
        monkeypatch.setattr(f"export.device.service.{name}", 0.01)
    stuck = Stuck()
    running = started(EndlessSource([]), writer=stuck)
    assert stuck.entered.wait(LONG_S)
    running.stop()
    # Long after both.
    threading.Timer(0.3, stuck.goes_on.set).start()
    running.join()
    assert running.is_done.is_set()
    assert stuck.is_kept


def test_a_stop_ends_though_a_reader_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.device.service._JOIN_S", 0.05)

    class Waiting(ListWriter):
        """As the lines of files, which wait for their reader."""

        entered, is_abandoned = threading.Event(), threading.Event()

        def write(self, item: Result) -> None:
            self.entered.set()
            assert self.is_abandoned.wait(LONG_S)
            raise BusyError(item.name)

        def abandon(self) -> None:
            self.is_abandoned.set()

    waiting, files = Waiting(), ListWriter()
    items: list[Picture | Unreadable] = [picture(str(number)) for number in range(50)]
    running = started(FakeSource(items), writers={"lines": waiting, "files": files})
    assert waiting.entered.wait(LONG_S)
    running.stop()
    running.join()
    assert running.is_done.is_set()
    assert files.is_kept
    # What was predicted is written where it can be.
    assert len(files.results) == running.engine.num_frames < 50


# Videos


def noise(number: int, size: tuple[int, int] = (240, 320)) -> Result:
    """A picture that no encoder makes small, a tenth of a second after the last."""
    image = np.random.default_rng(number).integers(0, 256, (*size, 3)).astype(np.uint8)
    return replace(result(Picture(f"{number:06d}", image)), time_s=number / 10)


def num_pictures(path: Path) -> int:
    """That can be read, one by one: a cut file does not say how many."""
    capture = cv2.VideoCapture(str(path))
    number = 0
    while capture.read()[0]:
        number += 1
    return number


def live_writer(folder: Path) -> VideoWriter:
    return VideoWriter(folder, fps=10, kinds=LIVE_VIDEO_KINDS, is_live=True)


def test_a_camera_video_that_was_interrupted_goes_on_in_a_new_file(tmp_path: Path) -> None:
    writer = live_writer(tmp_path)
    for numbers in (range(3), range(60, 65), range(90, 91)):
        for number in numbers:
            writer.write(noise(number))
        assert [path.name for path in tmp_path.glob("*unfinished*")] == ["overlay_unfinished.mkv"]
        writer.close()
    found = {path.name: num_pictures(path) for path in tmp_path.iterdir()}
    assert found == {"overlay.mkv": 3, "overlay_2.mkv": 5, "overlay_3.mkv": 1}


def test_a_camera_that_comes_back_with_another_size_gets_a_new_file(tmp_path: Path) -> None:
    writer = live_writer(tmp_path)
    writer.write(noise(0))
    writer.write(noise(1, (480, 640)))
    writer.write(noise(2, (480, 640)))
    writer.close(is_kept=False)  # of a camera nothing is thrown away
    found = {path.name: num_pictures(path) for path in tmp_path.iterdir()}
    assert found == {"overlay.mkv": 1, "overlay_2.mkv": 2}


def test_a_camera_video_that_could_not_be_given_its_name_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = live_writer(tmp_path)
    for number in range(3):
        writer.write(noise(number))

    def read_only(*_: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", read_only)
        with pytest.raises(OSError, match="Read-only file system"):
            writer.close()
    writer.write(noise(9))
    writer.close()
    found = {path.name: num_pictures(path) for path in tmp_path.iterdir()}
    assert found == {"overlay.mkv": 3, "overlay_2.mkv": 1}


def test_a_camera_video_that_a_kill_left_can_be_played(tmp_path: Path) -> None:
    writer = live_writer(tmp_path / "run")
    for number in range(40):
        writer.write(noise(number))
    # As it lies there while the program runs.
    shutil.copytree(tmp_path / "run", tmp_path / "killed")
    writer.close()
    (left,) = (tmp_path / "killed").iterdir()
    assert left.name == "overlay_unfinished.mkv"
    assert 20 < num_pictures(left) <= 40


def test_a_video_that_reaches_no_disk_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_module, "_FRAMES_PER_CHECK", 3)
    writer = live_writer(tmp_path)
    writer.write(noise(0))
    assert writer._writer is not None
    writer._writer.release()
    # OpenCV's own says nothing where a quota, or a limit on a file's size, refuses.
    writer._writer = MagicMock()
    writer._path.write_bytes(b"header")
    writer.write(noise(2))
    with pytest.raises(OSError, match=r"unfinished\.mkv does not grow any more"):
        writer.write(noise(5))
    writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.mkv"]


def test_a_video_that_stops_growing_each_time_counts_as_stopping_again_soon() -> None:
    assert ASSUMED_FPS * STEADY_S > 2 * video_module._FRAMES_PER_CHECK


def test_an_empty_video_is_no_video(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path, fps=10)
    writer.write(noise(0))
    writer._writer = MagicMock()
    writer._path.write_bytes(b"")
    with pytest.raises(OSError, match="nothing of the video was written"):
        writer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_video_says_why(tmp_path: Path) -> None:
    (tmp_path / "overlay_unfinished.mkv").mkdir()
    with pytest.raises(IsADirectoryError, match=r"overlay_unfinished\.mkv"):
        live_writer(tmp_path).write(noise(0))


# Starts


def record_once(output: Path, name: str, *, is_live: bool = True) -> Path:
    """One start of the program, which records one picture."""
    source = FakeSource([picture(name)], is_live=is_live, fps=25.0)
    to = open_outputs(
        output,
        names=("depth", "obstacles", "video"),
        source=source,
        video_fps=None,
        obstacles=None,
        is_shown=False,
    )
    finish(service_with(source, to.recordings))
    to.tidy()
    assert to.folder is not None
    return to.folder


def service_with(source: FakeSource, recordings: tuple[Recording, ...]) -> Service:
    plain = service(source, max_frames=len(source.items))
    return Service(
        source, plain.engine, plain.controls, recordings=recordings, max_frames=len(source.items)
    )


def test_each_start_of_a_camera_records_into_a_folder_of_its_own(tmp_path: Path) -> None:
    output = tmp_path / "out"
    folders = [record_once(output, "000000") for _ in range(2)]
    assert folders == [output / "run_0001", output / "run_0002"]
    for folder in folders:
        names = sorted(path.name for path in folder.iterdir())
        assert names == ["000000_depth.png", "obstacles.jsonl", "overlay.mkv"]
        assert read_depth_png(folder / "000000_depth.png").any()
        assert (folder / "obstacles.jsonl").read_text().count("\n") == 1
    assert sorted(output.iterdir()) == folders


def test_two_recordings_of_obstacles_have_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    to = open_outputs(
        Path("out"),
        names=("obstacles",),
        source=FakeSource([], is_live=True, fps=25.0),
        video_fps=None,
        obstacles="obstacles.jsonl",
        is_shown=False,
    )
    assert len({recording.name for recording in to.recordings}) == 2


def test_files_give_the_same_names_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        assert record_once(tmp_path, "a", is_live=False) == tmp_path
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a_depth.png", "obstacles.jsonl", "overlay.mp4"]
    assert (tmp_path / "obstacles.jsonl").read_text().count("\n") == 1


def test_the_next_number_is_above_all_there_are_and_nobody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("run_0007", "run_2", "run_x", "running_0099"):
        (tmp_path / name).mkdir()
    assert claim_run_folder(tmp_path).name == "run_0008"
    # Another program that was started at the same time saw the same folders.
    with monkeypatch.context() as patched:
        patched.setattr(Path, "glob", lambda *_: iter([tmp_path / "run_0007"]))
        assert claim_run_folder(tmp_path).name == "run_0009"


def test_a_start_that_recorded_nothing_leaves_no_folder(tmp_path: Path) -> None:
    source = FakeSource([], is_live=True, fps=25.0)
    options: dict[str, Any] = {"source": source, "video_fps": None, "obstacles": None}
    for kinds, is_shown in ((("video",), False), ((), True)):
        to = open_outputs(tmp_path / "out", names=kinds, is_shown=is_shown, **options)
        to.tidy()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_that_is_full_at_the_start_stops_only_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir

    def no_room(path: Path, **options: Any) -> None:
        if not path.exists():
            raise FULL
        mkdir(path, **options)

    source = EndlessSource([], is_live=True, fps=25.0)
    options: dict[str, Any] = {"video_fps": None, "obstacles": None, "is_shown": True}
    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", no_room)
        to = open_outputs(tmp_path, names=("depth",), source=source, **options)
        running = service_with(source, to.recordings)
        running._max_frames = 5
        finish(running)
        assert running.recording == f"stopped: {FULL}"
        with pytest.raises(OSError, match="No space left"):
            open_outputs(tmp_path / "x", names=("depth",), source=FakeSource([]), **options)
    assert running.engine.num_frames == 5


def test_a_wrong_output_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    options: dict[str, Any] = {"video_fps": None, "obstacles": None, "is_shown": False}
    for source in (FakeSource([]), FakeSource([], is_live=True, fps=25.0)):
        for output in (tmp_path / "taken", tmp_path / "taken" / "below"):
            with pytest.raises(NotADirectoryError):
                open_outputs(output, names=("video",), source=source, **options)


def test_a_further_output_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_name(stem: Path, item: Any) -> None:
        stem.with_suffix(".txt").write_text(item.name)

    monkeypatch.setitem(OUTPUTS, "name", Output(of_picture=write_name))
    source = FakeSource([picture("a")])
    line = ["--model", "m", "--source", "s", "--output", str(tmp_path), "--write", "name,depth"]
    names = write_kinds(parse(line, description=None))
    finish(service_with(source, open_outputs(tmp_path, names=names, source=source).recordings))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "a_depth.png"]
