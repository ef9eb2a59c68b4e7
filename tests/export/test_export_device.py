"""The device program: its stages one by one, then as a user runs it, without TensorFlow."""

import contextlib
import fcntl
import json
import mmap
import re
import signal
import subprocess
import sys
import termios
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import cv2
import numpy as np
import pytest
from fakes import device as fakes
from fakes.artefact import CAMERA, CODEC, random_file
from fakes.four_sizes import random_sizes_file
from fakes.programs import run_program

from export.device.engine import Engine, FrameTimes, summary
from export.device.models import open_models
from export.device.program import parse, run
from export.device.sources import (
    Picture,
    PictureFiles,
    Repeated,
    Unreadable,
    VideoFile,
    open_files,
)
from export.device.video import VideoWriter
from mtdepth.contract import contract_path
from mtdepth.datasets.label_map import PALETTE
from mtdepth.datasets.label_store import read_depth_png
from mtdepth.files import DataError, UserError
from mtdepth.pictures import write_png
from mtdepth.runtime.colors import PALETTES, depth_colors
from mtdepth.runtime.overlay import (
    STRIP_WIDTH_PX,
    Scale,
    draw_depth,
    draw_overlay,
    paint_classes,
    scale_marks_m,
    scale_of,
)
from mtdepth.runtime.pipeline import Pipeline, Prediction
from mtdepth.runtime.seen import Look
from mtdepth.runtime.tflite import TfliteBackend

ROOT = Path(__file__).parents[2]
SCALE = Scale(near_m=4, far_m=80)


@pytest.fixture(scope="module")
def model() -> Path:
    return random_file("int8")


