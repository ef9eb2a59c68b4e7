"""A Raspberry Pi camera by stand-ins for picamera2: what it is asked for, and how it is lost."""

import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fakes.device import LONG_S, picture

from export.device import picamera
from export.device.cameras import open_live
from export.device.live import LiveSource, Request
from export.device.picamera import open_picamera2
from export.device.sources import Picture, Unreadable

IMAGE = picture().image_rgb


class FakePicamera2:
    """The calls of picamera2 that are used, by its documents.

    `troubles` says what each of them does wrong: an error, or an event that it waits for.
    """

    def __init__(self, number: int, troubles: dict[str, Any], made: list["FakePicamera2"]) -> None:
        if number > 0:
            raise IndexError("list index out of range")
        self.calls: list[Any] = []
        self.troubles = troubles
        self.is_silent = False
        made.append(self)

    def do(self, call: Any, name: str = "") -> None:
        self.calls.append(call)
        trouble = self.troubles.get(name or call)
        if isinstance(trouble, Exception):
            raise trouble
        if isinstance(trouble, threading.Event):
            trouble.wait(LONG_S)

    def create_video_configuration(self, **settings: Any) -> dict[str, Any]:
        return settings

    def configure(self, settings: dict[str, Any]) -> None:
        self.do(settings, "configure")

    def start(self) -> None:
        self.do("start")

    def capture_array(self, name: str, signal_function: Callable[[Any], None]) -> str:
        assert name == "main"
        if "capture" in self.troubles:
            self.do("capture")
        if not self.is_silent:
            signal_function("job")
        return "job"

    def wait(self, job: str) -> np.ndarray:
        assert job == "job"
        if "wait" in self.troubles:
            self.do("wait")
        return IMAGE

    def stop(self) -> None:
        raise AssertionError("stop waits for a picture that may never come")

    def close(self) -> None:
        self.do("close")


class Bench:
    """Cameras as they are opened, one after the other, and what goes wrong with each."""

    def __init__(self) -> None:
        self.made: list[FakePicamera2] = []
        self.troubles: list[dict[str, Any]] = []

    def open(self, number: int) -> FakePicamera2:
        troubles = self.troubles.pop(0) if self.troubles else {}
        return FakePicamera2(number, troubles, self.made)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench()
    module = types.ModuleType("picamera2")
    module.Picamera2 = bench.open  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.setattr(picamera, "CAMERA_TIMEOUT_S", 0.01)
    return bench


def source(max_retries: int = 3) -> LiveSource:
    retries: dict[str, Any] = {"max_retries": max_retries, "wait": lambda _: False}
    return LiveSource("camera picamera2", lambda: open_picamera2("picamera2", Request()), **retries)


def test_a_pi_camera_is_asked_for_rgb_and_given_up_when_it_is_silent(bench: Bench) -> None:
    request = Request(size=(480, 640), fps=20.0)
    found = open_live("picamera2", request=request, max_retries=0)
    (camera,) = bench.made
    frames = found.frames()
    first = next(frames)
    assert isinstance(first, Picture)
    np.testing.assert_array_equal(first.image_rgb, IMAGE)
    camera.is_silent = True
    assert [type(item) for item in frames] == [Unreadable]
    settings = {"main": {"size": (640, 480), "format": "BGR888"}, "controls": {"FrameRate": 20.0}}
    assert camera.calls == [settings, "start", "close"]
    with pytest.raises(OSError, match=r"picamera2 cannot open camera 1 .*--list-cameras"):
        open_live("picamera2:1", request=request)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("capture", RuntimeError("Camera is not running")),
        ("wait", RuntimeError("Camera frontend has timed out")),
        ("wait", TimeoutError()),
        ("wait", ValueError("no such stream")),
    ],
)
def test_an_error_of_the_camera_is_a_loss_and_it_is_opened_again(
    bench: Bench, call: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    bench.troubles = [{call: error, "close": RuntimeError("Unable to stop preview.")}]
    frames = source().frames()
    first = next(frames)
    assert isinstance(first, Picture)
    assert [camera.calls[-1] for camera in bench.made] == ["close", "start"]
    assert str(error) in caplog.text
    assert "camera picamera2 is back" in caplog.text
    frames.close()
    assert bench.made[1].calls[-1] == "close"


@pytest.mark.parametrize("call", ["configure", "start"])
def test_an_attempt_that_fails_half_way_frees_the_camera(bench: Bench, call: str) -> None:
    bench.troubles = [
        {"wait": RuntimeError("lost")},
        {call: RuntimeError("Device or resource busy")},
        {call: KeyError("what libcamera throws")},
    ]
    frames = source(max_retries=2).frames()
    assert list(frames) == [Unreadable("camera picamera2", "lost, and 2 attempts failed")]
    assert [camera.calls[-1] for camera in bench.made] == ["close"] * 3


def test_what_was_asked_for_is_given_up_where_the_release_can(bench: Bench) -> None:
    found = source(max_retries=0)
    (camera,) = bench.made
    camera.is_silent = True
    camera.cancel_all_and_flush = lambda: camera.do("cancel")  # type: ignore[attr-defined]
    assert [type(item) for item in found.frames()] == [Unreadable]
    assert camera.calls[-2:] == ["cancel", "close"]


def test_a_driver_that_hangs_ends_the_run_so_that_it_can_be_started_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picamera, "CLOSE_TIMEOUT_S", 0.05)
    hangs = threading.Event()
    bench.troubles = [{"wait": RuntimeError("lost"), "close": hangs}]
    with pytest.raises(TimeoutError, match=r"driver hangs.*started anew"):
        next(source().frames())
    # But the end of a run is no reason to complain.
    bench.troubles = [{"close": hangs}]
    frames = source().frames()
    next(frames)
    frames.close()
    hangs.set()


def test_missing_picamera2_is_answered_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(ImportError, match="sudo apt install python3-picamera2"):
        open_live("picamera2", request=Request())
