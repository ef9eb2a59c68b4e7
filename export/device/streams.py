"""Network streams, through OpenCV's FFmpeg: RTSP, HTTP, SRT, UDP.

Tried with real RTSP (H.264, Motion JPEG) and HTTP servers.
"""

import ipaddress
import os
import re
import socket
from urllib.parse import SplitResult, urlsplit

import cv2

from export.device.sources import CaptureGrabber
from mtdepth.files import UserError

# A network stream that is silent for so long is lost; a reachable one answers within it.
NETWORK_TIMEOUT_S = 5.0
# Whose server answers a TCP connection; of others (udp, srt, rtp) only pictures tell.
_TCP_PORTS = {"rtsp": 554, "http": 80, "https": 443}
# Parameters that say which picture is sent; of any other the value may be a secret.
_HARMLESS = {"channel", "subtype", "stream", "profile", "resolution", "fps", "mode", "unicast"}
_HARMLESS_VALUE = re.compile(r"[\w.-]{0,20}", re.ASCII)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
# What may have been meant for an address, and hold secrets: user:secret@host, rtsp//token@host,
# host/x?pwd=secret.
_NEARLY = re.compile(r".*(?::|//).*@|.*[?&][\w-]+=", re.DOTALL)
_SCHEME = re.compile(r"\s*(https?|rtmps?|rtps?|rtsps?|srt|tcp|udp)\b", re.IGNORECASE)
_HOST = re.compile(r"(?:[\w.-]*|\[[\da-f:.%]+\])(?::\d*)?", re.ASCII | re.IGNORECASE)
HIDDEN = "***"
# ours: what stands in a path and is no name that people give: 16 letters and digits in a row, of
# both kinds or both cases (UniFi's rtsps://.../sWUkMCOtOCOSxVXk), or 24 signs with several digits.
_TOKEN_RUN, _TOKEN_LENGTH, _TOKEN_DIGITS = re.compile(r"[A-Za-z0-9]{16,}"), 24, 4


def is_address(text: str) -> bool:
    """Whether a network stream is meant."""
    return _ADDRESS.match(text) is not None


def check_is_no_address(text: str) -> None:
    """Refuses what is nearly an address and no file, in words that tell none of its secrets."""
    if _NEARLY.match(text) and not os.path.exists(text):  # noqa: PTH110  # takes any text
        kind = found[1].lower() if (found := _SCHEME.match(text)) else "rtsp"
        raise UserError(
            f"--source is neither a file nor an address: an address begins with {kind}://"
        )


def without_secrets(address: str) -> str:
    """An address as it may be logged and shown.

    User names, which may be tokens, go as well as passwords, with or without the escapes that they
    need there; so do the values of parameters, but for those that say which picture is sent, and
    parts of the path that look like a token. What cannot be a host may be a user without an @.
    """
    scheme, _, rest = address.partition("://")
    if "@" in rest and not _begins_with_host(rest):
        # Up to the last one: a password may hold others, and / ? # as well.
        rest = f"{HIDDEN}@{rest.rpartition('@')[2]}"
    elif not _HOST.fullmatch(host := re.split("[/?#]", rest, maxsplit=1)[0]):
        rest = HIDDEN + rest.removeprefix(host)
    path, mark, query = rest.partition("#")[0].partition("?")
    # As some cameras have it: /user=admin_password=secret_channel=1
    path = re.sub(r"=.*", f"={HIDDEN}", path, flags=re.DOTALL)
    host, *parts = path.split("/")
    path = "/".join([host, *(HIDDEN if _is_token(part) else part for part in parts)])
    shown = "&".join(map(_without_value, query.split("&")))
    fragment = f"#{HIDDEN}" if "#" in rest else ""
    return f"{scheme}://{path}{mark}{shown}{fragment}"


def _is_token(part: str) -> bool:
    if len(part) >= _TOKEN_LENGTH and len(re.findall("[0-9]", part)) >= _TOKEN_DIGITS:
        return True
    runs = _TOKEN_RUN.findall(part)
    return any(not (run.isalpha() and (run.islower() or run.isupper())) for run in runs)


def _begins_with_host(rest: str) -> bool:
    """Whether an @ further on cannot be that behind a password."""
    try:
        parts = urlsplit(f"//{rest}")
        ipaddress.ip_address(parts.hostname or "")
        return "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False


def _without_value(parameter: str) -> str:
    name, _, value = parameter.partition("=")
    is_harmless = name.lower() in _HARMLESS and _HARMLESS_VALUE.fullmatch(value)
    is_shown = is_harmless or not parameter
    return parameter if is_shown else f"{name}={HIDDEN}" if value else HIDDEN


def open_stream(address: str) -> CaptureGrabber:
    """Opens a stream.

    Raises:
      UserError: If it is no address.
      OSError: If nothing comes from there.
    """
    name = without_secrets(address)
    _check_reachable(address, name)
    timeout_ms = int(NETWORK_TIMEOUT_S * 1e3)
    parameters = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms]
    parameters += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]
    try:
        capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, parameters)
    except cv2.error as error:
        # Not its text, which may hold the address.
        raise OSError(f"{name} cannot be opened (OpenCV's error {error.code})") from None
    if not capture.isOpened():
        capture.release()
        raise OSError(
            f"{name} gives no video within {NETWORK_TIMEOUT_S:g} s: are path, user and password "
            "right? `ffplay ADDRESS` says more"
        )
    return CaptureGrabber(capture)


def _check_reachable(address: str, name: str) -> None:
    """Says in words what OpenCV would only answer by "not opened"."""
    parts, port = _split(address, name)
    scheme = parts.scheme.lower()
    is_by_proxy = scheme != "rtsp" and "http_proxy" in os.environ
    if scheme not in _TCP_PORTS or parts.hostname is None or is_by_proxy:
        return
    port = port or _TCP_PORTS[scheme]
    try:
        socket.create_connection((parts.hostname, port), timeout=NETWORK_TIMEOUT_S).close()
    except (OSError, UnicodeError) as error:
        rest = address.partition("://")[2]
        is_told = parts.hostname in name.lower() and (
            "@" not in rest or "@" in parts.netloc or _begins_with_host(rest)
        )
        # Else what was taken for the host may be a user, and the port a part of a password.
        where = (parts.hostname, f"port {port}") if is_told else ("its host", "its port")
        raise OSError(
            f"{name} cannot be reached ({error}): is {where[0]} right and on, and does "
            f"something listen on {where[1]}?"
        ) from error


def _split(address: str, name: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(address)
        return parts, parts.port
    except ValueError:
        # Not its text, which holds what it took for the port: a part of a password.
        raise UserError(
            f"{name} is no address: in a password write / ? # [ ] as %2F %3F %23 %5B %5D"
        ) from None
