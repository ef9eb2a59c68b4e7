"""The program that trains: which flags go with which model, and MiniNet from a user's own video."""

import json
import subprocess
from pathlib import Path

import pytest
from fakes.panned_video import CAMERA, pan, write_frames
from fakes.programs import run_program

from mtdepth.pictures import read_rgb


def train(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run_program("mtdepth.train", *arguments)


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    folder = write_frames(tmp_path / "walk", pan(range(0, 36, 3)))
    (folder / "intrinsics.json").write_text(json.dumps(CAMERA.to_dict()))
    return folder


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--preview_only",), "--preview_only: no meaning for --model student"),
        (("--video", "x"), "--video: no meaning for --model student, only for --model mininet"),
        (("--variant", "small", "--frame_step", 2), "--variant, --frame_step: no meaning"),
        (("--model", "mininet", "--data", "x"), "--data: no meaning for --model mininet"),
        (("--model", "mininet", "--design", "fast"), "--design: no meaning for --model mininet"),
        (("--model", "mininet", "--decoder", "L"), "--decoder: no meaning for --model mininet"),
        (("--model", "mininet", "--recipe", "demo"), "recipe demo is for --model student"),
        (("--recipe", "mininet_kitti"), "recipe mininet_kitti is for --model mininet"),
        (("--model", "mininet", "--video", "/nowhere"), "/nowhere: no such file or folder"),
    ],
)
def test_a_mistake_is_one_clear_line(arguments: tuple[object, ...], error: str) -> None:
    done = train(*arguments)
    assert done.returncode == 1
    assert error in done.stderr
    assert "Traceback" not in done.stderr


def test_a_still_video_is_refused_before_a_framework_is_loaded(walk: Path, tmp_path: Path) -> None:
    write_frames(walk, pan([0] * 12))
    cache = tmp_path / "cache"
    run = tmp_path / "run"
    arguments = ("--model", "mininet", "--recipe", "mininet_small_data", "--video", walk)
    done = train(*arguments, "--video_cache", cache, "--workdir", run)
    assert done.returncode == 1
    assert "12 frames in 1 shot give 0 triplets; left out: 2 at an edge, 10 static" in done.stderr
    assert "--frame_step 3" in done.stderr
    assert not run.exists()


def test_what_would_be_learned_from_is_drawn_without_a_training(walk: Path, tmp_path: Path) -> None:
    write_frames(walk, pan(range(0, 24, 2)))
    done = train(
        *("--model", "mininet", "--recipe", "mininet_small_data", "--preview_only"),
        *("--video", walk, "--workdir", tmp_path / "run", "--video_cache", tmp_path / "cache"),
        *("--override", "input_size_px=[32,64]", "--override", "min_flow_px=0.5"),
    )
    assert done.returncode == 0, done.stderr
    assert "nothing was trained" in done.stderr
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["preview.png"]
    assert read_rgb(tmp_path / "run/preview.png").shape[1] >= 3 * 480


@pytest.mark.slow
def test_mininet_learns_from_a_folder_goes_on_and_refuses_other_video(
    walk: Path, tmp_path: Path
) -> None:
    arguments = (
        *("--model", "mininet", "--recipe", "mininet_small_data", "--variant", "small"),
        *("--video", walk, "--workdir", tmp_path / "run", "--video_cache", tmp_path / "cache"),
        *("--override", "input_size_px=[32,64]", "--override", "batch_size=2"),
        *("--override", "steps_per_epoch=2", "--override", "min_flow_px=0.5", "--seed", 3),
    )
    one_epoch = (*arguments, "--override", "num_epochs=1")
    done = train(*one_epoch)
    assert done.returncode == 0, done.stderr
    assert "12 frames in 1 shot give 10 triplets" in done.stderr
    recipe = json.loads((tmp_path / "run/recipe.json").read_text())
    assert (recipe["network"], recipe["mininet"]["variant"], recipe["seed"]) == (
        *("mininet", "small", 3),
    )
    assert read_rgb(tmp_path / "run/preview.png").shape[1] >= 3 * 480
    assert "is finished" in train(*one_epoch).stderr
    done = train(*arguments, "--override", "num_epochs=2")
    assert (done.returncode, "num_epochs: there 1, now 2" in done.stderr) == (1, True)
    write_frames(walk, pan([40]), first=12)
    done = train(*one_epoch)
    assert done.returncode == 1
    assert "Give the same to go on, or another --workdir" in done.stderr
