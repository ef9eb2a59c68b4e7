"""The page's server over a real loopback connection: views, buttons, and who is refused."""

import contextlib
import http.client
import json
import logging
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes.device import LONG_S, EndlessSource, FakeSource, engine, picture, result, service

from export.device.service import Service
from export.device.show import snapshot
from export.device.telemetry import Throttling
from export.device.web import WebServer
from export.device.web_handler import MAX_VIEWERS, PAGE, TOKEN_HEADER, Site, state_of


class Served:
    """A service of fakes and its page."""

    def __init__(self, running: Service, output: Path | None = None, timeout_s: float = 5.0):
        self.service = running
        throttling = Throttling(now=("under-voltage",), since_boot=())
        site = Site(
            service=running,
            state=lambda: state_of(running, throttling),
            save=None if output is None else lambda item: snapshot(output, item),
        )
        self.token = site.token
        self.server = WebServer(site, host="127.0.0.1", port=0, send_timeout_s=timeout_s)

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=LONG_S)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            body = body if isinstance(body, bytes) else json.dumps(body)
            given = {"Content-Type": "application/json", TOKEN_HEADER: self.token, **given}
        connection.request(method, path, body, given)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer, content

    def get(self, path: str, **headers: str) -> Any:
        status, _, content = self.ask("GET", path, **headers)
        return status, json.loads(content)

    def post(self, wishes: Any, **headers: str) -> Any:
        status, _, content = self.ask("POST", "/control", wishes, **headers)
        return status, json.loads(content)

    def wait_for_frames(self, number: int) -> None:
        while (self.service.latest.newer_than(number - 1, timeout_s=LONG_S)) is None:
            pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    running = service(EndlessSource([], is_live=True), engine("L", "S", focal_px=300.0))
    running.start()
    page = Served(running, tmp_path)
    page.wait_for_frames(1)
    yield page
    running.stop()
    running.join()
    page.server.close()


class Viewer:
    """Reads a stream, picture by picture."""

    def __init__(self, port: int, view: str = "picture") -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG_S)
        self.connection.request("GET", f"/stream.mjpg?view={view}")
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200

    def picture(self) -> np.ndarray:
        length = 0
        while not length:
            line = self.answer.readline()
            assert line, "the stream ended"
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        assert self.answer.readline() == b"\r\n"
        content = self.answer.read(length)
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        return image

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def test_the_page_is_one_file_that_loads_nothing_from_elsewhere(served: Served) -> None:
    status, answer, content = served.ask("GET", "/")
    assert status == 200
    assert content == PAGE.read_bytes()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    for elsewhere in (b"http://", b"https://", b"//cdn", b"@import"):
        assert elsewhere not in content


def test_the_numbers_are_those_of_the_service(served: Served) -> None:
    served.wait_for_frames(5)
    status, state = served.get("/state.json")
    assert status == 200
    assert state["frames"] >= 5
    assert state["fps"] > 0
    assert state["ms"] >= state["inference_ms"] >= 0
    assert state["throttled"] == ["under-voltage"]
    assert state["source_status"] == "live"
    assert (state["size"], state["sizes"]) == ("L", ["L", "S", "auto"])
    assert state["views"] == ["overlay", "picture", "depth", "classes"]
    assert state["unit"] == "m"
    assert state["obstacle"]["class"] == "car"
    assert state["obstacle"]["depth"] > 0
    assert state["obstacle_rule"] == "classes"


def test_each_button_does_what_it_says(served: Served, tmp_path: Path) -> None:
    status, state = served.post({"palette": "turbo", "size": "S", "threshold": 1e5})
    assert status == 200
    assert (state["palette"], state["size_wish"], state["threshold"]) == ("turbo", "S", 1e5)
    assert state["is_near"]
    served.wait_for_frames(served.service.engine.num_frames + 2)
    assert served.get("/state.json")[1]["model"] == "S int8"
    assert served.post({"paused": True})[1]["paused"]
    # One that was in hand may still come; then none.
    assert served.service.latest.newer_than(10**9, timeout_s=0.2) is None
    frames = served.service.engine.num_frames
    assert served.service.latest.newer_than(10**9, timeout_s=0.1) is None
    assert served.service.engine.num_frames == frames
    status, state = served.post({"snapshot": True})
    assert status == 200
    latest = served.service.latest.peek()
    assert latest is not None
    ends = [".npz", "_depth.png", "_overlay.png"]
    for saved, end in zip(state["saved"], ends, strict=True):
        assert re.fullmatch(rf"\d{{8}}-\d{{6}}_{latest.name}{re.escape(end)}", saved)
    assert sorted(path.name for path in (tmp_path / "snapshots").iterdir()) == state["saved"]
    assert not served.post({"paused": False})[1]["paused"]
    served.wait_for_frames(frames + 1)


