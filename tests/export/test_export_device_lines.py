"""Lines for robots: whole whatever happens to disk, pipe and reader."""

import contextlib
import errno
import fcntl
import json
import os
import select
import threading
from pathlib import Path
from typing import Any

import pytest
from fakes.device import LONG_S, picture, result

from export.device import lines
from export.device.lines import LineWriter, is_stream
from export.device.recording import BusyError, GoneError
from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.files import DataError
from mtdepth.runtime.obstacles import Rule

CAR = CLASS_NAMES.index("car")


class Pipe:
    """A pipe, the name that its writing end has, and a reader who takes what is there."""

    def __init__(self, num_bytes: int = 2**16) -> None:
        self.reading, self.writing = os.pipe()
        fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, num_bytes)
        self.name = f"/dev/fd/{self.writing}"

    def take(self) -> bytes:
        content = b""
        while select.select([self.reading], [], [], 0)[0]:
            content += os.read(self.reading, 2**20)
        return content

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PATIENCE_S", 0.02)


def long_result(number: int = 0) -> Any:
    """Whose line is longer than what a pipe takes in one piece."""
    item = result(
        picture(f"{number:04d}", size=(20, 400)), focal_px=100.0, rule=Rule(num_columns=96)
    )
    assert len(json.dumps(lines.obstacle_line(item))) > 2 * 4096
    return item


def numbers(content: bytes) -> list[int]:
    """Names of lines, each of which is whole."""
    assert content.endswith(b"\n")
    return [int(json.loads(line)["name"]) for line in content.splitlines()]


# Files


def test_lines_are_whole_and_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "obstacles.jsonl"
    writer = LineWriter(str(path))
    for _ in range(2):
        writer.write(result(picture(red=70, green=CAR), focal_px=60.0))
        last = path.read_text().splitlines()[-1]
    content = json.loads(last)
    assert content["name"] == "a"
    assert len(content["columns"]) == 24
    assert content["columns"][0]["class"] == "car"
    assert content["columns"][0]["depth"] == 7.0
    assert content["columns"][0]["bearing_deg"] < 0
    writer.close()
    writer.close()


def test_a_line_of_the_usual_length_goes_through_a_pipe_in_one_piece() -> None:
    item = result(picture(size=(480, 640)), focal_px=300.0)
    content = json.dumps(lines.obstacle_line(item), separators=(",", ":"))
    assert len(content) < select.PIPE_BUF


@pytest.mark.parametrize("is_live", [True, False])
def test_a_cameras_lines_follow_those_of_its_last_start_and_a_files_replace_them(
    tmp_path: Path, is_live: bool
) -> None:
    path = tmp_path / "obstacles.jsonl"
    for number in range(2):
        writer = LineWriter(str(path), is_live=is_live)
        writer.write(result(picture(str(number))))
        writer.close()
    assert numbers(path.read_bytes()) == ([0, 1] if is_live else [1])


@pytest.mark.parametrize("half", [b'{"name": "1", "num', b"\0" * 700, b""])
def test_what_a_pulled_plug_left_of_a_line_is_cut(tmp_path: Path, half: bytes) -> None:
    path = tmp_path / "obstacles.jsonl"
    path.write_bytes(b'{"name": "0"}\n' + half)
    writer = LineWriter(str(path), is_live=True)
    writer.write(result(picture("2")))
    writer.close()
    assert numbers(path.read_bytes()) == [0, 2]


def test_nothing_is_appended_to_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"TFL3 and so on")
    with pytest.raises(DataError, match=r"model\.tflite: is no file of JSON lines"):
        LineWriter(str(path), is_live=True)
    assert path.read_bytes() == b"TFL3 and so on"


def test_a_folder_is_told_at_once(tmp_path: Path) -> None:
    for is_live in (True, False):
        with pytest.raises(IsADirectoryError):
            LineWriter(str(tmp_path), is_live=is_live)


def test_a_file_that_somebody_deleted_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "obstacles.jsonl"
    writer = LineWriter(str(path))
    for number in range(3):
        path.unlink()
        writer.write(result(picture(str(number))))
        assert numbers(path.read_bytes()) == [number]
    writer.close()


def test_a_disk_that_takes_half_a_line_holds_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "obstacles.jsonl"
    writer = LineWriter(str(path))
    writer.write(result(picture("1")))
    whole = path.read_bytes()
    room_bytes = len(whole) + len(whole) // 2
    write = os.write

    def nearly_full(descriptor: int, content: bytes) -> int:
        """As the system's: it takes what there is room for."""
        nonlocal room_bytes
        if not room_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = write(descriptor, content[:room_bytes])
        room_bytes -= taken
        return taken

    monkeypatch.setattr(os, "write", nearly_full)
    writer.write(result(picture("2")))
    with pytest.raises(OSError, match=r"No space left.*obstacles\.jsonl"):
        writer.write(result(picture("3")))
    writer.close()
    assert numbers(path.read_bytes()) == [1, 2]
    # There is room again.
    room_bytes = 10**6
    writer.write(result(picture("4")))
    writer.close()
    assert numbers(path.read_bytes()) == [1, 2, 4]


def test_a_full_device_is_an_error_of_the_line() -> None:
    writer = LineWriter("/dev/full")
    with pytest.raises(OSError, match=r"No space left.*/dev/full"):
        writer.write(result())
    writer.close()


# The standard output


def test_lines_go_to_the_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    writer = LineWriter("-")
    writer.write(result())
    writer.close()
    assert json.loads(capfd.readouterr().out)["number"] == 1


def test_a_program_without_a_standard_output_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(OSError, match="started without a standard output"):
        LineWriter("-")


