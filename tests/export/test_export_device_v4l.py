"""A USB camera that comes back under another number: on made-up trees of the kernel's files."""

from pathlib import Path

import pytest

from export.device import v4l
from export.device.live import LiveSource, Request
from export.device.sources import Picture
from export.device.v4l import Identity, V4l2Camera, find, identity_of, names_of, present


class Tree:
    """`/sys` and `/dev` of a machine with USB cameras."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sys/class/video4linux").mkdir(parents=True)
        (root / "dev").mkdir()

    def plug(
        self,
        port: str,
        *numbers: int,
        product: tuple[str, str] = ("046d", "0825"),
        serial: str | None = None,
        part: str = "1.0",
    ) -> None:
        """A device at a port, whose part has one node of each number."""
        usb = self.root / f"sys/devices/pci0/usb1/{port}"
        place = usb / f"{port}:{part}"
        for index, number in enumerate(numbers):
            node = place / f"video4linux/video{number}"
            node.mkdir(parents=True)
            (node / "device").symlink_to("../..")
            (node / "index").write_text(f"{index}\n")
            (node / "name").write_text("UVC Camera\n")
            (self.root / f"sys/class/video4linux/video{number}").symlink_to(node)
            (self.root / f"dev/video{number}").touch()
        (usb / "idVendor").write_text(f"{product[0]}\n")
        (usb / "idProduct").write_text(f"{product[1]}\n")
        if serial is not None:
            (usb / "serial").write_text(f"{serial}\n")

    def unplug(self, *numbers: int) -> None:
        for number in numbers:
            link = self.root / f"sys/class/video4linux/video{number}"
            place = link.resolve().parent.parent
            for path in sorted(place.parent.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            link.unlink()
            (self.root / f"dev/video{number}").unlink()

    def node(self, number: int) -> Path:
        return self.root / f"dev/video{number}"

    def identity(self, number: int) -> Identity:
        found = identity_of(self.node(number), self.root)
        assert found is not None
        return found


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_camera_is_told_by_port_part_and_product(tree: Tree) -> None:
    tree.plug("1-1.4", 0, 1, serial="A1")
    assert tree.identity(0) == Identity(
        port="1-1.4", interface="1.0", index="0", product=("046d", "0825"), serial="A1"
    )
    assert tree.identity(1).index == "1"
    assert list(present(tree.root)) == [tree.node(0), tree.node(1)]
    assert identity_of(tree.node(7), tree.root) is None
    assert identity_of(Path("/dev/null"), tree.root) is None


def test_it_is_found_under_its_new_number_and_not_at_the_node_of_its_words(tree: Tree) -> None:
    tree.plug("1-1.4", 0, 1, serial="A1")
    camera = tree.identity(0)
    tree.unplug(0)
    assert find(camera, root=tree.root) is None
    tree.plug("1-1.4", 4, 5, serial="A1")
    assert find(camera, root=tree.root) == tree.node(4)


def test_a_serial_is_followed_to_another_port(tree: Tree) -> None:
    tree.plug("1-1.4", 0, serial="A1")
    camera = tree.identity(0)
    tree.unplug(0)
    tree.plug("1-1.4", 0, serial="B2")
    tree.plug("1-1.3", 2, serial="A1")
    assert find(camera, root=tree.root) == tree.node(2)


def test_a_twin_that_was_there_all_the_time_is_not_taken_for_it(tree: Tree) -> None:
    tree.plug("1-1.4", 0)
    tree.plug("1-1.3", 2)
    camera, beside = tree.identity(0), [tree.identity(2)]
    tree.unplug(0)
    assert find(camera, beside, tree.root) is None
    # Without what was beside it, it would be.
    assert find(camera, (), tree.root) == tree.node(2)
    tree.plug("1-1.2", 5)
    assert find(camera, beside, tree.root) == tree.node(5)


def test_what_cannot_be_told_apart_is_not_guessed(tree: Tree) -> None:
    tree.plug("1-1.4", 0, serial="0001")
    camera = tree.identity(0)
    tree.unplug(0)
    tree.plug("1-1.3", 2, serial="0001")
    tree.plug("1-1.2", 3, serial="0001")
    assert find(camera, root=tree.root) is None


def test_a_replacement_at_the_same_port_is_taken(tree: Tree) -> None:
    tree.plug("1-1.4", 0, serial="A1")
    camera = tree.identity(0)
    tree.unplug(0)
    tree.plug("1-1.4", 3, product=("1bcf", "2c99"))
    tree.plug("1-1.3", 0, product=("1bcf", "2c99"))
    assert find(camera, root=tree.root) == tree.node(3)


def test_the_parts_of_one_camera_are_told_apart(tree: Tree) -> None:
    tree.plug("2-2", 0, 1, serial="D435", part="1.0")
    tree.plug("2-2", 2, 3, serial="D435", part="1.3")
    assert find(tree.identity(2), root=tree.root) == tree.node(2)


def test_a_camera_that_is_on_no_usb_is_told_by_its_device(tree: Tree) -> None:
    node = tree.root / "sys/devices/platform/fe801000.csi/video4linux/video0"
    node.mkdir(parents=True)
    (node / "device").symlink_to("../..")
    (tree.root / "sys/class/video4linux/video0").symlink_to(node)
    assert tree.identity(0) == Identity(
        port="fe801000.csi", interface="", index="", product=(), serial=""
    )


def test_names_that_follow_a_camera_are_told_beside_its_number(tree: Tree) -> None:
    tree.plug("1-1.4", 0, 10)
    for kind, name in (("by-path", "pci-usb-0:1.4"), ("by-id", "usb-046d_0825")):
        (tree.root / "dev/v4l" / kind).mkdir(parents=True)
        (tree.root / "dev/v4l" / kind / name).symlink_to("../../video0")
    assert names_of(tree.root) == ["/dev/video0 = /dev/v4l/by-id/usb-046d_0825", "/dev/video10"]


# Opening


class FakeCapture:
    """Gives one picture, then none."""

    fps = 30.0

    def __init__(self) -> None:
        self.num_left = 1

    def read(self) -> object:
        self.num_left -= 1
        return object() if self.num_left >= 0 else None

    def release(self) -> None:
        pass


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which nodes were opened."""
    nodes: list[str] = []

    def open_capture(text: str, node: str, api: int, request: Request) -> FakeCapture:
        del text, api, request
        nodes.append(node)
        return FakeCapture()

    monkeypatch.setattr(v4l, "_open_capture", open_capture)
    return nodes


