"""The report: one file that has everything in it, of one run and of two."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fakes.once import built_once
from fakes.programs import run_program
from fakes.reports import ODD_TITLE, build_evaluation

from mtdepth.datasets.label_store import LabelStore
from mtdepth.evaluation import markup
from mtdepth.evaluation.findings import find
from mtdepth.evaluation.page import write_report
from mtdepth.evaluation.predictors import EXPLANATION
from mtdepth.files import DataError, UserError
from mtdepth.metrics.published import PUBLISHED
from mtdepth.reporting import training_figure


class Page(HTMLParser):
    """What a browser reads: elements with their attributes, texts, and rows of cells."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self._is_in_cell = False
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._is_in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._is_in_cell &= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._is_in_cell:
            self.rows[-1][-1] += data.replace("\xa0", " ")

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def row(self, title: str) -> list[str]:
        return next(row for row in self.rows if row[0] == title)


@pytest.fixture
def first(tree: Path, labels: LabelStore) -> Path:
    return built_once(
        "report-first", lambda folder: build_evaluation(folder, tree, labels, factor=1.4)
    )


@pytest.fixture
def second(tree: Path, labels: LabelStore) -> Path:
    return built_once(
        "report-second", lambda folder: build_evaluation(folder, tree, labels, factor=1.2)
    )


def page_of(tmp_path: Path, *runs: Path | list[Path], **options: Any) -> Page:
    path = tmp_path / "report.html"
    found = [find(run if isinstance(run, list) else [run]) for run in runs]
    write_report(path, found, **options)
    return Page(path)


def changed(folder: Path, copy: Path, **fields: Any) -> tuple[Path, dict[str, Any]]:
    """A copy of an evaluation whose results may be edited and are written by `rewrite`."""
    shutil.copytree(folder, copy)
    results = json.loads((copy / "results.json").read_text()) | fields
    rewrite(copy, results)
    return copy, results


def rewrite(folder: Path, results: dict[str, Any]) -> None:
    (folder / "results.json").write_text(json.dumps(results))


def test_a_page_needs_no_other_file_and_takes_names_as_they_are(
    first: Path, tmp_path: Path
) -> None:
    page = page_of(tmp_path, first)
    content = (tmp_path / "report.html").read_text()
    assert not re.findall(r"https?:|@import|url\(", re.sub(r"data:[^\"]*", "", content))
    links = [
        attributes[name]
        for _, attributes in page.elements
        for name in ("src", "href", "poster", "srcset")
        if name in attributes
    ]
    assert links
    assert all(link.startswith("data:") for link in links)
    assert all(picture["alt"] for picture in page.all("img"))
    assert ODD_TITLE in page.text
    assert len(page.all("script")) == 1
    assert content.rstrip().endswith("</html>")


def test_a_page_says_what_was_found_and_what_its_words_mean(first: Path, tmp_path: Path) -> None:
    results = json.loads((first / "results.json").read_text())
    page = page_of(tmp_path, first)
    assert results["verdict"][0] in page.text
    assert EXPLANATION in page.text
    for term in ("Abs Rel", "δ < 1.25", "mIoU", "coverage"):
        assert term in page.text
    rows = results["depth"]["labels_80m"]["rows"]
    assert page.row(ODD_TITLE)[1] == f"{rows['model']['per_image_mean']['abs_rel']:.3f}"
    assert page.row(rows["baseline"]["title"])[1] != page.row(ODD_TITLE)[1]
    for kind in ("0 to 10 m", "road", "90 to 100 %"):
        assert float(page.row(kind)[2]) > 0
    assert results["depth"]["labels_80m"]["protocol"]["description"] in page.text
    assert "point an epoch" in page.text