def test_a_reader_of_the_standard_output_who_goes_away_is_gone_for_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipe = Pipe()
    monkeypatch.setattr(lines, "_standard_output", lambda: pipe.writing)
    writer = LineWriter("-", is_live=True)
    writer.write(result(picture("1")))
    os.close(pipe.reading)
    with pytest.raises(GoneError, match="nobody reads the standard output any more"):
        writer.write(result(picture("2")))
    writer.close()
    os.close(pipe.writing)  # it is still the caller's


@pytest.mark.parametrize("is_live", [True, False])
def test_a_terminal_that_was_stopped_holds_nobody(
    monkeypatch: pytest.MonkeyPatch, is_live: bool
) -> None:
    reading, writing = os.openpty()
    monkeypatch.setattr(lines, "_standard_output", lambda: writing)
    writer = LineWriter("-", is_live=is_live)
    ended = threading.Event()

    def write() -> None:
        with contextlib.suppress(BusyError):
            for number in range(10**6):
                writer.write(result(picture(str(number))))
        ended.set()

    threading.Thread(target=write, daemon=True).start()
    if not is_live:
        assert not ended.wait(0.5)
        writer.abandon()
    assert ended.wait(LONG_S)
    os.close(reading)
    os.close(writing)


# Pipes


def test_a_pipe_is_written_to() -> None:
    pipe = Pipe()
    writer = LineWriter(pipe.name)
    writer.write(result(picture("1")))
    assert numbers(pipe.take()) == [1]
    writer.close()
    pipe.close()


@pytest.mark.parametrize("is_long", [False, True])
def test_a_reader_who_stalls_gets_whole_lines_and_then_new_ones(is_long: bool) -> None:
    pipe = Pipe()
    writer = LineWriter(pipe.name, is_live=True)

    def is_taken(number: int) -> bool:
        try:
            writer.write(long_result(number) if is_long else result(picture(str(number))))
        except BusyError:
            return False
        return True

    num_taken = 0
    while is_taken(num_taken):
        num_taken += 1
    assert num_taken > 1
    assert not any(is_taken(number) for number in range(1000, 1003))
    assert numbers(pipe.take()) == list(range(num_taken))
    assert is_taken(2000)
    assert numbers(pipe.take()) == [2000]
    writer.close()
    pipe.close()


def test_a_line_longer_than_the_pipe_is_ended_before_the_next() -> None:
    pipe = Pipe(4096)
    writer = LineWriter(pipe.name, is_live=True)
    writer.write(long_result(1))
    content = pipe.take()
    assert b"\n" not in content
    while content.count(b"\n") < 2:
        with contextlib.suppress(BusyError):
            writer.write(result(picture("2")))
        content += pipe.take()
    assert set(numbers(content)) == {1, 2}
    writer.close()
    pipe.close()


def test_files_wait_for_a_slow_reader_until_they_are_told_not_to() -> None:
    pipe = Pipe()
    writer = LineWriter(pipe.name)
    written: list[int] = []
    ended = threading.Event()

    def write() -> None:
        with contextlib.suppress(BusyError):
            for number in range(10**6):
                writer.write(result(picture(str(number))))
                written.append(number)
        ended.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert not ended.wait(0.5)  # many times what a camera's line would wait
    content = pipe.take()
    assert not ended.is_set()
    writer.abandon()
    assert ended.wait(LONG_S)
    thread.join()
    writer.close()
    assert numbers(content + pipe.take()) == written
    pipe.close()


def test_a_named_pipe_is_waited_for_and_its_next_reader_begins_with_a_whole_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert is_stream(str(path))
    writer = LineWriter(str(path), is_live=True)
    with pytest.raises(BusyError):
        writer.write(result(picture("1")))
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer.write(result(picture("2")))
    assert numbers(os.read(reader, 2**16)) == [2]
    os.close(reader)
    for number in ("3", "4"):
        with pytest.raises(BusyError):
            writer.write(result(picture(number)))
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer.write(result(picture("5")))
    assert numbers(os.read(reader, 2**16)) == [5]
    os.close(reader)
    writer.close()


def test_a_reader_who_goes_away_in_the_middle_of_a_line_leaves_nothing_of_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    writer = LineWriter(str(path), is_live=True)
    writer.write(long_result(1))
    assert b"\n" not in os.read(reader, 2**16)
    os.close(reader)
    writer.close()
    writer.close()
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer.write(result(picture("2")))
    assert numbers(os.read(reader, 2**16)) == [2]
    os.close(reader)
    writer.close()


def test_the_reader_of_files_who_goes_away_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = LineWriter(str(path))
    writer.write(result(picture("1")))
    os.close(reader)
    with pytest.raises(OSError, match="nobody reads it"):
        writer.write(result(picture("2")))
    writer.close()


def test_a_file_of_whole_lines_is_not_touched_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "obstacles.jsonl"
    path.write_bytes(b'{"name": "0"}\n')
    os.utime(path, (1, 1))
    LineWriter(str(path), is_live=True)
    # Cutting it, even by nothing, could cut what another program appends meanwhile.
    assert path.stat().st_mtime == 1


def test_a_disk_that_refuses_the_end_is_not_written_to_by_an_old_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "obstacles.jsonl"
    writer = LineWriter(str(path))
    writer.write(result(picture("1")))
    close = os.close

    def quota(descriptor: int) -> None:
        close(descriptor)  # as Linux does
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as patched:
        patched.setattr(os, "close", quota)
        with pytest.raises(OSError, match="quota"):
            writer.close()
    writer.write(result(picture("2")))
    assert numbers(path.read_bytes()) == [1, 2]
    writer.close()
