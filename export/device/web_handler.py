"""What the web server answers: page, numbers, pictures, buttons, and who is refused."""

import http.server
import json
import logging
import math
import re
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from export.device.channel import ClosedError
from export.device.result import Result
from export.device.service import Service
from export.device.telemetry import Throttling
from mtdepth.files import UserError
from mtdepth.runtime.colors import PALETTES
from mtdepth.runtime.seen import VIEWS

_LOG = logging.getLogger(__name__)

PAGE = Path(__file__).with_name("page.html")
MAX_VIEWERS = 8
LOCAL = ("localhost", "127.0.0.1", "::1")
_MAX_BODY_BYTES = 4096
# A stream looks this often whether the program ends.
_POLL_S = 0.5
_BOUNDARY = "frame"
_BOUNDARY_LINE = f"--{_BOUNDARY}\r\n".encode("ascii")
# The page is one file: nothing is loaded from elsewhere.
_PAGE_POLICY = "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
TOKEN_HEADER = "X-Mtdepth-Token"


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the server serves.

    Attributes:
      service: At work.
      state: Content of `/state.json`, but for the token.
      save: Stores a snapshot, returns where; None where there is no --output.
      token: Of this start: what presses a button has read this server's own page or state, which
        other sites cannot.
    """

    service: Service
    state: Callable[[], dict[str, Any]]
    save: Callable[[Result], list[str]] | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one connection; `WebServer` binds the attributes.

    Attributes:
      site: What is served.
      host: That the server listens at.
      server: Which counts viewers, and the time that each takes.
      timeout: For a whole request, and for each part of an answer, in seconds.
    """

    # `do_GET`, `do_POST` and `format` are the base class's names.
    site: Site
    host: str
    server: Any
    protocol_version = "HTTP/1.1"
    server_version = "mtdepth"
    sys_version = ""

    def handle_one_request(self) -> None:
        """Reads and answers one; the whole of it has to come in time, not each byte of it."""
        self.server.expect(self.connection, is_asking=True)
        super().handle_one_request()

    def do_GET(self) -> None:
        """Page, numbers, pictures."""
        if not self._is_allowed():
            return
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if url.path == "/":
            policy = ("Content-Security-Policy", _PAGE_POLICY)
            self._send(PAGE.read_bytes(), "text/html; charset=utf-8", policy)
        elif url.path == "/state.json":
            self._send_json({**self.site.state(), "token": self.site.token})
        elif url.path == "/favicon.ico":
            self.send_response(HTTPStatus.NO_CONTENT)
            self.end_headers()
        elif url.path in ("/stream.mjpg", "/snapshot.jpg"):
            self._pictures(url.path, query.get("view", "overlay"))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is no {url.path}")

    def do_POST(self) -> None:
        """Buttons."""
        body = self._body()
        if body is None or not self._is_allowed() or not self._is_own_page():
            return
        if urlsplit(self.path).path != "/control":
            self._refuse(HTTPStatus.NOT_FOUND, "buttons are at /control")
            return
        try:
            wishes = json.loads(body)
            if not isinstance(wishes, dict):
                raise UserError("a JSON object is expected")
            saved = self._saved() if wishes.pop("snapshot", False) else None
            self.site.service.controls.change(wishes)
        except (UserError, json.JSONDecodeError, UnicodeError, OSError, RecursionError) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        self.site.service.repaint()
        self._send_json({**self.site.state(), "token": self.site.token, "saved": saved})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says it to whoever looks for it, not for every picture."""
        _LOG.debug("%s " + format, self.address_string(), *args)

    def _saved(self) -> list[str]:
        result = self.site.service.latest.peek()
        if result is None:
            raise UserError("there is no picture yet")
        # Without an --output the page's own download is the snapshot.
        if self.site.save is None:
            return []
        if not self.server.may_save():
            raise UserError("one snapshot a second: this one was not stored")
        return self.site.save(result)

    def _body(self) -> bytes | None:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        if 0 <= length <= _MAX_BODY_BYTES:
            return self.rfile.read(length)
        self.close_connection = True
        self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request's length is missing or big")
        return None

    def _is_allowed(self) -> bool:
        """Answers only who names this machine: a hostile page's own name for it is refused.

        Else a web site that the viewer looks at could make its own name point here (DNS rebinding)
        and read the camera.
        """
        self.server.expect(self.connection, is_asking=False)
        try:
            named = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        except ValueError:  # half an IPv6 address
            named = ""
        own = {*LOCAL, self.host.lower(), socket.gethostname().lower()}
        is_own = named in own or named.removesuffix(".local") in own or _is_address(named)
        if not is_own:
            self._refuse(HTTPStatus.FORBIDDEN, f"this machine is not called {named!r}")
        return is_own

    def _is_own_page(self) -> bool:
        """Whether a button was pressed on this page, not on one that sends requests to here."""
        origin = self.headers.get("Origin")
        # Compared as text: half an address need not be understood to be refused.
        is_own = origin is None or origin.partition("://")[2] == self.headers.get("Host")
        given = self.headers.get(TOKEN_HEADER, "").encode()
        if not is_own or self.headers.get_content_type() != "application/json":
            why = "buttons take JSON, from this machine's own page"
        elif not secrets.compare_digest(given, self.site.token.encode()):
            why = f"a button needs the header {TOKEN_HEADER}: the token of /state.json"
        else:
            return True
        self._refuse(HTTPStatus.FORBIDDEN, why)
        return False

    def _pictures(self, path: str, view: str) -> None:
        result = self.site.service.latest.peek()
        views = VIEWS if result is None else result.views
        if view not in views:
            self._refuse(HTTPStatus.NOT_FOUND, f"view must be one of {', '.join(views)}")
        elif path == "/snapshot.jpg":
            self._snapshot(result, view)
        elif not self.server.admit():
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, f"{MAX_VIEWERS} viewers are watching")
        else:
            try:
                self._stream(view)
            finally:
                self.server.dismiss()

    def _snapshot(self, result: Result | None, view: str) -> None:
        if result is None:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "there is no picture yet")
            return
        name = re.sub(r"[^\w.-]", "_", f"{result.name}_{view}.jpg", flags=re.ASCII)
        disposition = f'attachment; filename="{name}"'
        self._send(result.jpeg(view), "image/jpeg", ("Content-Disposition", disposition))

    def _stream(self, view: str) -> None:
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        number = 0
        try:
            self.wfile.write(_BOUNDARY_LINE)
            while True:
                found = self.site.service.latest.newer_than(number, timeout_s=_POLL_S)
                if found is not None:
                    number, result = found
                    self._send_part(result.jpeg(view))
        except ClosedError:
            return
        except OSError as error:
            # Gone, or it took nothing for `timeout` seconds.
            _LOG.debug("viewer %s let go: %s", self.address_string(), error)

    def _send_part(self, jpeg: bytes) -> None:
        head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        # The next part's boundary comes at once: browsers show a picture when they see it.
        self.wfile.write(head.encode("ascii") + jpeg + b"\r\n" + _BOUNDARY_LINE)

    def _send_json(self, content: dict[str, Any]) -> None:
        self._send(json.dumps(content).encode(), "application/json")

    def _send(self, content: bytes, kind: str, *headers: tuple[str, str]) -> None:
        self.send_response(HTTPStatus.OK)
        self._finish(content, kind, *headers)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.send_response(status)
        self._finish(json.dumps({"error": why}).encode(), "application/json")

    def _finish(self, content: bytes, kind: str, *headers: tuple[str, str]) -> None:
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            *headers,
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _is_address(name: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, name)
        except OSError:
            continue
        return True
    return False


def state_of(service: Service, throttling: Throttling | None) -> dict[str, Any]:
    """The content of `/state.json`."""
    settings = service.controls.settings
    result = service.latest.peek()
    models = service.engine.models
    times = service.engine.last_times
    return {
        "source": service.source.name,
        "source_status": "ended" if service.is_done.is_set() else service.source.status,
        "recording": service.recording,
        "recordings": {each.name: each.status for each in service.recordings},
        "unrecorded": service.num_unrecorded,
        "paused": settings.is_paused,
        "frames": service.engine.num_frames,
        "dropped": service.num_dropped,
        "failures": len(service.failures),
        "fps": round(service.frames_per_second, 2),
        "age_s": None if result is None else round(result.age_s, 3),
        "ms": None if times is None else round(times.total_ms, 2),
        "inference_ms": None if times is None else round(times.inference_ms, 2),
        "temperature_c": service.temperature_c,
        "throttled": None if throttling is None else list(throttling.now),
        "throttled_since_boot": None if throttling is None else list(throttling.since_boot),
        "model": f"{models.backend.contract.decoder} {models.backend.contract.precision}",
        "size": models.size,
        "size_wish": settings.size or models.size,
        "sizes": list(service.controls.sizes),
        "palette": settings.look.palette,
        "palettes": list(PALETTES),
        "views": list(VIEWS if result is None else result.views),
        "threshold": settings.threshold_m,
        **_of_result(result, settings.threshold_m),
    }


def _of_result(result: Result | None, threshold: float) -> dict[str, Any]:
    if result is None:
        return {"unit": None, "obstacle": None, "obstacle_rule": None, "is_near": False}
    found = [(each.depth, each) for each in result.obstacles if each.depth is not None]
    depth, nearest = min(found, key=lambda pair: pair[0], default=(math.inf, None))
    return {
        "unit": result.unit,
        "obstacle": None if nearest is None else nearest.to_dict(),
        "obstacle_rule": result.rule_in_words,
        "is_near": depth < threshold,
    }
