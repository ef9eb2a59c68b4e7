"""A real RTSP server, lost and found again. Run by `make test-web`, which installs the server."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from export.device import live, streams
from export.device.cameras import open_live
from export.device.live import Request
from export.device.sources import Picture

pytestmark = pytest.mark.web

SERVER = Path(__file__).parents[1] / "fakes" / "rtsp_server.py"
SYSTEM_PYTHON = "/usr/bin/python3"  # GStreamer's bindings are Debian's, not pip's


@contextlib.contextmanager
def rtsp_server(port: int, codec: str) -> Iterator[None]:
    running = subprocess.Popen(
        [SYSTEM_PYTHON, str(SERVER), str(port), codec],
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n", "`make test-web` installs GStreamer's server"
    try:
        yield
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


@pytest.mark.parametrize("codec", ["h264", "mjpeg"])
def test_a_stream_is_watched_lost_and_found_again(
    codec: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streams, "NETWORK_TIMEOUT_S", 10.0)
    monkeypatch.setattr(live, "FIRST_WAIT_S", 0.1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"rtsp://127.0.0.1:{port}/test"
    with rtsp_server(port, codec):
        source = open_live(address, request=Request(), max_retries=30)
        frames = source.frames()
        before = [next(frames) for _ in range(15)]
    with rtsp_server(port, codec):
        # What the decoder still holds comes first, then the loss, then the new server's.
        after = []
        while not (after and "is back" in caplog.text and len(after) >= 15):
            after.append(next(frames))
        assert source.status == "live"
        source.close()
        frames.close()
    pictures = [item.image_rgb for item in before + after if isinstance(item, Picture)]
    assert len(pictures) == len(before) + len(after)
    assert {image.shape for image in pictures} == {(240, 320, 3)}
    # The ball is white and moves.
    assert all(image.max() > 200 for image in pictures)
    assert abs(pictures[0].astype(int) - pictures[14]).max() > 100
    assert caplog.text.count("gives no picture any more") == 1


def test_a_path_that_the_server_does_not_know_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        rtsp_server(port, "mjpeg"),
        pytest.raises(OSError, match=r"gives no video .* path, user"),
    ):
        open_live(f"rtsp://u:secret@127.0.0.1:{port}/nothing", request=Request())
