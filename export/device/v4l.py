"""Which camera is behind `/dev/videoN`, and behind which number it is now: Linux's own files.

Numbers are given as cameras come: one that is unplugged and plugged in again has another. Written
from the kernel's documents (Documentation/ABI/stable/sysfs-bus-usb, sysfs-class-video4linux), and
tried on made-up trees: no camera was at hand.
"""

import contextlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
_CLASS = "sys/class/video4linux"
_NODE = re.compile(r"video\d+")


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


def identity_of(node: Path, root: Path = ROOT) -> Identity | None:
    """Which camera a node is.

    Args:
      node: `/dev/videoN`, or a link to it.
      root: Of the file system.

    Returns:
      None where the kernel does not say.
    """
    entry = root / _CLASS / node.resolve().name
    device = entry / "device"
    if not _NODE.fullmatch(entry.name) or not device.exists():
        return None
    place = device.resolve()
    usb = next((each for each in (place, place.parent) if (each / "idVendor").is_file()), None)
    if usb is None:
        return Identity(
            port=place.name, interface="", index=_read(entry / "index"), product=(), serial=""
        )
    return Identity(
        port=usb.name,
        # 1-1.4:1.0 is the first part, in its first configuration, of what is at port 1-1.4.
        interface=place.name.partition(":")[2],
        index=_read(entry / "index"),
        product=(_read(usb / "idVendor"), _read(usb / "idProduct")),
        serial=_read(usb / "serial"),
    )


def present(root: Path = ROOT) -> dict[Path, Identity]:
    """Every camera node that the kernel tells of, `/dev/videoN`, and what it is."""
    found = {}
    for entry in sorted((root / _CLASS).glob("video*")):
        identity = identity_of(entry, root)
        if identity is not None:
            found[root / "dev" / entry.name] = identity
    return found


def find(camera: Identity, beside: Collection[Identity] = (), root: Path = ROOT) -> Path | None:
    """Where a camera is now.

    The same product and serial at the same port come first; then those at another port; then
    another of the same product at the port, and then whatever is plugged in there. Where two are
    equal, none is guessed.

    Args:
      camera: That was open.
      beside: Those that were there when it was, and are therefore not it.
      root: Of the file system.

    Returns:
      `/dev/videoN`; None where it is not plugged in.
    """
    part = (camera.interface, camera.index)
    others = {
        node: other
        for node, other in present(root).items()
        if other not in beside and (other.interface, other.index) == part
    }
    for is_it in (_is_same, _is_moved, _is_twin_at_port, _is_at_port):
        nodes = [node for node, other in others.items() if is_it(camera, other)]
        if nodes:
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


def _is_same(camera: Identity, other: Identity) -> bool:
    return camera == other


def _is_moved(camera: Identity, other: Identity) -> bool:
    same = (camera.product, camera.serial) == (other.product, other.serial)
    return same and bool(camera.product)


def _is_twin_at_port(camera: Identity, other: Identity) -> bool:
    return camera.port == other.port and camera.product == other.product


def _is_at_port(camera: Identity, other: Identity) -> bool:
    return camera.port == other.port


def _read(path: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8").strip()
    return ""
