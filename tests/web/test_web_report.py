"""The report in headless Chromium, from a file, at two widths. Run by `make test-web`."""

from pathlib import Path
from typing import Any

import pytest
from fakes.once import built_once
from fakes.reports import build_evaluation

from mtdepth.datasets.label_store import LabelStore
from mtdepth.evaluation.findings import find
from mtdepth.evaluation.page import write_report

pytestmark = pytest.mark.web


@pytest.fixture(scope="module")
def reports(tree: Path, labels: LabelStore) -> list[Path]:
    """The page of one run, and that of two."""

    def build(folder: Path) -> None:
        runs = []
        for name, factor in (("first", 1.4), ("second", 1.2)):
            build_evaluation(folder / name, tree, labels, factor=factor)
            runs.append(find([folder / name]))
        write_report(folder / "one.html", runs[:1])
        write_report(folder / "two.html", runs)

    folder = built_once("web-reports", build)
    return [folder / "one.html", folder / "two.html"]


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("width_px", [390, 1280])
def test_the_report_fits_and_its_slider_wipes(
    browser: Any, reports: list[Path], width_px: int, number: int
) -> None:
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": width_px, "height": 844})
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: complaints.append(request.url[:80]))
    page.goto(reports[number].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    assert page.evaluate("[...document.images].every((each) => each.naturalWidth > 0)")
    for box in page.locator("button").all():
        assert box.bounding_box()["height"] >= 44  # what fingers need

    frame = page.locator(".frame").first
    slider, wipe = frame.locator("input"), frame.locator(".wipe").last
    assert _hidden(wipe)[:2] == [50, 100]
    slider.focus()
    slider.press("ArrowRight")
    assert _hidden(wipe)[:2] == [49, 100]
    frame.locator("button", has_text="error").click()
    assert _hidden(wipe)[:4] == [0, 0, 0, 100]
    assert slider.get_attribute("aria-valuetext") == "error"
    box = wipe.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    page.mouse.up()
    assert _hidden(wipe)[3] == pytest.approx(75, abs=1)
    page.close()
    own = [each for each in complaints if not each.startswith(("file:", "data:"))]
    assert not own


def _hidden(wipe: Any) -> list[float]:
    """How much of each layer but the first is hidden, per cent."""
    clips = wipe.locator("img + img").evaluate_all(
        "(all) => all.map((each) => each.style.clipPath)"
    )
    return [float(clip.split()[1].rstrip("%")) for clip in clips]
