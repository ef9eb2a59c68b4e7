"""The two programs, from the authors' checkpoint to a disparity picture, and their errors."""

import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from fakes.programs import run_program
from oracles.psmnet_torch import random_state

from mtdepth.pictures import read_gray_png, read_rgb, write_png
from teachers.psmnet.teacher import PsmnetTeacher


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_program(module, *arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    state = {f"module.{name}": tensor for name, tensor in random_state(seed=9).items()}
    torch.save({"epoch": 1, "state_dict": state}, folder / "authors.tar")
    scene = np.random.default_rng(0).integers(0, 256, (50, 100, 3), dtype=np.uint8)
    scene = cv2.GaussianBlur(scene, (0, 0), 1.5)
    write_png(folder / "left.png", scene[:, :90])
    write_png(folder / "right.png", scene[:, 10:])
    write_png(folder / "small.png", scene[:40, :90])
    return folder


@pytest.mark.slow
def test_from_the_authors_file_to_a_disparity_picture(folder: Path) -> None:
    converted = run(
        "teachers.psmnet.convert",
        f"--checkpoint={folder / 'authors.tar'}",
        "--noalign_corners",
        "--max_disparity=64",
        f"--output={folder / 'w.npz'}",
    )
    assert converted.returncode == 0, converted.stderr
    assert "align_corners=False" in converted.stderr
    done = run(
        "teachers.psmnet",
        f"--weights={folder / 'w.npz'}",
        f"--left={folder / 'left.png'}",
        f"--right={folder / 'right.png'}",
        "--max_disparity=16",
        f"--output={folder / 'disparity.png'}",
        f"--picture={folder / 'colours.png'}",
    )
    assert done.returncode == 0, done.stderr
    stored_px = read_gray_png(folder / "disparity.png", np.uint16) / 256
    # The authors' file as it is gives the same.
    teacher = PsmnetTeacher(folder / "authors.tar", align_corners=False, max_disparity_px=16)
    expected_px = teacher.disparity_px(
        read_rgb(folder / "left.png"), read_rgb(folder / "right.png")
    )
    np.testing.assert_allclose(stored_px, expected_px, atol=1e-3 + 1 / 512)  # rounded to 1/256
    assert read_rgb(folder / "colours.png").shape == (50, 90, 3)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"right": "small.png"}, "a rectified pair has one size"),
        ({"left": "absent.png"}, "--left"),
        ({"weights": "absent.npz"}, "JiaRenChang/PSMNet"),
        ({"output": "disparity.jpg"}, "--output must end in .png"),
        ({"weights": "left.png"}, "PSMNet weights end in"),
        ({"max_disparity": "512"}, "--max_disparity 256 or less"),
        ({"max_disparity": "100"}, "multiple of 16"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_users_mistake_is_one_clear_line(
    changed: dict[str, str], said: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        match(folder, monkeypatch, **changed)
    assert not (folder / "out.png").exists()


def test_the_output_is_pixels_in_256ths_at_the_pictures_size(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disparity_px = np.linspace(0, 127.9, 50 * 90, dtype=np.float32).reshape(50, 90)
    monkeypatch.setattr(PsmnetTeacher, "disparity_px", lambda *_: disparity_px)
    match(folder, monkeypatch, output=str(tmp_path / "out.png"))
    stored = read_gray_png(tmp_path / "out.png", np.uint16)
    np.testing.assert_allclose(stored / 256, disparity_px, atol=1 / 512)  # rounded to 1/256


def match(folder: Path, monkeypatch: pytest.MonkeyPatch, **changed: str) -> None:
    """Runs the program on the folder's pair in this process."""
    from teachers.psmnet import __main__ as program

    names = {"weights": "authors.tar", "left": "left.png", "right": "right.png"}
    given = {**names, "output": "out.png", **changed}
    monkeypatch.chdir(folder)
    program.FLAGS(["psmnet", *(f"--{name}={value}" for name, value in given.items())])
    try:
        program.main()
    finally:
        program.FLAGS.unparse_flags()
