"""The page as a user sees it, driven in headless Chromium. Run by `make test-web`."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes.device import LONG_S, EndlessSource, engine, service

from export.device.service import Service
from export.device.show import snapshot
from export.device.web import WebServer
from export.device.web_handler import Site, state_of

pytestmark = pytest.mark.web

PHONE = {"width": 390, "height": 844}


class Station:
    """A service of fakes with its page."""

    def __init__(self, output: Path, *, timeout_s: float = 5.0, port: int = 0) -> None:
        self.service: Service = service(
            EndlessSource([], is_live=True), engine("L", "S", focal_px=300.0)
        )
        self.service.start()
        self.server = WebServer(
            Site(
                service=self.service,
                state=lambda: state_of(self.service, None),
                save=lambda item: snapshot(output, item),
            ),
            host="127.0.0.1",
            port=port,
            send_timeout_s=timeout_s,
        )

    def close(self) -> None:
        self.service.stop()
        self.service.join()
        self.server.close()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    at_work = Station(tmp_path, timeout_s=0.5)
    yield at_work
    at_work.close()


@contextlib.contextmanager
def opened(browser: Any, station: Station) -> Iterator[Any]:
    """A tab of a phone's size that has shown a picture; whatever it complains of fails the test."""
    complaints: list[str] = []
    page = browser.new_page(viewport=PHONE, accept_downloads=True)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(station.server.address)
    until(lambda: page.evaluate("document.getElementById('view').naturalWidth") > 0)
    until(lambda: page.locator("#numbers div").count() >= 10)
    yield page
    page.close()
    assert complaints == []


def until(holds: Callable[[], bool]) -> None:
    """Waits for something that another process does."""
    deadline = time.monotonic() + LONG_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def seen(page: Any) -> np.ndarray:
    """The picture of the live view, as it is on the screen."""
    content = page.locator("#view").screenshot()
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).astype(int)


def changes(page: Any) -> bool:
    """Whether the live view is another within a second."""
    before = seen(page)
    for _ in range(10):
        after = seen(page)
        if before.shape != after.shape or np.abs(before - after).mean() > 0.5:
            return True
    return False


def number(page: Any, name: str) -> str:
    return (
        page.locator("#numbers div", has=page.locator(f"dt:text-is('{name}')"))
        .locator("dd")
        .inner_text()
    )


def test_the_picture_changes_and_fits_a_phone(browser: Any, station: Station) -> None:
    with opened(browser, station) as page:
        assert changes(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert float(number(page, "frames/s")) > 0
        assert "car at" in page.locator("#nearest").inner_text()
        # Fingers need 44 px.
        for box in page.locator("button").all():
            assert box.bounding_box()["height"] >= 44


def test_each_view_has_its_button(browser: Any, station: Station) -> None:
    with opened(browser, station) as page:
        widths = {}
        for view in ("picture", "depth", "classes", "overlay"):
            page.click(f"button[data-view={view}]")
            pressed = f"button[data-view={view}][aria-pressed=true]"
            until(lambda pressed=pressed: page.locator(pressed).count() == 1)
            until(lambda: page.evaluate("document.getElementById('view').naturalWidth") > 0)
            wanted = {"picture": 320, "depth": 452, "classes": 452, "overlay": 1356}[view]
            until(
                lambda wanted=wanted: (
                    page.evaluate("document.getElementById('view').naturalWidth") == wanted
                )
            )
            widths[view] = seen(page)
            assert changes(page)
        # Green 13 is a car: its colour is blue, the pictures themselves have none.
        assert widths["classes"][..., 0].mean() > widths["picture"][..., 0].mean()


def test_pause_stops_the_picture_and_again_lets_it_go_on(browser: Any, station: Station) -> None:
    with opened(browser, station) as page:
        page.click("#pause")
        until(lambda: page.locator("#pause").inner_text() == "Go on")
        assert station.service.controls.settings.is_paused
        until(lambda: not changes(page))
        page.click("#pause")
        until(lambda: page.locator("#pause").inner_text() == "Pause")
        until(lambda: changes(page))


def test_a_snapshot_is_saved_and_downloaded(browser: Any, station: Station, tmp_path: Path) -> None:
    with opened(browser, station) as page:
        with page.expect_download() as download:
            page.click("#snapshot")
        image = cv2.imread(str(download.value.path()))
        assert image is not None
        assert download.value.suggested_filename.endswith("_overlay.jpg")
        until(lambda: page.locator("#message").inner_text().startswith("saved "))
        assert len(list((tmp_path / "snapshots").glob("*_depth.png"))) == 1


def test_the_palette_changes_the_depth(browser: Any, station: Station) -> None:
    with opened(browser, station) as page:
        page.click("button[data-view=depth]")
        page.select_option("#palette", "gray")
        until(lambda: station.service.controls.settings.look.palette == "gray")

        def is_gray() -> bool:
            image = seen(page)
            return bool(np.abs(image[..., 0] - image[..., 2]).mean() < 2)

        until(is_gray)
        assert page.locator("#palette").input_value() == "gray"


def test_the_size_changes_the_model(browser: Any, station: Station) -> None:
    with opened(browser, station) as page:
        assert number(page, "model, size") == "L int8"
        page.select_option("#size", "S")
        until(lambda: number(page, "model, size") == "S int8")


def test_the_threshold_warns(browser: Any, station: Station) -> None:
    with opened(browser, station) as page:
        page.fill("#threshold", "1000")
        page.locator("#threshold").blur()
        until(lambda: page.locator("#nearest.near").count() == 1)
        page.fill("#threshold", "-3")
        page.locator("#threshold").blur()
        until(lambda: "cannot be set" in page.locator("#message").inner_text())


def test_two_viewers_watch_and_steer_the_same_program(browser: Any, station: Station) -> None:
    with opened(browser, station) as first, opened(browser, station) as second:
        assert changes(first)
        assert changes(second)
        first.select_option("#palette", "viridis")
        until(lambda: second.locator("#palette").input_value() == "viridis")


def test_a_viewer_that_stops_reading_disturbs_nobody(browser: Any, station: Station) -> None:
    with opened(browser, station) as page:
        stuck = socket.create_connection(("127.0.0.1", station.server.port))
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: station.server.num_viewers == 2)
        until(lambda: station.server.num_viewers == 1)  # let go
        assert changes(page)
        stuck.close()


def test_the_page_finds_its_program_again(browser: Any, tmp_path: Path) -> None:
    first = Station(tmp_path)
    with opened(browser, first) as page:
        port = first.server.port
        first.close()
        until(lambda: "does not answer" in page.locator("#message").inner_text())
        assert page.locator("#message.bad").count() == 1
        assert page.locator("#view.old").count() == 1
        second = Station(tmp_path, port=port)
        until(lambda: page.locator("#message").inner_text() == "")
        until(lambda: changes(page))
        second.close()


def test_what_the_page_asks_for_is_what_the_program_knows(browser: Any, station: Station) -> None:
    """Every request of a visit is answered, and none goes elsewhere."""
    asked: list[tuple[str, int]] = []
    page = browser.new_page(viewport=PHONE)
    page.on("response", lambda answer: asked.append((answer.url, answer.status)))
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(station.server.address)
    # Playwright hears of answers only while it is asked something.
    until(lambda: bool(page.title()) and sum("/state.json" in url for url, _ in asked) >= 2)
    assert {status for _, status in asked} <= {200, 204}
    assert said == []
    assert all(url.startswith(station.server.address) for url, _ in asked)
    page.close()
