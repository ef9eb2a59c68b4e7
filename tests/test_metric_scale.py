"""From relative depth to metres: by the camera's height, and by the way driven."""

import json
import subprocess
import types
from pathlib import Path

import numpy as np
import pytest
from fakes.panned_video import CAMERA, pan, shot_of, write_frames
from fakes.programs import run_program
from fakes.video_workdir import build_video_workdir

from mtdepth import metric_scale
from mtdepth.contract import NO_SCALE
from mtdepth.files import DataError, sha256_of, write_json
from mtdepth.geometry.camera import Intrinsics
from mtdepth.runtime.pipeline import Prediction
from mtdepth.trained import load_trained, scale_of
from mtdepth.workdir import Workdir


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Workdir:
    return build_video_workdir(tmp_path_factory.mktemp("video") / "run")


def run(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return run_program(module, *arguments)


def test_the_scale_is_the_median_and_the_spread_is_said() -> None:
    found = metric_scale.scale_summary([30.0, 31.0, 29.0, 30.5, 90.0], source="speed")
    assert found["scale"] == 30.5
    assert found["num_frames"] == 5
    assert found["spread"] > 0.05
    with pytest.raises(ValueError, match="only 4 frames gave a factor, at least 5"):
        metric_scale.scale_summary([1.0] * 4, source="speed")


@pytest.mark.parametrize(
    ("spread", "steps", "said", "unsaid"),
    [
        (0.08, (20, 750), "what is 10 m away is told as 9.3 to 10.8 m", "too much"),
        (0.25, (20, 750), "train longer (20 of 750 steps), or give frames", "ground"),
        (0.25, (750, 750), "told as 8.0 to 12.5 m", "of 750"),
    ],
)
def test_what_a_scale_is_worth_is_said_in_words(
    spread: float, steps: tuple[int, int], said: str, unsaid: str
) -> None:
    summary = {"scale": 30.5, "source": "speed", "spread": spread, "num_frames": 78}
    words = metric_scale.scale_in_words(summary, steps=steps)
    assert words.startswith("depth 1 is 30.500 m, by speed in 78 frames")
    assert said in words
    assert unsaid not in words


def test_a_scale_makes_depth_metric(workdir: Workdir) -> None:
    before = load_trained(workdir)
    assert (before.scale_source, before.is_metric) == (NO_SCALE, False)
    write_json(workdir.scale_path, {"scale": 31.5, "source": "camera_height"})
    after = load_trained(workdir)
    workdir.scale_path.unlink()
    assert (after.scale_source, after.is_metric) == ("camera_height", True)
    code = np.linspace(-6, 2, 9, dtype=np.float32)
    np.testing.assert_allclose(
        after.codec.decode(code), 31.5 * before.codec.decode(code), rtol=1e-6
    )


def test_a_damaged_scale_is_named_and_one_of_other_weights_is_said(
    workdir: Workdir, caplog: pytest.LogCaptureFixture
) -> None:
    for content in ([], {"scale": 2.0}, {"scale": -1.0, "source": "speed"}):
        write_json(workdir.scale_path, content)
        with pytest.raises(
            DataError, match=r"scale\.json: (not a metric scale|must hold a record)"
        ):
            scale_of(workdir, "best")
    known = {"scale": 2.0, "source": "speed"}
    for sha256, is_said in ((sha256_of(workdir.weights("best")), False), ("0", True)):
        caplog.clear()
        write_json(workdir.scale_path, known | {"weights_sha256": sha256})
        assert scale_of(workdir, "best") == (2.0, "speed")
        assert ("other weights" in caplog.text) is is_said
    workdir.scale_path.unlink()


class GroundPredictor:
    """Sees flat ground 0.05 below the camera, and nothing above the horizon."""

    def predict(self, image_rgb: np.ndarray, *, camera: Intrinsics) -> Prediction:
        v = np.arange(camera.height_px, dtype=np.float32)[:, None] - np.float32(camera.cy_px)
        depth = np.where(v > 0, 0.05 * camera.fy_px / np.maximum(v, 1), 100).astype(np.float32)
        return Prediction(np.broadcast_to(depth, image_rgb.shape[:2]), None)


def test_the_cameras_height_gives_the_scale(
    workdir: Workdir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = {"_HEIGHT_M": 1.5, "_MAX_FRAMES": 3, "_CHECKPOINT": "best"}
    for name, value in flags.items():
        monkeypatch.setattr(metric_scale, name, types.SimpleNamespace(value=value))
    monkeypatch.setattr("mtdepth.predictor.open_unscaled", lambda *_, **__: GroundPredictor())
    shot = shot_of(write_frames(tmp_path / "walk", pan(range(0, 30, 6))))
    shot.files[1].write_bytes(b"damaged")
    factors = list(metric_scale._factors_by_height(workdir, [shot]))
    assert len(factors) >= 2
    np.testing.assert_allclose(factors, 1.5 / 0.05, rtol=1e-3)


def test_the_way_driven_gives_the_scale(workdir: Workdir, tmp_path: Path) -> None:
    root = tmp_path / "odometry"
    folder = root / "sequences" / "09"
    write_frames(folder / "image_2", pan(range(0, 80, 8)))
    write_frames(folder / "image_3", pan(range(4, 84, 8)))
    left = f"{CAMERA.fx_px} 0 {CAMERA.cx_px} 0 0 {CAMERA.fy_px} {CAMERA.cy_px} 0 0 0 1 0"
    right = left.replace(f"{CAMERA.cx_px} 0 0", f"{CAMERA.cx_px} -60 0")
    (folder / "calib.txt").write_text(f"P0: {left}\nP1: {right}\nP2: {left}\nP3: {right}\n")
    (folder / "times.txt").write_text("\n".join(f"{0.104 * number}" for number in range(10)))
    lines = [f"1 0 0 0 0 1 0 0 0 0 1 {number * 1.5}" for number in range(10)]
    (root / "poses").mkdir()
    (root / "poses" / "09.txt").write_text("\n".join(lines) + "\n")
    done = run(
        "mtdepth.ego_motion",
        *("--workdir", workdir.path, "--video", root, "--video_split", "09"),
        *("--output", tmp_path / "motion"),
    )
    assert done.returncode == 0, done.stderr
    assert "5-frame ATE" in done.stdout
    motion = json.loads((tmp_path / "motion" / "ego_motion.json").read_text())
    assert (motion["scale_source"], motion["tracks"][0]["frames"]) == (NO_SCALE, 10)
    assert motion["sfmlearner"]["ate_mean_m"] > 0
    (kitti,) = (tmp_path / "motion").glob("*_kitti.txt")
    (tum,) = (tmp_path / "motion").glob("*_tum.txt")
    np.testing.assert_allclose(np.loadtxt(tum)[:, 0], 0.104 * np.arange(10), atol=1e-9)
    positions = np.loadtxt(kitti).reshape(10, 3, 4)[:, :, 3]
    done = run("mtdepth.metric_scale", "--workdir", workdir.path, "--video", root, "--speed",
               "--video_split", "09")  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(workdir.scale_path.read_text())
    workdir.scale_path.unlink()
    assert (found["source"], found["num_frames"]) == ("speed", 18)  # both cameras
    assert found["weights_sha256"] == sha256_of(workdir.weights("best"))
    # The left camera's steps, of which the other's differ little.
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    np.testing.assert_allclose(found["scale"], np.median(1.5 / steps), rtol=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give --camera_height_m or --speed, and not both"),
        (("--speed", "--camera_height_m", "1.2"), "and not both"),
        (("--speed",), "only 0 frames gave a factor"),
    ],
)
def test_a_wrong_line_is_answered_in_words(
    workdir: Workdir, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    folder = write_frames(tmp_path / "walk", pan((0, 6, 12)))
    write_json(tmp_path / "camera.json", CAMERA.to_dict())
    done = run(
        "mtdepth.metric_scale",
        *("--workdir", workdir.path, "--video", folder, "--intrinsics", tmp_path / "camera.json"),
        *arguments,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not workdir.scale_path.exists()
