"""The program: what it answers to a wrong line, and a kill in its midst."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fakes.labelled_sets import build_cityscapes, build_demo_set
from fakes.programs import run_program

from teachers.training.recipes import RECIPES, DeepLabRecipe, PsmnetRecipe

ROOT = Path(__file__).parents[2]


def line(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "teachers.train", *map(str, arguments)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected one of deeplab_v3, psmnet, got nothing"),
        (("resnet",), "got 'resnet'"),
        (("psmnet", "--root", "nowhere"), "nowhere: no such folder"),
        (("psmnet",), "cityscapes has no measured disparity"),
        (("psmnet", "--recipe", "deeplab_demo"), "there are psmnet_demo, psmnet_kitti2015"),
        (("deeplab_v3", "--override", "crop_px=[100,100]"), "in multiples of 32"),
        (("deeplab_v3", "--override", "max_disparity_px=48"), "no recipe field 'max_disparity_px'"),
        (("psmnet", "--backbone_weights", "x.h5"), "no recipe field 'backbone_weights'"),
        (("psmnet", "--override", "augmentation.flip_probability=0.5"), "neither mirrored nor"),
        (("psmnet", "--override", "max_disparity_px=50"), "multiple of 16, got 50"),
        (("deeplab_v3", "--set", "demo_world"), "date folder"),
    ],
)
def test_a_wrong_line_is_answered_in_words(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    root = build_cityscapes(tmp_path / "set")
    done = run_program("teachers.train", "--root", root, "--workdir", tmp_path / "run", *arguments)
    assert done.returncode == 1
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_survives_its_file(name: str) -> None:
    recipe = RECIPES[name]
    assert type(recipe).from_dict(recipe.to_dict()) == recipe
    with pytest.raises(ValueError, match="has no field 'speed'"):
        type(recipe).from_dict({**recipe.to_dict(), "speed": 1})
    for missing in ("augmentation", "crop_px"):
        content = {key: value for key, value in recipe.to_dict().items() if key != missing}
        with pytest.raises(ValueError, match=f"lacks the field '{missing}'"):
            type(recipe).from_dict(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 2.0}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"warmup_steps": -1}, "warmup_steps"),
        ({"epoch_decay": 0.0}, "epoch_decay"),
        ({"schedule": "poly"}, "schedule must be one of"),
        ({"min_zoom": 3.0}, "min_zoom"),
        ({"start_from": "a.keras", "backbone_weights": "b.h5"}, "give one"),
    ],
)
def test_a_recipe_out_of_range_is_refused(change: dict, message: str) -> None:
    recipe = RECIPES["deeplab_cityscapes"]
    assert isinstance(recipe, DeepLabRecipe)
    with pytest.raises(ValueError, match=message):
        DeepLabRecipe.from_dict({**recipe.to_dict(), **change})


def test_the_papers_numbers_of_psmnet() -> None:
    recipe = RECIPES["psmnet_kitti2015"]
    assert isinstance(recipe, PsmnetRecipe)
    assert (recipe.crop_px, recipe.max_disparity_px) == ((256, 512), 192)
    # 300 rounds of 160 pairs in batches of 12
    assert recipe.num_steps == 300 * 160 // 12


TINY = (
    "backbone=mobilenet_v3_small",
    "crop_px=[32,32]",
    "batch_size=2",
    "num_epochs=3",
    "steps_per_epoch=4",
    "statistics_batches=2",
)


@pytest.mark.slow
def test_a_training_killed_at_random_ends_as_it_would_have(tmp_path: Path) -> None:
    root = build_demo_set(tmp_path / "set")

    def arguments(workdir: Path) -> list[str]:
        overrides = [word for text in TINY for word in ("--override", text)]
        return line(
            "deeplab_v3", "--root", root, "--workdir", workdir, "--checkpoint_s", 0, *overrides
        )

    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    whole = tmp_path / "whole"
    subprocess.run(arguments(whole), cwd=ROOT, env=environment, check=True, capture_output=True)
    killed = tmp_path / "killed"
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen(
            arguments(killed), cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
        )
        wait_for_a_step(killed / "resume.npz")
        process.send_signal(number)
        process.wait()
    done = subprocess.run(
        arguments(killed), cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "going on at step" in done.stderr
    with np.load(whole / "resume.npz") as wanted, np.load(killed / "resume.npz") as found:
        assert found.files == wanted.files
        for name in wanted.files:
            if name != "progress":
                # The same numbers in the same order; threads may add in another one.
                np.testing.assert_allclose(found[name], wanted[name], rtol=1e-3, atol=1e-5)


def wait_for_a_step(path: Path) -> None:
    before = path.stat().st_mtime_ns if path.is_file() else 0
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if path.is_file() and path.stat().st_mtime_ns > before:
            return
        time.sleep(0.05)
    raise TimeoutError(path)