def test_a_snapshot_replaces_none_of_an_earlier_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = replace(result(picture(size=(24, 32))), name="[a]")
    names = []
    for day in (1, 2):
        monkeypatch.setattr("time.strftime", lambda _, day=day: f"2026010{day}-120000")
        names += snapshot(tmp_path, item)
    # A board without a clock of its own, whose time begins at the same minute again.
    for _ in range(2):
        names += snapshot(tmp_path, item)
    assert len(set(names)) == len(list((tmp_path / "snapshots").iterdir())) == 12


def test_a_snapshot_can_be_downloaded(served: Served) -> None:
    status, answer, content = served.ask("GET", "/snapshot.jpg?view=depth")
    assert status == 200
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[0] == 240


def test_two_viewers_see_changing_pictures_at_their_own_pace(served: Served) -> None:
    first, second = Viewer(served.server.port), Viewer(served.server.port, "overlay")
    reds = {int(first.picture()[0, 0, 2]) for _ in range(8)}
    assert len(reds) > 3
    assert second.picture().shape[1] > 3 * 320
    assert served.server.num_viewers == 2
    first.close()
    assert second.picture().shape[1] > 3 * 320
    second.close()


def test_a_viewer_that_reads_nothing_stalls_nobody_and_is_let_go() -> None:
    running = service(EndlessSource([], is_live=True))
    running.start()
    page = Served(running, timeout_s=0.3)
    page.wait_for_frames(1)
    stuck = socket.create_connection(("127.0.0.1", page.server.port))
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert stuck.recv(16).startswith(b"HTTP/1.1 200")
    quick = Viewer(page.server.port)
    before = running.engine.num_frames
    for _ in range(5):
        quick.picture()
    assert running.engine.num_frames > before
    # Its buffers fill up, then its time runs out; the other one goes on.
    deadline = time.monotonic() + LONG_S
    while page.server.num_viewers > 1 and time.monotonic() < deadline:
        quick.picture()
    assert page.server.num_viewers == 1
    quick.picture()
    quick.close()
    stuck.close()
    running.stop()
    running.join()
    page.server.close()


def test_more_viewers_than_the_machine_can_serve_are_turned_away(served: Served) -> None:
    viewers = [Viewer(served.server.port) for _ in range(MAX_VIEWERS)]
    for viewer in viewers:
        viewer.picture()
    status, answer = served.get("/stream.mjpg")
    assert status == 503
    assert f"{MAX_VIEWERS} viewers" in answer["error"]
    assert served.get("/state.json")[0] == 200
    for viewer in viewers:
        viewer.close()


def test_connections_that_say_nothing_make_room_for_those_that_ask(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.device.web._MAX_CONNECTIONS", 5)
    idle = [socket.create_connection(("127.0.0.1", served.server.port)) for _ in range(9)]
    assert served.get("/state.json")[0] == 200
    # Who has kept silent for longest was let go.
    idle[0].settimeout(LONG_S)
    assert idle[0].recv(1) == b""
    for connection in idle:
        connection.close()


def test_the_whole_request_has_to_come_in_time_not_each_byte_of_it() -> None:
    page = Served(service(FakeSource([])), timeout_s=0.2)
    slow = socket.create_connection(("127.0.0.1", page.server.port), timeout=LONG_S)
    # One byte at a time, each long before the time for a byte is up.
    sent = 0
    with contextlib.suppress(ConnectionError):
        for byte in b"GET /state.json HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 10_000:
            slow.sendall(bytes([byte]))
            sent += 1
            if select.select([slow], [], [], 0.01)[0]:
                break
    assert sent < 5_000
    assert slow.recv(100) == b""
    slow.close()
    page.server.close()


def test_a_button_needs_the_token_of_this_start(served: Served) -> None:
    status, state = served.get("/state.json")
    assert (status, state["token"]) == (200, served.token)
    for token in ("", "x", served.token[:-1]):
        status, answer = served.post({"paused": True}, **{TOKEN_HEADER: token})
        assert status == 403
        assert "/state.json" in answer["error"]
    assert not served.service.controls.settings.is_paused


def test_snapshots_do_not_fill_the_disk(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr(served.server._server, "_now_s", lambda: now_s[0])
    assert served.post({"snapshot": True})[0] == 200
    now_s[0] += 0.9
    status, answer = served.post({"snapshot": True})
    assert (status, answer["error"][:21]) == (400, "one snapshot a second")
    assert len(list((tmp_path / "snapshots").iterdir())) == 3
    now_s[0] += 0.1
    assert served.post({"snapshot": True})[0] == 200


def test_the_age_of_the_picture_is_told(served: Served) -> None:
    latest = served.service.latest.peek()
    assert latest is not None
    aged = replace(latest, captured_s=latest.captured_s - 40)
    served.service.stop()
    served.service.join()
    served.service.latest.publish(aged)
    assert 40 <= served.get("/state.json")[1]["age_s"] < 40 + LONG_S


def test_a_browser_that_asks_for_an_icon_gets_no_error(served: Served) -> None:
    assert served.ask("GET", "/favicon.ico")[0] == 204


def test_what_is_hidden_is_hidden_and_what_is_wrong_is_red() -> None:
    """Rules of the sheet that others would overrule: `display: flex`, and an id's own colour."""
    page = PAGE.read_text(encoding="utf-8")
    assert "[hidden] { display: none !important; }" in page
    assert not re.search(r"#message \{[^}]*color", page)
    assert 'element("view").className = "old"' in page


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "", "127.0.0.1.evil.example", "[::1"]
)
def test_a_name_that_is_not_this_machines_is_refused(served: Served, host: str) -> None:
    for path in ("/", "/state.json", "/stream.mjpg", "/snapshot.jpg"):
        status, answer, _ = served.ask("GET", path, Host=host)
        assert status == 403, path
        assert "Set-Cookie" not in answer.headers
    assert served.post({"paused": True}, Host=host)[0] == 403
    assert not served.service.controls.settings.is_paused