def picture(height: int = 128, width: int = 192, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, a file that is none of our business, and what a killed writer left."""
    root = tmp_path / "pictures"
    for number in range(3):
        write_png(root / f"{number}.png", picture(seed=number))
    (root / "notes.txt").write_text("x")
    (root / ".0-x1.png").write_bytes(b"half")
    return root


def options(model: Path, source: Path | str, output: Path, *more: str) -> list[str]:
    return ["--model", str(model), "--source", str(source), "--output", str(output), *more]


def video(path: Path, *, num_frames: int = 5) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (96, 64))
    for number in range(num_frames):
        writer.write(np.full((64, 96, 3), (200, 10, 40 * number), np.uint8))
    writer.release()
    return path


# Sources


def test_a_folder_gives_its_pictures_in_order(folder: Path) -> None:
    found = list(open_files(str(folder)).frames())
    assert [item.name for item in found] == ["0", "1", "2"]
    assert isinstance(found[1], Picture)
    np.testing.assert_array_equal(found[1].image_rgb, picture(seed=1))


def test_pictures_of_one_stem_keep_names_of_their_own(folder: Path) -> None:
    cv2.imwrite(str(folder / "1.jpg"), picture())
    names = [item.name for item in open_files(str(folder)).frames()]
    assert sorted(names) == ["0", "1.jpg", "1.png", "2"]


def test_one_picture_is_a_source(folder: Path) -> None:
    source = open_files(str(folder / "2.png"))
    assert isinstance(source, PictureFiles)
    assert [item.name for item in source.frames()] == ["2"]


def test_a_cut_picture_is_reported_and_the_rest_go_on(folder: Path) -> None:
    content = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(content[: len(content) // 2])
    kinds = [type(item) for item in open_files(str(folder)).frames()]
    assert kinds == [Picture, Unreadable, Picture]


def test_a_video_gives_its_frames_as_rgb(tmp_path: Path) -> None:
    source = open_files(str(video(tmp_path / "drive.avi")))
    assert isinstance(source, VideoFile)
    assert source.fps == pytest.approx(10.0)
    found = [item for item in source.frames() if isinstance(item, Picture)]
    assert len(found) == 5
    # blue 200, green 10, red 120; JPEG keeps a flat colour to a few levels
    np.testing.assert_allclose(found[3].image_rgb[32, 48], [120, 10, 200], atol=6)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("absent", FileNotFoundError, "no such source; give a folder"),
        ("empty", ValueError, "holds no picture"),
        ("film.mp4", DataError, "no film that OpenCV can open"),
        ("97", FileNotFoundError, "a camera's number"),
    ],
)
def test_a_source_that_is_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: type, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "film.mp4").write_bytes(b"no film")
    with pytest.raises(kind, match=message):
        open_files(name)


class FakeFilm:
    """Tells a rate, and has frames at these times."""

    def __init__(self, told: float, times_ms: Sequence[float]) -> None:
        self.told, self.times_ms, self.number = told, times_ms, -1

    def get(self, what: int) -> float:
        told = {cv2.CAP_PROP_FPS: self.told, cv2.CAP_PROP_FRAME_COUNT: len(self.times_ms)}
        return told[what] if what in told else self.times_ms[self.number]

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def grab(self) -> bool:
        self.number += 1
        return self.number < len(self.times_ms)

    def read(self) -> tuple[bool, Any]:
        return self.grab(), np.zeros((4, 6, 3), np.uint8)

    def release(self) -> None:
        pass


@pytest.mark.parametrize("later_ms", [40.0, 80.0])
def test_a_film_whose_rate_changes_after_its_beginning_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    later_ms: float,
) -> None:
    times_ms = np.cumsum([0.0] + 99 * [40.0] + 100 * [later_ms])
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: FakeFilm(25.0, times_ms))
    (tmp_path / "film.webm").touch()
    source = open_files(str(tmp_path / "film.webm"))
    assert source.fps == 25.0
    assert len(list(source.frames())) == len(list(source.frames())) == 200
    # 199 steps in 99 * 40 + 100 * 80 ms are 16.6 a second; said once.
    assert caplog.text.count("--video 16.6") == int(later_ms > 40)


def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    video(Path("drive.avi")).rename("2024-05-01T10:30:00.avi")
    assert len(list(open_files("2024-05-01T10:30:00.avi").frames())) == 5
    Path("10:30").mkdir()
    writer = VideoWriter(Path("10:30"), fps=10)
    writer.write(fakes.result(fakes.picture(size=(64, 96))))
    writer.close()
    assert [path.name for path in Path("10:30").iterdir()] == ["overlay.mp4"]


def test_what_an_earlier_run_made_is_no_picture(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where pictures and results share a folder, and where results alone are in one."""
    for name in ("1_overlay.png", "1_depth.png", "1_relative_depth.png", "1_classes.png"):
        cv2.imwrite(str(folder / name), picture())
    cv2.imwrite(str(folder / "left_depth.png"), picture())  # somebody's own name
    assert [item.name for item in open_files(str(folder)).frames()] == ["0", "1", "2", "left_depth"]
    assert "4 results of an earlier run are left out" in caplog.text
    (folder / "latency.json").write_text("{}")
    assert [item.name for item in open_files(str(folder)).frames()] == ["0", "1", "2"]
    for name in ("0", "1", "2"):
        (folder / f"{name}.png").unlink()
    with pytest.raises(UserError, match="holds only results of an earlier run"):
        open_files(str(folder))


def test_upper_case_suffixes_are_pictures_too(folder: Path) -> None:
    (folder / "1.png").rename(folder / "1.PNG")
    assert [item.name for item in open_files(str(folder)).frames()] == ["0", "1", "2"]
    assert isinstance(open_files(str(folder / "1.PNG")), PictureFiles)


def test_files_are_repeated_but_not_without_end_where_there_is_nothing(
    folder: Path, tmp_path: Path
) -> None:
    frames = Repeated(open_files(str(folder))).frames()
    names = [next(frames).name for _ in range(7)]
    assert names == ["0", "1", "2", "0", "1", "2", "0"]
    (tmp_path / "bad.png").write_bytes(b"no picture")
    bad = Repeated(open_files(str(tmp_path / "bad.png")))
    assert [type(item) for item in bad.frames()] == [Unreadable]


# Overlay


def test_the_panels_of_a_picture_stand_side_by_side() -> None:
    image = picture(300, 400)
    depth_m = np.geomspace(3, 50, 300 * 400).reshape(300, 400).astype(np.float32)
    ids = np.full((300, 400), 13, np.uint8)
    ids[:50] = 255
    overlay = draw_overlay(image, Prediction(depth_m, ids), scale=SCALE, alpha=1.0)
    panel_px = 400 + STRIP_WIDTH_PX
    assert overlay.shape == (300, 3 * panel_px, 3)
    np.testing.assert_array_equal(overlay[:, :400], image)
    colors = depth_colors(depth_m, near_m=4, far_m=80)
    np.testing.assert_array_equal(overlay[:, panel_px : panel_px + 400], colors)
    painted = overlay[:, 2 * panel_px : 2 * panel_px + 400]
    np.testing.assert_array_equal(painted[:50], image[:50])  # ignored pixels stay
    assert (painted[50:] == PALETTE[13]).all()


def test_the_panels_of_a_wide_picture_stand_below_each_other() -> None:
    image = picture(300, 900)
    prediction = Prediction(np.full((300, 900), 9.0, np.float32), None)
    overlay = draw_overlay(image, prediction, scale=SCALE, alpha=0.5)
    assert overlay.shape == (600, 900 + STRIP_WIDTH_PX, 3)
    np.testing.assert_array_equal(overlay[:300, :900], image)


def test_small_pictures_are_enlarged_by_whole_pixels() -> None:
    image = picture(64, 96)
    prediction = Prediction(np.full((64, 96), 9.0, np.float32), None)
    overlay = draw_overlay(image, prediction, scale=SCALE, alpha=0.5)
    assert overlay.shape[0] == 256  # 4 * 64 >= 240
    np.testing.assert_array_equal(overlay[:256:4, : 4 * 96 : 4], image)


def test_the_colour_bar_is_painted_by_the_law_of_the_pixels() -> None:
    image = picture(300, 400)
    prediction = Prediction(np.full((300, 400), 9.0, np.float32), None)
    overlay = draw_overlay(image, prediction, scale=SCALE, alpha=0.5)
    bar = overlay[8:-8, 400 + STRIP_WIDTH_PX + 400 + 12].astype(int)
    far, near = depth_colors(np.array([[80.0, 4.0]]), near_m=4, far_m=80)[0].astype(int)
    np.testing.assert_allclose(bar[0], far, atol=3)  # far above
    np.testing.assert_allclose(bar[-1], near, atol=3)


def test_the_scale_names_its_ends_and_round_depths_between() -> None:
    assert scale_marks_m(4, 80) == [4, 5, 10, 20, 50, 80]
    # 2 m is a limit already; 50 m would touch 60 m
    assert scale_marks_m(2, 60) == [2, 5, 10, 20, 60]
    assert scale_marks_m(0.3, 7) == [0.3, 0.5, 1, 2, 5, 7]


def test_class_colours_are_blended() -> None:
    image = np.full((2, 2, 3), 100, np.uint8)
    ids = np.full((2, 2), 0, np.uint8)  # road: 128, 64, 128
    np.testing.assert_array_equal(
        paint_classes(image, ids, alpha=0.25)[0, 0],
        [107, 91, 107],  # 75 + 32, 75 + 16, 75 + 32
    )
    with pytest.raises(ValueError, match=r"alpha must be in 0\.\.1, got 2"):
        paint_classes(image, ids, alpha=2)


def test_depth_without_a_unit_has_no_metres_on_its_scale() -> None:
    depth_m = np.geomspace(1, 50, 300 * 400).reshape(300, 400).astype(np.float32)
    relative = scale_of(depth_m, valid_m=(0.1, 100), is_metric=False)
    # Its ends are the picture's own: 2 and 98 % of the way in the logarithm, on every fourth row.
    assert relative.near_m == pytest.approx(50**0.02, rel=0.06)
    assert relative.far_m == pytest.approx(50**0.98, rel=0.06)
    metric = replace(relative, is_metric=True)
    drawn, metres = draw_depth(depth_m, scale=relative), draw_depth(depth_m, scale=metric)
    np.testing.assert_array_equal(drawn[:, :400], metres[:, :400])
    assert (drawn[:, 400:] != metres[:, 400:]).any()
    assert scale_of(depth_m, valid_m=(0.1, 100), is_metric=True).far_m == 100
    assert scale_of(0 * depth_m, valid_m=(0.1, 100), is_metric=False).near_m == 0.1


@pytest.mark.parametrize("palette", PALETTES)
def test_a_palette_goes_by_ratios_and_leaves_the_unmeasured_black(palette: str) -> None:
    depth_m = np.array([[0.0, 4.0, 8.0, 16.0, 64.0, 1.0, 500.0]])
    colors = depth_colors(depth_m, near_m=4, far_m=64, palette=palette)[0].astype(int)
    assert colors[0].tolist() == [0, 0, 0]
    assert colors[5].tolist() == colors[1].tolist()
    assert colors[6].tolist() == colors[4].tolist()
    assert len({tuple(color) for color in colors[1:5]}) == 4
    if palette == "gray":
        # 24 + 231 * (1 - log16(depth / 4)), rounded: the darkest is not the black of 0.
        assert colors[1:5, 0].tolist() == [255, 197, 140, 24]


def test_a_palette_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="palette must be one of magma"):
        depth_colors(np.ones((2, 2)), near_m=4, far_m=64, palette="rainbow")
    with pytest.raises(ValueError, match="0 < near_m < far_m"):
        depth_colors(np.ones((2, 2)), near_m=4, far_m=4, palette="gray")