def test_frames_go_from_worst_to_best_each_with_a_slider_through_its_layers(
    first: Path, tmp_path: Path
) -> None:
    page = page_of(tmp_path, first)
    sliders = page.all("input")
    frames = [each["aria-label"].removeprefix("Layer of ") for each in sliders]
    results = json.loads((first / "results.json").read_text())
    errors = {
        each["frame"]: each["abs_rel"]
        for each in results["depth"]["labels_80m"]["rows"]["model"]["per_image"]
    }
    assert frames == sorted(frames, key=lambda frame: -errors[frame])
    # Of four frames three at most: the worst, the best and one between them.
    assert {max(errors, key=errors.__getitem__), min(errors, key=errors.__getitem__)} <= set(frames)
    assert 2 <= len(frames) <= 3
    layers = [each["alt"] for each in page.all("img") if "webp" in each["src"]]
    names = ("image", "prediction", "label depth", "error", "predicted classes")
    wanted = [f"{name} of {frames[0]}" for name in (*names, "teacher's classes")]
    assert layers[:6] == wanted
    assert all(each["max"] == "500" for each in sliders)


def test_the_papers_row_stands_beside_scores_of_its_own_frames_alone(
    first: Path, tmp_path: Path
) -> None:
    paper = PUBLISHED["eigen_garg_80m"]
    other = page_of(tmp_path, first)
    assert not [row for row in other.rows if row[0] == paper.title]
    assert "cannot be compared" in other.text
    copy, _ = changed(first, tmp_path / "copy", split="eigen_test")
    same = page_of(tmp_path, copy)
    assert same.row(paper.title)[1:4] == ["0.106", "0.502", "3.871"]
    assert paper.note in same.text


def test_two_runs_stand_beside_one_another_with_their_differences(
    first: Path, second: Path, tmp_path: Path
) -> None:
    page = page_of(tmp_path, first, second)
    one, two = (
        json.loads((folder / "results.json").read_text())["depth"]["labels_80m"]["rows"]["model"]
        for folder in (first, second)
    )
    change = two["per_image_mean"]["abs_rel"] - one["per_image_mean"]["abs_rel"]
    assert change < 0
    assert page.row("second run - first run")[1] == f"{change:+.3f}"
    assert page.row(f"{first}: {ODD_TITLE}")
    assert page.row(f"{second}: {ODD_TITLE}")
    share = -100 * change / one["per_image_mean"]["abs_rel"]
    assert f"{second} makes {share:.0f} % less error than {first}" in page.text
    near = [each["by_distance"][0]["mean_abs_rel"] for each in (one, two)]
    assert page.row("0 to 10 m")[-1] == f"{near[1] - near[0]:+.3f}"
    # Each frame twice, with one slider.
    pictures = [each["alt"] for each in page.all("img") if each["alt"].startswith("image of")]
    assert len(pictures) == 2 * len(page.all("input"))
    assert pictures[0].replace(str(first), "") == pictures[1].replace(str(second), "")


def test_runs_without_a_common_protocol_are_not_compared(first: Path, tmp_path: Path) -> None:
    copy, results = changed(first, tmp_path / "copy")
    results["depth"] = {"camera_z_80m": results["depth"]["labels_80m"]}
    rewrite(copy, results)
    with pytest.raises(UserError, match="no common protocol"):
        page_of(tmp_path, first, copy)


def test_what_int8_costs_is_told_against_the_float32_file_it_came_from(
    first: Path, tmp_path: Path
) -> None:
    copy, results = changed(first, tmp_path / "copy")
    alike = {"network": "student", "decoder": "L", "recipe": "demo", "path": "x"}
    results["model"] = {**alike, "kind": "keras", "precision": "float32"}
    results["compared_with"] = [
        {**alike, "kind": "tflite", "precision": "int8"},
        {**alike, "kind": "tflite", "precision": "float32"},
        {**alike, "kind": "tflite", "precision": "float32", "recipe": "other"},
    ]
    rows = results["depth"]["labels_80m"]["rows"]
    kinds = {"model": "keras", "model_2": "int8", "model_3": "float32", "model_4": "other"}
    for number, (name, title) in enumerate(kinds.items()):
        rows[name] = json.loads(json.dumps(rows["model"])) | {
            "title": title,
            "cost": {"num_bytes": [9000, 1000, 4000, 5000][number], "network_ms": 1.5},
        }
        rows[name]["per_image_mean"]["abs_rel"] = [0.2, 0.213, 0.21, 0.3][number]
    rewrite(copy, results)
    page = page_of(tmp_path, copy)
    costs = {row[0]: row for row in page.rows if len(row) == 9 and row[1].endswith("000")}
    assert costs["int8"][1:4] == ["1,000", "1.5", "0.2130"]
    assert costs["int8"][6:8] == ["0.25 times", "+0.0030"]
    assert costs["float32"][6:] == ["", "", ""]


