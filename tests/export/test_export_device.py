"""The device program: its stages one by one, then as a user runs it, without TensorFlow."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.artefact import CAMERA, CODEC, export_random

from export.device.__main__ import parse, run
from export.device.job import Job
from export.device.latency import Latency
from export.device.overlay import STRIP_WIDTH_PX, draw_overlay, paint_classes, scale_marks_m
from export.device.sources import Picture, PictureFiles, Stream, Unreadable, open_source
from export.device.writers import PictureWriter, VideoWriter
from mtdepth.contract import contract_path
from mtdepth.files import DataError, read_rgb, write_png
from mtdepth.kitti.label_map import PALETTE
from mtdepth.kitti.label_store import read_depth_png
from mtdepth.runtime.colors import depth_colors
from mtdepth.runtime.pipeline import Prediction, Predictor
from mtdepth.runtime.tflite import TfliteBackend

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_random(tmp_path_factory.mktemp("model"), precision="int8")


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
    found = list(open_source(str(folder)).frames())
    assert [item.name for item in found] == ["0", "1", "2"]
    assert isinstance(found[1], Picture)
    np.testing.assert_array_equal(found[1].image_rgb, picture(seed=1))


def test_pictures_of_one_stem_keep_names_of_their_own(folder: Path) -> None:
    cv2.imwrite(str(folder / "1.jpg"), picture())
    names = [item.name for item in open_source(str(folder)).frames()]
    assert sorted(names) == ["0", "1.jpg", "1.png", "2"]


def test_one_picture_is_a_source(folder: Path) -> None:
    source = open_source(str(folder / "2.png"))
    assert isinstance(source, PictureFiles)
    assert [item.name for item in source.frames()] == ["2"]


def test_a_cut_picture_is_reported_and_the_rest_go_on(folder: Path) -> None:
    content = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(content[: len(content) // 2])
    kinds = [type(item) for item in open_source(str(folder)).frames()]
    assert kinds == [Picture, Unreadable, Picture]


def test_a_video_gives_its_frames_as_rgb(tmp_path: Path) -> None:
    source = open_source(str(video(tmp_path / "drive.avi")))
    assert isinstance(source, Stream)
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
        ("film.mp4", DataError, "cannot be opened as a video"),
        ("97", OSError, "camera 97 cannot be opened"),
    ],
)
def test_a_source_that_is_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: type, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "film.mp4").write_bytes(b"no film")
    with pytest.raises(kind, match=message):
        open_source(name)


# Overlay


def test_the_panels_of_a_picture_stand_side_by_side() -> None:
    image = picture(300, 400)
    depth_m = np.geomspace(3, 50, 300 * 400).reshape(300, 400).astype(np.float32)
    ids = np.full((300, 400), 13, np.uint8)
    ids[:50] = 255
    overlay = draw_overlay(image, Prediction(depth_m, ids), near_m=4, far_m=80, alpha=1.0)
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
    overlay = draw_overlay(image, prediction, near_m=4, far_m=80, alpha=0.5)
    assert overlay.shape == (600, 900 + STRIP_WIDTH_PX, 3)
    np.testing.assert_array_equal(overlay[:300, :900], image)


def test_small_pictures_are_enlarged_by_whole_pixels() -> None:
    image = picture(64, 96)
    prediction = Prediction(np.full((64, 96), 9.0, np.float32), None)
    overlay = draw_overlay(image, prediction, near_m=4, far_m=80, alpha=0.5)
    assert overlay.shape[0] == 256  # 4 * 64 >= 240
    np.testing.assert_array_equal(overlay[:256:4, : 4 * 96 : 4], image)


def test_the_colour_bar_is_painted_by_the_law_of_the_pixels() -> None:
    image = picture(300, 400)
    prediction = Prediction(np.full((300, 400), 9.0, np.float32), None)
    overlay = draw_overlay(image, prediction, near_m=4, far_m=80, alpha=0.5)
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


# Latency and writers


def test_latency_is_the_median_and_the_ninetieth_percentile() -> None:
    latency = Latency()
    assert latency.summary() == {}
    for value in range(11):
        for stage in ("preprocess", "inference", "postprocess"):
            with latency.measured(stage):
                pass
            latency._of_stage[stage][-1] = float(value)
    assert latency.summary()["inference_ms"] == {"median": 5.0, "p90": 9.0}
    assert latency.summary()["total_ms"] == {"median": 15.0, "p90": 27.0}
    assert latency.last_total_ms == 30.0


def test_depth_is_written_in_metres(tmp_path: Path) -> None:
    depth_m = np.array([[0.0, 1.5], [79.25, 0.5]], np.float32)
    PictureWriter(tmp_path).write("a", picture(4, 4), Prediction(depth_m, None))
    np.testing.assert_array_equal(read_depth_png(tmp_path / "a_depth.png"), depth_m)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a_overlay.png"), picture(4, 4))


def test_a_video_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path, fps=10)
    prediction = Prediction(np.ones((64, 96), np.float32), None)
    for _ in range(3):
        writer.write("", picture(64, 96), prediction)
    assert not list(tmp_path.glob("overlay.*"))
    with pytest.raises(ValueError, match=r"pictures are \(64, 96\), got \(64, 100\)"):
        writer.write("", picture(64, 100), prediction)
    writer.close()
    writer.close()
    (path,) = tmp_path.iterdir()
    assert path.stem == "overlay"
    capture = cv2.VideoCapture(str(path))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 3


def test_another_codec_is_taken_where_the_first_is_missing(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path, fps=10, kinds=((".mp4", "zzzz"), (".avi", "MJPG")))
    writer.write("", picture(64, 96), Prediction(np.ones((64, 96), np.float32), None))
    writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.avi"]


# The job


def test_a_job_gives_what_the_predictor_gives(model: Path, tmp_path: Path) -> None:
    backend = TfliteBackend(model)
    job = Job(backend, 2, focal_px=300.0)
    frames = iter([Picture("a", picture(128, 300))])
    from export.device.job import NoDisplay

    job.run(frames, writer=PictureWriter(tmp_path), display=NoDisplay(), max_frames=None)
    depth_m = read_depth_png(tmp_path / "a_depth.png")
    # The crop of 128x192 is halved, so its focal length is 150 px; sqrt(70 * 64) was trained.
    plain = Predictor(backend).predict(picture(128, 300)).depth_m
    np.testing.assert_allclose(depth_m, plain * 150 / np.sqrt(70 * 64), atol=1 / 500)
    assert CAMERA.focal_px == pytest.approx(np.sqrt(70 * 64))


def test_a_picture_that_the_focal_length_is_not_of_is_a_failure(
    model: Path, tmp_path: Path
) -> None:
    from export.device.job import NoDisplay

    job = Job(TfliteBackend(model), 2, focal_px=300.0)
    frames = iter([Picture("a", picture(128, 300)), Picture("b", picture(100, 300))])
    job.run(frames, writer=PictureWriter(tmp_path), display=NoDisplay(), max_frames=None)
    assert [failure.name for failure in job.failures] == ["b"]
    assert "is 100x300 (height x width), but the first picture" in job.failures[0].why
    assert job.report()["num_frames"] == 1


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, OSError])
def test_a_video_outlives_the_users_stop_but_no_other_fault(
    model: Path, tmp_path: Path, error: type[BaseException] | None
) -> None:
    from export.device.job import NoDisplay

    def frames() -> Iterator[Picture]:
        yield Picture("a", picture())
        yield Picture("b", picture())
        if error is not None:
            raise error

    job = Job(TfliteBackend(model), 2)
    writer = VideoWriter(tmp_path, fps=10)
    with pytest.raises(error) if error else contextlib.nullcontext():
        job.run(frames(), writer=writer, display=NoDisplay(), max_frames=None)
    names = [path.stem for path in tmp_path.iterdir()]
    assert names == ([] if error is OSError else ["overlay"])


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
    done = device(*options(alone, folder, tmp_path / "out"))
    assert done.returncode == 1
    assert "alone.json: the contract of alone.tflite is missing" in done.stderr
    assert "Traceback" not in done.stderr