# Latency and video


def test_latency_is_the_median_and_the_ninetieth_percentile() -> None:
    assert summary([]) == {}
    found = summary(
        FrameTimes(preprocess_ms=value, inference_ms=value, postprocess_ms=value)
        for value in map(float, range(11))
    )
    assert found["inference_ms"] == {"median": 5.0, "p90": 9.0}
    assert found["total_ms"] == {"median": 15.0, "p90": 27.0}


def test_a_video_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path, fps=10)
    item = fakes.result(fakes.picture(size=(64, 96)))
    for _ in range(3):
        writer.write(item)
    assert not list(tmp_path.glob("overlay.*"))
    height_px = item.overlay.shape[0]
    with pytest.raises(ValueError, match=rf"pictures are \({height_px}, \d+\), got"):
        writer.write(fakes.result(fakes.picture(size=(64, 100))))
    writer.close()
    writer.close()
    (path,) = tmp_path.iterdir()
    assert path.stem == "overlay"
    capture = cv2.VideoCapture(str(path))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 3


def test_a_video_that_an_error_ended_is_removed(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path, fps=10)
    writer.write(fakes.result())
    writer.close(is_kept=False)
    assert list(tmp_path.iterdir()) == []


def test_another_codec_is_taken_where_the_first_is_missing(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path, fps=10, kinds=((".mp4", "zzzz"), (".avi", "MJPG")))
    writer.write(fakes.result())
    writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.avi"]