@pytest.mark.parametrize("text", ["0", "/dev/video0"])
def test_a_lost_camera_is_opened_under_its_new_number(
    tree: Tree, opened: list[str], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    tree.plug("1-1.4", 0, 1, serial="A1")
    camera = V4l2Camera(text, Request(), root=tree.root)

    def replug(_: float) -> bool:
        if len(opened) == 1:
            tree.unplug(0)
            # Somebody else's is plugged in meanwhile, and gets the number.
            tree.plug("1-1.1", 0, serial="other")
            tree.plug("1-1.4", 2, 3, serial="A1")
        return len(opened) > 2

    source = LiveSource("c", camera.open, wait=replug)
    assert [type(item) for item in source.frames()][:3] == [Picture] * 3
    assert opened == [str(tree.node(number)) for number in (0, 2, 2)]
    assert caplog.text.count(f"camera {text} is {tree.node(2)} now") == 1


def test_a_camera_that_is_away_is_not_replaced_by_another(tree: Tree, opened: list[str]) -> None:
    tree.plug("1-1.4", 0, serial="A1")
    camera = V4l2Camera("0", Request(), root=tree.root)
    camera.open()
    tree.unplug(0)
    tree.plug("1-1.1", 0, serial="other")
    with pytest.raises(OSError, match="camera 0 cannot be opened: there is no such device"):
        camera.open()
    assert opened == [str(tree.node(0))]


def test_a_name_of_the_systems_own_is_looked_up_each_time(tree: Tree, opened: list[str]) -> None:
    folder = tree.root / "dev/v4l/by-id"
    folder.mkdir(parents=True)
    tree.plug("1-1.4", 0, serial="A1")
    (folder / "usb-a").symlink_to("../../video0")
    camera = V4l2Camera("/dev/v4l/by-id/usb-a", Request(), root=tree.root)
    camera.open()
    (folder / "usb-a").unlink()
    with pytest.raises(OSError, match="by-id/usb-a cannot be opened: there is no such device"):
        camera.open()
    tree.plug("1-1.3", 6, serial="A1")
    (folder / "usb-a").symlink_to("../../video6")
    camera.open()
    assert opened == [str(tree.node(0)), str(tree.node(6))]


def test_a_machine_that_does_not_say_which_camera_is_which_opens_it_by_name(
    tree: Tree, opened: list[str]
) -> None:
    tree.node(0).touch()
    camera = V4l2Camera("0", Request(), root=tree.root)
    camera.open()
    camera.open()
    assert opened == [str(tree.node(0))] * 2


def test_a_user_who_may_not_use_the_camera_is_told_how_he_may(
    tree: Tree, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.plug("1-1.4", 0)
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(PermissionError, match=r"camera 0 may not be used .* usermod -aG video"):
        V4l2Camera("0", Request(), root=tree.root).open()
    assert opened == []
