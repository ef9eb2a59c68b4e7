"""The web page's server: live views, numbers and buttons, for a phone as for a desk.

Standard library only. Each viewer has a thread of its own, which takes the newest result when it
has sent the last one; nothing here is waited for by inference. A viewer that takes nothing for a
few seconds is let go, and so is who does not end its request.
"""

import contextlib
import errno
import http.server
import logging
import math
import socket
import socketserver
import sys
import threading
import time
from typing import Any

from export.device.web_handler import LOCAL, MAX_VIEWERS, Handler, Site

_LOG = logging.getLogger(__name__)

# A viewer that takes nothing for so long is let go, and who has not said what it wants.
SEND_TIMEOUT_S = 5.0
# Browsers open six each; more would only take the memory of the rest.
_MAX_CONNECTIONS = 64
# What the kernel keeps for a viewer that reads slowly: a few pictures, no seconds of them.
_SEND_BUFFER_BYTES = 128 * 1024
# A button that is held would fill the disk.
SNAPSHOT_EVERY_S = 1.0


class WebServer:
    """Serves the page until `close`.

    Args:
      site: What is served.
      host: Address to listen at; `0.0.0.0` is every one of the machine.
      port: To listen at; 0: any that is free.
      send_timeout_s: After which a viewer that takes nothing, or asks nothing, is let go.

    Raises:
      OSError: If the port is in use, or the address is not this machine's.
    """

    def __init__(
        self, site: Site, *, host: str, port: int, send_timeout_s: float = SEND_TIMEOUT_S
    ) -> None:
        bound = {"site": site, "timeout": send_timeout_s, "host": host}
        handler = type("BoundHandler", (Handler,), bound)
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            raise OSError(
                f"the page cannot be served at {host}:{port} ({error.strerror or error}): "
                + _remedy(error, port)
            ) from error
        self.port: int = self._server.server_address[1]
        self.address = f"http://{'127.0.0.1' if host in ('', '0.0.0.0') else host}:{self.port}"
        if host not in LOCAL:
            _LOG.warning(
                "listening at %s: anyone on the network can watch and press the buttons; "
                "--host 127.0.0.1 keeps it on this machine (ssh -L 8000:localhost:%d shows it "
                "on another)",
                host,
                self.port,
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()

    @property
    def num_viewers(self) -> int:
        """Streams that are being sent."""
        return self._server.num_viewers

    def close(self) -> None:
        """Serves no more; whoever is connected is let go."""
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up(before_s=math.inf)
        self._thread.join()


def _remedy(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"another program holds the port; take another by --port {port + 1}, or 0 for any "
            "that is free"
        )
    if error.errno == errno.EACCES:
        return "ports below 1024 are the system's; take another by --port 8000"
    return "--host must be an address of this machine, or 0.0.0.0 for all of them"


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # Viewers that were let go must not hold up the end of the program.
    block_on_close = False
    request_queue_size = 16
    _now_s = staticmethod(time.monotonic)

    def __init__(self, address: tuple[str, int], handler: type[Handler]) -> None:
        self._lock = threading.Lock()
        self.num_viewers = 0
        # Of each connection, when its request must be whole; infinite while it is answered.
        self._due_s: dict[socket.socket, float] = {}
        self._request_timeout_s = handler.timeout or SEND_TIMEOUT_S
        self._snapshot_due_s = -math.inf
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # Not the base class's, which looks the machine's name up and may wait long for an answer.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def admit(self) -> bool:
        with self._lock:
            if self.num_viewers >= MAX_VIEWERS:
                return False
            self.num_viewers += 1
            return True

    def dismiss(self) -> None:
        with self._lock:
            self.num_viewers -= 1

    def may_save(self) -> bool:
        with self._lock:
            is_due = self._now_s() >= self._snapshot_due_s
            if is_due:
                self._snapshot_due_s = self._now_s() + SNAPSHOT_EVERY_S
            return is_due

    def expect(self, connection: socket.socket, *, is_asking: bool) -> None:
        """Gives a connection time for its whole request, or for our answer."""
        with self._lock:
            due_s = self._now_s() + self._request_timeout_s
            self._due_s[connection] = due_s if is_asking else math.inf

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self.expect(connection, is_asking=True)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Lets a new one in; where all places are taken, for who has kept silent for longest."""
        del client_address
        with self._lock:
            if len(self._due_s) <= _MAX_CONNECTIONS:
                return True
            silent = [each for each, due_s in self._due_s.items() if due_s < math.inf]
            oldest = min(silent, key=lambda each: self._due_s[each])
            self._hang_up(oldest)
            return oldest is not request

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._due_s.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        self.hang_up(before_s=self._now_s())

    def hang_up(self, *, before_s: float) -> None:
        with self._lock:
            for connection in [each for each, due_s in self._due_s.items() if due_s <= before_s]:
                self._hang_up(connection)

    def _hang_up(self, connection: socket.socket) -> None:
        self._due_s[connection] = math.inf
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request
        # A browser that goes away in the middle of an answer is no news; the rest is our fault.
        is_gone = isinstance(sys.exception(), ConnectionError | TimeoutError)
        level = logging.DEBUG if is_gone else logging.ERROR
        _LOG.log(level, "viewer %s", client_address, exc_info=True)