@pytest.mark.parametrize(
    "host", ["localhost:8000", "127.0.0.1", "192.168.1.7:80", "[::1]:8000", socket.gethostname()]
)
def test_this_machines_own_names_and_addresses_are_answered(served: Served, host: str) -> None:
    assert served.get("/state.json", Host=host)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://[::1"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
    ],
)
def test_buttons_pressed_from_another_page_are_refused(
    served: Served, headers: dict[str, str]
) -> None:
    assert served.post({"paused": True}, **headers)[0] == 403
    assert not served.service.controls.settings.is_paused


def test_buttons_of_the_own_page_are_taken(served: Served) -> None:
    origin = f"http://127.0.0.1:{served.server.port}"
    assert served.post({"palette": "gray"}, Origin=origin)[0] == 200


@pytest.mark.parametrize("wishes", [{"palette": "rainbow"}, ["paused"], "paused", {"x": 1}])
def test_a_wrong_wish_is_answered_in_words(served: Served, wishes: Any) -> None:
    status, answer = served.post(wishes)
    assert status == 400
    assert answer["error"]


def test_what_is_no_json_or_too_long_is_refused(served: Served) -> None:
    assert served.post(b"")[0] == 400
    assert served.post({"x": "y" * 5000})[0] == 413
    assert served.post(b"[" * 4000)[0] == 400
    assert served.get("/state.json")[0] == 200


@pytest.mark.parametrize("path", ["/nothing", "/stream.mjpg?view=nose", "/../web.py"])
def test_what_is_not_there_is_said(served: Served, path: str) -> None:
    status, answer = served.get(path)
    assert status == 404
    assert answer["error"]


def test_a_port_in_use_is_told_with_a_remedy(served: Served) -> None:
    site = Site(service=served.service, state=dict)
    with pytest.raises(OSError, match=r"127\.0\.0\.1:\d+ \(Address already in use\).*--port \d+"):
        WebServer(site, host="127.0.0.1", port=served.server.port)


def test_an_address_of_another_machine_is_not_taken_for_a_port_in_use(served: Served) -> None:
    site = Site(service=served.service, state=dict)
    with pytest.raises(OSError, match=r"192\.0\.2\.1:0 \(.*--host must be an address of this"):
        WebServer(site, host="192.0.2.1", port=0)


def test_whoever_opens_it_to_the_network_is_warned(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(service=served.service, state=dict)
    with caplog.at_level(logging.WARNING):
        WebServer(site, host="127.0.0.1", port=0).close()
        assert caplog.text == ""
        WebServer(site, host="0.0.0.0", port=0).close()
    assert "anyone on the network can watch" in caplog.text


def test_a_fault_of_the_page_is_told_and_a_viewer_who_leaves_is_not(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> dict[str, Any]:
        raise ZeroDivisionError

    site = Site(service=served.service, state=fails)
    server = WebServer(site, host="127.0.0.1", port=0)
    with contextlib.closing(server), caplog.at_level(logging.WARNING):
        with contextlib.suppress(ConnectionError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONG_S)
            connection.request("GET", "/state.json")
            connection.getresponse()
        assert "ZeroDivisionError" in caplog.text
        caplog.clear()
        try:
            raise BrokenPipeError
        except BrokenPipeError:
            server._server.handle_error(None, ("127.0.0.1", 1))
    assert caplog.text == ""


def test_the_page_ends_with_the_program_however_many_watch() -> None:
    running = service(EndlessSource([], is_live=True))
    running.start()
    page = Served(running)
    page.wait_for_frames(1)
    viewers = [Viewer(page.server.port) for _ in range(3)]
    viewers[0].picture()
    running.stop()
    running.join()
    page.server.close()
    # What was sent can still be read; then comes the end.
    assert len(viewers[0].answer.read()) < 10**7
    with pytest.raises(ConnectionRefusedError):
        page.get("/state.json")
    alive = [thread for thread in threading.enumerate() if "process_request" in thread.name]
    for thread in alive:
        thread.join(LONG_S)
    for viewer in viewers:
        viewer.close()
