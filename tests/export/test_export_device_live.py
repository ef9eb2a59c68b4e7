"""Cameras and streams: what is said when they cannot be opened, and how they come back."""

import logging
import re
import socket
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from fakes.device import LONG_S, picture, video_server

from export.device import cameras, live, streams
from export.device.cameras import Kind, is_live_name, open_live
from export.device.live import LiveSource, Request, wait_s
from export.device.sources import CaptureGrabber, Picture, Unreadable
from export.device.streams import without_secrets
from mtdepth.files import UserError

IMAGE = picture().image_rgb


class Plugged:
    """A camera that gives so many pictures and is then unplugged."""

    fps = 30.0

    def __init__(self, num_pictures: int) -> None:
        self.num_left = num_pictures
        self.is_released = False

    def read(self) -> np.ndarray | None:
        self.num_left -= 1
        return IMAGE if self.num_left >= 0 else None

    def release(self) -> None:
        self.is_released = True


def opener(*openings: Plugged | None) -> Callable[[], Plugged]:
    """Gives one after the other; None is a camera that is not there."""
    left = list(openings)

    def open_it() -> Plugged:
        found = left.pop(0)
        if found is None:
            raise OSError("no such device")
        return found

    return open_it


def test_a_lost_camera_is_tried_again_until_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    first, second = Plugged(2), Plugged(1)
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return len(waited) > 4

    retries: dict[str, Any] = {"wait": wait, "clock": lambda: sum(waited)}
    source = LiveSource("camera 0", opener(first, None, None, second, None), **retries)
    assert source.status == "live"
    found = [item.name for item in source.frames() if isinstance(item, Picture)]
    assert found == ["000000", "000001", "000002"]
    assert first.is_released
    assert second.is_released
    # Twice as long each time, and from the start again after it was back.
    assert waited == [0.5, 1.0, 2.0, 0.5, 1.0]
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == [
        "camera 0 gives no picture any more: trying again until it does",
        "camera 0 is back after 3.5 s",
        "camera 0 gives no picture any more: trying again until it does",
    ]
    assert source.status == "lost 2 s ago, attempts: 1 (no such device)"


def test_a_camera_whose_driver_hangs_is_seen_to() -> None:
    now_s = [0.0]
    source = LiveSource("c", opener(Plugged(9)), clock=lambda: now_s[0])
    frames = source.frames()
    now_s[0] = 5.0
    assert source.status == "no picture for 5 s"
    next(frames)
    assert source.status == "live"


def test_a_camera_is_given_up_after_the_attempts_that_are_allowed() -> None:
    retries: dict[str, Any] = {"max_retries": 2, "wait": lambda _: False}
    source = LiveSource("camera 0", opener(Plugged(1), None, None), **retries)
    items = list(source.frames())
    assert isinstance(items[0], Picture)
    assert items[1:] == [Unreadable("camera 0", "lost, and 2 attempts failed")]


def test_a_camera_that_opens_but_gives_nothing_counts_as_an_attempt() -> None:
    retries: dict[str, Any] = {"max_retries": 3, "wait": lambda _: False}
    source = LiveSource("c", opener(*(Plugged(0) for _ in range(4))), **retries)
    assert list(source.frames()) == [Unreadable("c", "lost, and 3 attempts failed")]


def test_closing_ends_the_wait_for_a_lost_camera() -> None:
    source = LiveSource("c", opener(Plugged(1), *(None for _ in range(9))))
    frames = source.frames()
    assert isinstance(next(frames), Picture)
    thread = threading.Timer(0.05, source.close)
    thread.start()
    assert list(frames) == []
    thread.join(LONG_S)


def test_a_wrong_name_is_told_at_once() -> None:
    with pytest.raises(OSError, match="no such device"):
        LiveSource("c", opener(None))


def test_nobody_is_asked_more_often_than_every_ten_seconds() -> None:
    waits = [wait_s(attempt) for attempt in range(8)]
    assert waits == [0.5, 1, 2, 4, 8, 10, 10, 10]
    assert wait_s(10_000) == 10


@pytest.mark.parametrize(
    ("text", "is_live"),
    [
        ("0", True),
        ("/dev/video2", True),
        ("picamera2", True),
        ("picamera2:1", True),
        ("/dev/v4l/by-id/usb-046d_HD_Webcam-video-index0", True),
        ("/dev/v4l/by-path/platform-fd500000.pcie-usb-0:1.4:1.0-video-index0", True),
        ("/dev/v4l/by-id/", False),
        ("rtsp://pi:secret@10.0.0.7/1", True),
        ("http://host:8080/video", True),
        ("drive.mp4", False),
        ("pictures/", False),
        ("C3", False),
    ],
)
def test_cameras_and_addresses_are_told_from_files(text: str, is_live: bool) -> None:
    assert is_live_name(text) == is_live