def test_a_benchmarks_times_stand_in_the_report(first: Path, tmp_path: Path) -> None:
    record = {
        "machine": {"board": "Raspberry Pi 4"},
        "num_threads": 2,
        "models": [
            {"name": "a", "inference": {"median_ms": 12.3, "p90_ms": 15}, "size_bytes": 9000}
        ],
    }
    path = tmp_path / "pi.json"
    path.write_text(json.dumps(record))
    page = page_of(tmp_path, [first, path])
    assert page.row("a") == ["a", "Raspberry Pi 4", "2", "12.30", "15.00", "-", "9,000"]


def test_what_is_attached_is_in_the_page_unless_it_is_too_heavy(
    first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, notes = tmp_path / "a_drive.mp4", tmp_path / "notes.txt"
    film.write_bytes(b"0" * 100)
    notes.write_text("n")
    page = page_of(tmp_path, first, attach=[film, notes])
    (video,) = page.all("video")
    assert video["src"].startswith("data:video/mp4;base64,")
    assert [each["download"] for each in page.all("a")] == ["notes.txt"]
    monkeypatch.setattr(markup, "MAX_ATTACHED_BYTES", 99)
    page = page_of(tmp_path, first, attach=[film])
    assert not page.all("video")
    assert str(film) in page.text


@pytest.mark.parametrize("content", ['{"depth": {}}', '{"depth": {}, "model": 3}'])
def test_results_that_are_none_are_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(DataError, match=r"results\.json: no results"):
        find([tmp_path])


def test_results_of_another_version_are_named(first: Path, tmp_path: Path) -> None:
    copy, results = changed(first, tmp_path / "copy")
    del results["depth"]["labels_80m"]["rows"]["model"]["by_row"]
    rewrite(copy, results)
    with pytest.raises(DataError, match=r"copy/results\.json: no results of this version"):
        page_of(tmp_path, copy)


def test_the_newest_results_of_a_workdir_are_taken(first: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "results").mkdir(parents=True)
    shutil.copy(first / "results.json", run / "results" / "val.json")
    found = find([run])
    assert found.results_path.name == "val.json"
    assert not found.history
    page = page_of(tmp_path, run)
    assert "--pictures FOLDER" in page.text
    assert f"mtdepth.report {run} WORKDIR" in page.text


def test_curves_have_gaps_where_a_score_is_none() -> None:
    history = [{"step": 1, "epoch": 1, "val_a": 1.0}, {"step": 2, "epoch": 2, "train_loss": 2.0}]
    figure = training_figure({"x": history})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["train loss", "held out: a"]
    (line,) = figure.axes[1].get_lines()
    assert str(line.get_ydata()[1]) == "nan"


def test_the_program_makes_a_page_or_says_what_is_missing(
    first: Path, second: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = run_program("mtdepth.report", "--compare", first, second, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "Two runs" in (tmp_path / "report.html").read_text()
    (tmp_path / "empty").mkdir()
    for place, said in (
        ("nowhere", "nowhere: there is no such file or folder"),
        ("empty", "empty: no results.json"),
        ("empty", "`python -m mtdepth.evaluate --model MODEL --pictures FOLDER` makes it"),
    ):
        done = run_program("mtdepth.report", place, cwd=tmp_path)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert said in done.stderr or said in caplog.text
    assert run_program("mtdepth.report", cwd=tmp_path).returncode == 2