# Models


def test_a_folder_gives_the_sizes_of_its_files(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = open_models(model, num_threads=1)
    assert models.sizes == ("XS",)
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match=r"none: holds no \.tflite file"):
        open_models(tmp_path / "none", num_threads=1)
    for name in ("small", "large", "twin"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.tflite").write_bytes(b"")
    sizes = {"small": "S", "large": "L", "twin": "S"}

    def opened(path: Path, *, num_threads: int) -> dict[str, fakes.FakeBackend]:
        assert num_threads == 3
        size = sizes[path.parent.name]
        return {size: fakes.FakeBackend(fakes.contract(size), path=path)}

    monkeypatch.setattr("export.device.models.open_sizes", opened)
    with pytest.raises(DataError, match=r"twin.* is of size S, as .*small"):
        open_models(tmp_path, num_threads=3)
    (tmp_path / "twin" / "model.tflite").unlink()
    assert open_models(tmp_path, num_threads=3).sizes == ("L", "S")


def test_one_file_of_two_sizes_is_switched_while_it_runs() -> None:
    at_work = Engine(open_models(random_sizes_file(), num_threads=1), num_threads=1)
    item = Picture("a", picture(64, 96))
    found = {}
    for size in ("S", "XS", "S"):
        at_work.models.select(size)
        result = at_work.predict(item, Look())
        assert result.caption[0] == f"{size} float32"
        found.setdefault(size, []).append(result.prediction.depth_m)
    np.testing.assert_array_equal(*found["S"])
    assert (found["XS"][0] != found["S"][0]).any()
    report = at_work.report(wall_s=1.0, num_failures=0, num_dropped=0)
    assert set(report["by_size"]) == {"S", "XS"}


# The program


def test_a_folder_becomes_overlays_depth_and_latency(
    model: Path, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run(parse(options(model, folder, out, "--focal_px", "140", "--num_threads", "1"))) == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == sorted(
        ["latency.json"] + [f"{n}_{kind}.png" for n in range(3) for kind in ("overlay", "depth")]
    )
    report = json.loads((out / "latency.json").read_text())
    assert report["num_frames"] == 3
    assert report["num_threads"] == 1
    assert report["precision"] == "int8"
    assert report["start_to_first_result_s"] > 0
    assert report["peak_memory_mib"] > 20
    for stage in ("preprocess_ms", "inference_ms", "postprocess_ms", "total_ms"):
        assert 0 < report[stage]["median"] <= report[stage]["p90"]
    depth_m = read_depth_png(out / "1_depth.png")
    assert depth_m.shape == (128, 192)
    assert 0 < depth_m.max() <= CODEC.far_m * 140 / 2 / CAMERA.focal_px + 0.01


def test_unreadable_pictures_make_the_status_one(
    model: Path, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "1.png").write_bytes(b"")
    out = tmp_path / "out"
    assert run(parse(options(model, folder, out))) == 1
    assert (out / "0_overlay.png").is_file()
    assert (out / "2_overlay.png").is_file()
    assert "1.png" in caplog.text
    assert json.loads((out / "latency.json").read_text())["num_failures"] == 1


def test_a_video_becomes_a_video(model: Path, tmp_path: Path) -> None:
    source, out = video(tmp_path / "drive.avi"), tmp_path / "out"
    assert run(parse(options(model, source, out, "--max_frames", "4"))) == 0
    (film,) = out.glob("overlay.*")
    capture = cv2.VideoCapture(str(film))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 4
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10.0)
    assert capture.get(cv2.CAP_PROP_FRAME_HEIGHT) == 256
    assert json.loads((out / "latency.json").read_text())["num_frames"] == 4


def test_pictures_become_a_video_on_request(model: Path, folder: Path, tmp_path: Path) -> None:
    assert run(parse(options(model, folder, tmp_path / "out", "--video", "5"))) == 0
    (film,) = (tmp_path / "out").glob("overlay.*")
    capture = cv2.VideoCapture(str(film))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 3
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(5.0)


@pytest.mark.parametrize(
    "wrong", [("--alpha", "2"), ("--num_threads", "0"), ("--focal_px", "-1"), ("--max_frames", "0")]
)
def test_a_wrong_number_is_refused_at_once(
    model: Path, folder: Path, wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(options(model, folder, folder / "out", *wrong))
    assert f"{wrong[0]} must be" in capsys.readouterr().err


def test_depth_is_what_the_predictor_gives_for_the_focal_length(
    model: Path, tmp_path: Path
) -> None:
    write_png(tmp_path / "in" / "a.png", picture(128, 300))
    out = tmp_path / "out"
    line = options(model, tmp_path / "in", out, "--focal_px", "300")
    assert run(parse([*line, "--write", "depth,obstacles,ply"])) == 0
    depth_m = read_depth_png(out / "a_depth.png")
    # The crop of 128x192 is halved, so its focal length is 150 px; sqrt(70 * 64) was trained.
    plain = Pipeline(TfliteBackend(model)).predict(picture(128, 300)).depth_m
    np.testing.assert_allclose(depth_m, plain * 150 / np.sqrt(70 * 64), atol=1 / 500)
    assert CAMERA.focal_px == pytest.approx(np.sqrt(70 * 64))
    names = {path.name for path in out.iterdir()}
    assert names == {"a_depth.png", "a.ply", "obstacles.jsonl", "latency.json"}
    assert len(json.loads((out / "obstacles.jsonl").read_text())["columns"]) == 24


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--write", "depth,song"), "--write knows overlay, depth, .* got song"),
        (("--write", "ply"), "--write ply needs --focal_px, --fov_deg or --camera"),
        (("--width", "640"), "--width and --height go together"),
        (
            ("--focal_px", "3", "--camera", "c.json"),
            "--camera: not allowed with argument --focal_px",
        ),
        (("--port", "99999"), "--port must be in 0..65535"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(
    model: Path, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(options(model, "x", "out", *more))
    assert re.search(message, capsys.readouterr().err)


def test_a_run_that_would_show_nothing_is_refused(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(["--model", str(model), "--source", "0"])
    assert "give --output, --obstacles or --display" in capsys.readouterr().err
    assert parse(["--model", str(model), "--source", "0", "--obstacles", "-"]).obstacles == "-"


def test_a_rate_cannot_be_held_with_one_size(model: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"choose among sizes, but .* has one, XS"):
        run(parse(options(model, folder, tmp_path, "--target_fps", "5")))


def test_an_output_that_is_a_file_is_named(model: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(NotADirectoryError, match=r"--output .*taken is a file; give a folder"):
        run(parse(options(model, folder, tmp_path / "taken")))


def test_a_machine_without_a_screen_is_told_what_to_do(
    model: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(OSError, match=r"there is no screen .* use --display none, or web"):
        run(parse(options(model, folder, tmp_path, "--display", "window")))


def test_a_window_gets_each_new_picture_and_its_closing_ends_the_run(
    model: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    for name in ("namedWindow", "destroyWindow", "imshow"):
        monkeypatch.setattr(cv2, name, MagicMock())
    monkeypatch.setattr(cv2, "waitKey", lambda _: ord("q") if cv2.imshow.called else -1)
    assert run(parse(options(model, folder, tmp_path, "--display", "window", "--loop"))) == 0
    cv2.imshow.assert_called_once()
    assert cv2.imshow.call_args.args[1].shape[0] == 256


NO_FRAMEWORK = """
import runpy, sys
for name in ("tensorflow", "keras", "tf_keras", "absl", "matplotlib"):
    sys.modules[name] = None  # importing it raises
sys.argv[0] = "export.device"
runpy.run_module("export.device", run_name="__main__", alter_sys=True)
"""


def device(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", NO_FRAMEWORK, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_program_runs_where_there_is_no_tensorflow(
    model: Path, folder: Path, tmp_path: Path
) -> None:
    done = device(*options(model, folder, tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "inference_ms" in done.stderr
    assert "depth is metric only for a camera like the training one" in done.stderr
    assert (tmp_path / "out" / "2_overlay.png").is_file()


def test_a_model_without_a_contract_is_answered_in_one_line(
    model: Path, folder: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.tflite"
    alone.write_bytes(model.read_bytes())
    assert not contract_path(alone).exists()
    done = run_program("export.device", *options(alone, folder, tmp_path / "out"))
    assert done.returncode == 1
    assert "alone.json: the contract of alone.tflite is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_model_is_answered_in_one_line(model: Path, folder: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "model.tflite"
    damaged.write_bytes(model.read_bytes()[:5000])
    contract_path(damaged).write_bytes(contract_path(model).read_bytes())
    with pytest.raises(DataError, match=r"SHA-256 .* is not model\.json's .*damaged"):
        run(parse(options(damaged, folder, tmp_path / "out")))


def test_a_service_shows_its_page_and_ends_cleanly_when_it_is_told_to(
    model: Path, folder: Path, tmp_path: Path
) -> None:
    line = options(model, folder, tmp_path / "out", "--loop", "--display", "web", "--port", "0")
    running = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", NO_FRAMEWORK, *line],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    address = ""
    while not address:
        said = running.stderr.readline()
        assert said, "it ended"
        if "watch at " in said:
            address = said.split("watch at ")[1].strip()
    with urllib.request.urlopen(f"{address}/stream.mjpg", timeout=20) as stream:
        assert stream.read(2000).startswith(b"--frame\r\nContent-Type: image/jpeg")
    running.send_signal(signal.SIGTERM)
    _, rest = running.communicate(timeout=20)
    assert running.returncode == 0, rest
    assert "frames to" in rest
    assert "Traceback" not in rest
    assert json.loads((tmp_path / "out" / "latency.json").read_text())["num_frames"] > 0
    # A page is watched: nothing is stored that was not asked for.
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["latency.json"]


STREAM = "http://127.0.0.1:{}/stream.mjpg?view=picture"


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The program, whose standard output and messages are pipes."""
    command = [sys.executable, "-W", "error", "-c", NO_FRAMEWORK, *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def wait_until_full(pipe: int, *, line_bytes: int) -> None:
    """Until a pipe that nobody reads has no room for another line."""
    deadline = time.monotonic() + fakes.LONG_S
    # The program leaves two pages, since a line may begin and end within one.
    least_bytes = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) // 2 - line_bytes - 3 * mmap.PAGESIZE
    unread_bytes = 0
    while unread_bytes < least_bytes:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        content = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
        unread_bytes = int.from_bytes(content, sys.byteorder)


def test_each_start_on_a_stream_keeps_what_the_last_one_recorded(
    model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    lines = tmp_path / "all.jsonl"
    kinds = ("--write", "depth,obstacles,video", "--max_frames", "5", "--obstacles", str(lines))
    with fakes.video_server() as port:
        for _ in range(2):
            assert run(parse(options(model, STREAM.format(port), out, *kinds))) == 0
    assert sorted(path.name for path in out.iterdir()) == ["latency.json", "run_0001", "run_0002"]
    for folder in (out / "run_0001", out / "run_0002"):
        names = {path.name for path in folder.iterdir()}
        assert {"overlay.mkv", "obstacles.jsonl"} < names
        assert any(name.endswith("_depth.png") for name in names)
    assert [json.loads(line)["number"] for line in lines.read_text().splitlines()].count(1) == 2


def test_a_kill_leaves_a_video_that_says_so_and_can_be_played(model: Path, tmp_path: Path) -> None:
    left = tmp_path / "run_0001" / "overlay_unfinished.mkv"
    with fakes.video_server() as port:
        line = options(model, STREAM.format(port), tmp_path, "--write", "video")
        with started(*line) as running:
            deadline = time.monotonic() + fakes.LONG_S
            while not (left.exists() and left.stat().st_size):
                assert running.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
        assert run(parse([*line, "--max_frames", "3"])) == 0
    assert cv2.VideoCapture(str(left)).read()[0]
    assert (tmp_path / "run_0002" / "overlay.mkv").is_file()


@pytest.mark.parametrize("is_live", [True, False])
def test_a_reader_who_stalls_keeps_nobody_from_stopping_the_program(
    model: Path, folder: Path, tmp_path: Path, is_live: bool
) -> None:
    with fakes.video_server() as port:
        source = STREAM.format(port) if is_live else folder
        line = options(model, source, tmp_path / "out", "--write", "depth", "--loop")
        with started(*line, "--obstacles", "-", "--num_columns", "96") as running:
            assert running.stdout is not None
            first = running.stdout.readline()
            wait_until_full(running.stdout.fileno(), line_bytes=len(first))
            running.send_signal(signal.SIGTERM)
            # Reading would let it go on, so that its end is waited for first.
            assert running.wait(timeout=fakes.LONG_S) == 0
            rest, said = running.communicate()
    assert (first + rest).endswith(b"\n")
    numbers = [json.loads(line)["number"] for line in (first + rest).splitlines()]
    assert numbers == sorted(set(numbers))
    assert b"Traceback" not in said
    written = list((tmp_path / "out").rglob("*_depth.png"))
    # Other writers did not wait for the reader, where the source does not.
    assert len(written) > len(numbers) if is_live else len(written) == 3


def test_a_program_whose_only_reader_went_away_ends(model: Path) -> None:
    with fakes.video_server() as port:
        line = ["--model", str(model), "--source", STREAM.format(port), "--obstacles", "-"]
        with started(*line) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            assert json.loads(running.stdout.readline())["number"] >= 1
            running.stdout.close()
            assert running.wait(timeout=fakes.LONG_S) == 1
            said = running.stderr.read()
    assert said.count(b"nobody reads the standard output any more") == 1
    assert b"nobody is left who takes the results" in said
    assert b"Traceback" not in said


def test_a_folder_without_a_file_is_told_how_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"exported first.*export\.tflite --workdir"):
        open_models(tmp_path, num_threads=1)