def test_a_file_whose_name_is_a_number_is_a_file(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "7").write_bytes(b"")
    assert not is_live_name("7")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://pi:secret@10.0.0.7/1", "rtsp://***@10.0.0.7/1"),
        ("rtsp://pi:se@cret@10.0.0.7/1", "rtsp://***@10.0.0.7/1"),
        ("rtsp://pi:se/cret@10.0.0.7/1", "rtsp://***@10.0.0.7/1"),
        ("rtsp://pi:12/secret@cam.local:554/1", "rtsp://***@cam.local:554/1"),
        ("rtsp://pi:se?c#ret@cam/1?channel=1", "rtsp://***@cam/1?channel=1"),
        ("rtsp://s3cretToken@cam.local/1", "rtsp://***@cam.local/1"),
        ("http://pi:secret@[fe80::1]:80/x", "http://***@[fe80::1]:80/x"),
        ("http://cam/x?password=secret&channel=2", "http://cam/x?password=***&channel=2"),
        ("http://cam/x?pwd=secret&usr=secret", "http://cam/x?pwd=***&usr=***"),
        ("http://cam/x?secret", "http://cam/x?***"),
        ("http://cam/x?channel=2#token=secret", "http://cam/x?channel=2#***"),
        (
            "srt://cam:9000?passphrase=secret&mode=caller",
            "srt://cam:9000?passphrase=***&mode=caller",
        ),
        (
            "rtsp://10.0.0.7:554/user=admin_password=secret_channel=1",
            "rtsp://10.0.0.7:554/user=***",
        ),
        ("rtsp://10.0.0.7:554/user=admin&password=se/cret", "rtsp://10.0.0.7:554/user=***"),
        ("rtsp://10.0.0.7:554/a@b", "rtsp://10.0.0.7:554/a@b"),
        ("rtsp://cam.local/Streaming/Channels/101", "rtsp://cam.local/Streaming/Channels/101"),
        ("rtsp://cam/h264Preview_01_main", "rtsp://cam/h264Preview_01_main"),
        ("rtsp://cam/cam/realmonitor?channel=1", "rtsp://cam/cam/realmonitor?channel=1"),
        ("http://cam/TOKEN0123abcdef45/stream", "http://cam/***/stream"),
        ("rtsps://cam:7441/sWUkMCOtOCOSxVXk?enableSrtp", "rtsps://cam:7441/***?***"),
        ("http://cam/b1946ac9-2492-4d23-81f9-3cb1f3c3b1a7/1.m3u8", "http://cam/***/1.m3u8"),
        ("http://cam/aB3_dE5-7hI_9jK-1mN_3pQ-x4/", "http://cam/***/"),
        ("rtsp://pi%3Asecret%40cam/1", "rtsp://***/1"),
        ("rtsp://pi:secret/1", "rtsp://***/1"),
        ("rtsp://pi:secret:10.0.0.7/1", "rtsp://***/1"),
        ("http://cam/x?channel=1;password=secret", "http://cam/x?channel=***"),
    ],
)
def test_no_secret_of_an_address_is_shown(address: str, shown: str) -> None:
    assert without_secrets(address) == shown


@pytest.mark.parametrize(
    "text",
    [
        " rtsp:/pi:pass9@cam/1",
        "rtsp:pi:pass9@cam/1",
        "rtsp//pass9@cam/1",
        "pi:pass9@cam/1",
        "cam/x?password=pass9",
    ],
)
def test_what_is_nearly_an_address_is_refused_without_its_secret(text: str) -> None:
    with pytest.raises(UserError, match="begins with rtsp://") as refused:
        is_live_name(text)
    assert "pass9" not in str(refused.value)


