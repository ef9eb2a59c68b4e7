"""USB cameras by V4L2: which one is behind `/dev/videoN`, and behind which number it is now.

Numbers are given as cameras come: one that is unplugged and plugged in again has another. Written
from the kernel's documents (Documentation/ABI/stable/sysfs-bus-usb, sysfs-class-video4linux), and
tried on made-up trees: no camera was at hand.
"""

import contextlib
import logging
import os
import re
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import cv2

from export.device.live import Grabber, Request
from export.device.sources import CaptureGrabber

_LOG = logging.getLogger(__name__)

ROOT = Path("/")
_CLASS = "sys/class/video4linux"
_NODE = re.compile(r"video\d+")
# Names that the system gives a camera by what it is, or by where it is plugged in.
_LINKS = ("/dev/v4l/by-id/", "/dev/v4l/by-path/")
_NAME = re.compile(r"\d+|/dev/video\d+|/dev/v4l/by-(id|path)/[^/]+")
# Above this, USB cameras reach their frame rate only by Motion JPEG.
_UNCOMPRESSED_PIXELS = 640 * 480


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What tells one camera from others.

    Attributes:
      port: Where it is plugged in, as the kernel names it.
      interface: Which of the device's parts; "" where it has no parts.
      index: Which of that part's nodes: a USB camera has one for pictures and one for what it says
        of them.
      product: Vendor and product, as USB tells them; empty of another camera.
      serial: That of many a cheap camera is missing, or the same in all of them.
    """

    port: str
    interface: str
    index: str
    product: tuple[str, ...]
    serial: str

    def likenesses(self, other: "Identity") -> tuple[bool, ...]:
        """Whether another is it, it moved, its twin at the port, something else at the port."""
        is_twin, is_at_port = self.product == other.product, self.port == other.port
        is_moved = bool(self.product) and is_twin and self.serial == other.serial
        return self == other, is_moved, is_at_port and is_twin, is_at_port


def is_name(text: str) -> bool:
    """Whether a camera is meant; a file or folder of that number is one."""
    is_node = text.startswith("/dev/")
    return _NAME.fullmatch(text) is not None and (is_node or not Path(text).exists())


def identity_of(node: Path, root: Path = ROOT) -> Identity | None:
    """Which camera `/dev/videoN`, or a link to it, is; None where the kernel does not say."""
    entry = root / _CLASS / node.resolve().name
    device = entry / "device"
    if not _NODE.fullmatch(entry.name) or not device.exists():
        return None
    place = device.resolve()
    usb = next((each for each in (place, place.parent) if (each / "idVendor").is_file()), None)
    return Identity(
        port=(usb or place).name,
        # 1-1.4:1.0 is the first part, in its first configuration, of what is at port 1-1.4.
        interface=place.name.partition(":")[2] if usb else "",
        index=_read(entry / "index"),
        product=(_read(usb / "idVendor"), _read(usb / "idProduct")) if usb else (),
        serial=_read(usb / "serial") if usb else "",
    )


def present(root: Path = ROOT) -> dict[Path, Identity]:
    """Every camera node that the kernel tells of, `/dev/videoN`, and what it is."""
    entries = sorted((root / _CLASS).glob("video*"))
    found = {root / "dev" / entry.name: identity_of(entry, root) for entry in entries}
    return {node: identity for node, identity in found.items() if identity is not None}


def find(camera: Identity, beside: Collection[Identity] = (), root: Path = ROOT) -> Path | None:
    """Where a camera that was open is now, `/dev/videoN`; None where it is not plugged in.

    The same product and serial at the same port come first; then those at another port; then
    another of the same product at the port, and then whatever is plugged in there. Where two are
    equal, none is guessed. Those that were there `beside` it are not it.
    """
    part = (camera.interface, camera.index)
    others = {
        node: camera.likenesses(other)
        for node, other in present(root).items()
        if other not in beside and (other.interface, other.index) == part
    }
    for rank in range(4):
        if nodes := [node for node, likenesses in others.items() if likenesses[rank]]:
            return nodes[0] if len(nodes) == 1 else None
    return None


def names_of(root: Path = ROOT) -> list[str]:
    """Every node for pictures, by the name that follows its camera where there is one."""
    links: dict[str, str] = {}
    for kind in ("by-path", "by-id"):
        for link in sorted((root / "dev/v4l" / kind).glob("*")):
            links[link.resolve().name] = f"/dev/v4l/{kind}/{link.name}"
    found = sorted((root / "dev").glob("video*"), key=lambda path: (len(path.name), path.name))
    return [
        f"/dev/{path.name}" + (f" = {links[path.name]}" if path.name in links else "")
        for path in found
    ]


def _read(path: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8").strip()
    return ""


class V4l2Camera:
    """A camera, as the user named it, that is found again when it comes back under another number.

    `root` is that of the file system that says which camera is which.
    """

    def __init__(self, text: str, request: Request, root: Path = ROOT) -> None:
        self._text, self._request, self._root = text, request, root
        self._node = root / (f"dev/video{text}" if text.isdecimal() else text.removeprefix("/"))
        # Whether the system itself lets its name follow the camera.
        self._is_link = text.startswith(_LINKS)
        self._identity: Identity | None = None
        self._beside: list[Identity] = []

    def open(self) -> Grabber:
        """Opens it.

        Raises:
          OSError: If it is not there, or not free.
        """
        if sys.platform != "linux":
            return _open_capture(self._text, self._text, cv2.CAP_ANY, self._request)
        node = self._where()
        if not os.access(node, os.R_OK | os.W_OK):
            raise PermissionError(
                f"camera {self._text} may not be used by this user: sudo usermod -aG video $USER, "
                "then log in again"
            )
        grabber = _open_capture(self._text, str(node), cv2.CAP_V4L2, self._request)
        if not self._is_link:
            if self._identity is not None and node != self._node:
                _LOG.warning("camera %s is %s now", self._text, node)
            found = present(self._root)
            self._node = node
            self._identity = found.pop(node, None)
            self._beside = list(found.values())
        return grabber

    def _where(self) -> Path:
        now = identity_of(self._node, self._root)
        if self._node.exists() and (self._identity is None or self._identity == now):
            return self._node.resolve() if self._is_link else self._node
        found = self._identity and find(self._identity, self._beside, self._root)
        if not found:
            raise OSError(
                f"camera {self._text} cannot be opened: there is no such device{_devices()}"
            )
        return found


def _open_capture(text: str, node: str, api: int, request: Request) -> Grabber:
    try:
        capture = cv2.VideoCapture(int(node) if node.isdecimal() else node, api)
    except cv2.error as error:
        raise OSError(f"camera {text} cannot be opened ({error})") from error
    if not capture.isOpened():
        capture.release()
        raise OSError(
            f"camera {text} cannot be opened; is it plugged in, and free{_devices()}? "
            "A Raspberry Pi camera module is --source picamera2"
        )
    if request.size is not None:
        height_px, width_px = request.size
        if height_px * width_px > _UNCOMPRESSED_PIXELS:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width_px)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height_px)
    if request.fps is not None:
        capture.set(cv2.CAP_PROP_FPS, request.fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # older frames are of no use
    given = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)
    _LOG.info(
        "camera %s gives %dx%d (width x height) at %g frames/s", text, *map(capture.get, given)
    )
    return CaptureGrabber(capture)


def _devices() -> str:
    found = names_of()
    return f" (found: {', '.join(found)})" if found else " (there is no /dev/video*)"