def test_a_file_named_like_an_address_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "10:30@hall.mp4").write_bytes(b"")
    assert not is_live_name("10:30@hall.mp4")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("rtsp://user:S3kritt@127.0.0.1:9/x", "127.0.0.1:9/x"),
        ("rtsp://user:S3/kritt@127.0.0.1:9/x", "127.0.0.1:9/x"),
        ("rtsp://user:S3@kritt@127.0.0.1:9/x", "127.0.0.1:9/x"),
        ("rtsp://user:S3:kritt@127.0.0.1:9/x", "127.0.0.1:9/x"),
        ("rtsp://:S3kritt@127.0.0.1:9/x", "127.0.0.1:9/x"),
        ("rtsp://S3kritt@127.0.0.1:9/x", "127.0.0.1:9/x"),
        ("rtsp://us%40er:S3kritt@127.0.0.1:9/x", "127.0.0.1:9/x"),
        ("rtsp://u/ser:S3kritt@127.0.0.1:9/x", "127.0.0.1:9/x"),
        ("rtsp://user:S3?kritt@127.0.0.1:9/x", "127.0.0.1:9/x"),
        ("rtsp://user:S3#kritt@127.0.0.1:9/x", "127.0.0.1:9/x"),
        ("RTSP://User:S3kritt@127.0.0.1:9/x", "127.0.0.1:9/x"),
        ("rtsp://user:S3kritt@[::1]:9/x", "[::1]:9/x"),
        ("rtsp://user:S3kritt@127.0.0.1:99999/x", "127.0.0.1:99999/x"),
        ("rtsp://user:S3kritt@127.0.0.1:abc/x", "127.0.0.1:abc/x"),
        ("http://user:S3kritt@127.0.0.1:9/a@b", "b"),
        ("rtsp://127.0.0.1:9/x?user=admin&password=S3kritt", "127.0.0.1:9/x?user=***"),
        ("http://127.0.0.1:9/cgi?pwd=S3kritt&user=a", "127.0.0.1:9/cgi?pwd=***"),
        ("rtsp://127.0.0.1:9/user=admin_password=S3kritt_channel=1_stream=0.sdp", "127.0.0.1:9/"),
        ("rtsp://user%3AS3kritt%40127.0.0.1:9/x", "rtsp://***/x"),
        ("rtsp://user:S3kritt/x", "rtsp://***/x"),
    ],
)
def test_no_form_of_a_secret_is_in_a_name_or_an_error(
    address: str, host: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refused = MagicMock(side_effect=OSError("refused"))
    monkeypatch.setattr(streams.socket, "create_connection", refused)
    with pytest.raises((OSError, UserError)) as told:
        open_live(address, request=Request())
    said = without_secrets(address) + "".join(traceback.format_exception(told.value)) + caplog.text
    assert host in said
    assert not re.search("S3|kritt", said)


@pytest.mark.parametrize("address", ["rtsp://pi:pa/ss9@cam/1", "rtsp://pi:pass9@[::1/1"])
def test_an_address_that_is_none_is_refused_without_its_secret(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UserError, match="%2F") as refused:
        open_live(address, request=Request())
    assert "ss9" not in "".join(traceback.format_exception(refused.value)) + caplog.text


def test_what_was_taken_for_the_host_of_a_wrong_address_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = MagicMock(side_effect=OSError("refused"))
    monkeypatch.setattr(streams.socket, "create_connection", refused)
    with pytest.raises(OSError, match=r"rtsp://\*\*\*@cam/1 cannot be reached") as told:
        open_live("rtsp://alice:12/34@cam/1", request=Request())
    assert "alice" not in str(told.value)
    assert "12" not in str(told.value)


@pytest.mark.parametrize("scheme", ["udp", "srt", "rtp"])
def test_a_stream_that_is_no_tcp_is_left_to_ffmpeg(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams.socket, "create_connection", MagicMock(side_effect=OSError))
    capture = MagicMock()
    capture.get.return_value = 30.0
    monkeypatch.setattr(streams.cv2, "VideoCapture", MagicMock(return_value=capture))
    assert open_live(f"{scheme}://127.0.0.1:9/", request=Request()).status == "live"


@pytest.mark.parametrize("text", ["97", "/dev/video97"])
def test_a_camera_that_is_not_there_is_named(text: str) -> None:
    with pytest.raises(OSError, match=f"camera {text} cannot be opened"):
        open_live(text, request=Request())


def test_a_stream_that_cannot_be_reached_says_why() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OSError, match=rf"rtsp://\*\*\*@.*cannot be reached .*port {port}\?"):
        open_live(f"rtsp://u:p@127.0.0.1:{port}/x", request=Request())


def test_a_server_that_is_no_video_server_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "NETWORK_TIMEOUT_S", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(OSError, match=r"gives no video within 0\.5 s"):
            open_live(address, request=Request())


@pytest.mark.parametrize(
    ("told", "fps"), [(30.0, 30.0), (0.0, 25.0), (-1.0, 25.0), (90_000.0, 25.0), (np.nan, 25.0)]
)
def test_a_rate_that_no_camera_has_is_not_believed(told: float, fps: float) -> None:
    capture = MagicMock()
    capture.get.return_value = told
    assert CaptureGrabber(capture).fps == fps


def test_a_network_stream_comes_back_when_its_server_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "NETWORK_TIMEOUT_S", 3.0)
    monkeypatch.setattr(live, "FIRST_WAIT_S", 0.05)
    with video_server() as port:
        address = f"http://127.0.0.1:{port}/stream.mjpg?view=picture"
        source = open_live(address, request=Request(), max_retries=8)
        frames = source.frames()
        before = [next(frames) for _ in range(3)]
    with video_server(port):
        after = [next(frames) for _ in range(40)]
        source.close()
        frames.close()
    found = [item for item in before + after if isinstance(item, Picture)]
    assert len(found) == 43
    assert found[0].image_rgb.shape == (240, 320, 3)
    # Red changes from picture to picture, green is 13.
    assert len({int(item.image_rgb[0, 0, 0]) for item in found}) > 3
    assert abs(int(found[-1].image_rgb[100, 100, 1]) - 13) < 12
    assert source.status == "live"


def test_a_further_kind_of_camera_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_live_name("made-up")
    kind = Kind(is_name="made-up".__eq__, opener=lambda *_: lambda: Plugged(2))
    monkeypatch.setattr(cameras, "KINDS", (kind, *cameras.KINDS))
    assert is_live_name("made-up")
    source = open_live("made-up", request=Request(), max_retries=0)
    assert source.name == "camera made-up"
    kinds = [type(item) for item in source.frames()]
    assert kinds == [Picture, Picture, Unreadable]
