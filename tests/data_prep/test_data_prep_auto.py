"""The whole way in one line: what is planned for which recordings, and how it goes on."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes.kitti_tree import build_kitti_tree
from fakes.programs import run_process, run_program
from fakes.rig_tree import build_rig_tree

from data_prep.auto.division import divide
from data_prep.auto.lists import write_lists
from data_prep.auto.plan import Plan, Request, make_plan, network_size
from data_prep.auto.summary import errors_in_words
from data_prep.teacher_choice import choose_teachers
from mtdepth.__main__ import COMMANDS
from mtdepth.child import run_alone
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.files import UserError


def rig_of(root: Path, drives: dict[str, Sequence[int]], *, lidar: Sequence[int] = ()) -> Path:
    """Recordings of 64 x 96 pixels by drive and frame; `lidar` names frames that have a sweep."""
    for drive, numbers in drives.items():
        for side in ("left", "right"):
            (root / drive / side).mkdir(parents=True)
            for number in numbers:
                path = root / drive / side / f"{number:06d}.png"
                cv2.imwrite(str(path), np.zeros((64, 96, 3), np.uint8))
        (root / drive / "lidar").mkdir()
        for number in set(numbers) & set(lidar):
            (root / drive / "lidar" / f"{number:06d}.bin").touch()
    pinhole = {"width_px": 96, "height_px": 64, "fx_px": 80.0, "fy_px": 80.0, "cx_px": 47.5}
    rig = pinhole | {"cy_px": 31.5, "baseline_m": 0.2, "T_lidar_to_camera": np.eye(4).tolist()}
    (root / "rig.json").write_text(json.dumps(rig))
    return root


def plan_of(recordings: Path, **settings: Any) -> Plan:
    return make_plan(
        Request(
            recordings=recordings,
            output=Path("run"),
            teachers=choose_teachers(kitti_root=recordings, seg_teacher=None),
            **settings,
        )
    )


def lines(plan: Plan) -> dict[str, str]:
    return {step.name: step.line for step in plan.steps}


def test_kittis_layout_with_lidar_and_classes(tree: Path) -> None:
    plan = plan_of(tree)
    found = lines(plan)
    assert list(found) == [
        *("doctor", "labels", "held-out labels", "training", "scores", "int8", "film", "report")
    ]
    assert "--bias fit --output run/labels" in found["labels"]
    assert "--bias run/labels/bias_table.json" in found["held-out labels"]
    assert "student.tasks" not in found["training"]
    assert "--protocol" not in found["scores"]
    assert "classes by precomputed" in "\n".join(plan.in_words)
    train, held_out = (set(text.splitlines()) for text in plan.lists.values())
    assert {line.split()[0] for line in train}.isdisjoint(line.split()[0] for line in held_out)
    assert all(line.endswith(" l") for line in train | held_out)


def test_a_rig_without_lidar_and_without_classes(tmp_path: Path) -> None:
    plan = plan_of(rig_of(tmp_path / "rig", {"garden_1": range(4), "garden_2": range(3)}))
    found, words = lines(plan), "\n".join(plan.in_words)
    assert "--bias none" in found["labels"]
    assert "--bias none" in found["held-out labels"]
    assert "--override 'student.tasks=[depth]'" in found["training"]
    assert "--protocol labels_80m" in found["scores"]
    assert "--protocol labels_80m" in found["report"]
    assert "--focal_px 80 " in found["film"]
    assert "garden_2/left" in found["film"]
    assert "depth alone is learned" in words
    assert "no LiDAR" in words
    assert plan.lists[Path("run/held_out.txt")].split()[::3] == ["garden_2"] * 3


def test_of_one_drive_the_end_is_held_out(tmp_path: Path) -> None:
    plan = plan_of(rig_of(tmp_path / "rig", {"garden": range(10)}))
    train, held_out = plan.lists.values()
    assert [int(line.split()[1]) for line in held_out.splitlines()] == [8, 9]
    assert [int(line.split()[1]) for line in train.splitlines()] == list(range(8))
    assert "the last 2 of 10 frames" in "\n".join(plan.in_words)


def test_one_frame_cannot_be_divided(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="1 frames of the left camera"):
        plan_of(rig_of(tmp_path / "rig", {"garden": [0]}))


def test_where_some_have_lidar_only_those_are_scored(tmp_path: Path) -> None:
    plan = plan_of(rig_of(tmp_path / "rig", {"a": range(4), "b": range(6)}, lidar=[1, 5]))
    held_out = plan.lists[Path("run/held_out.txt")]
    assert held_out.splitlines() == ["b 0000000001 l", "b 0000000005 l"]
    assert "2 of them with LiDAR are scored" in "\n".join(plan.in_words)


@pytest.mark.parametrize(("knows_eigen", "held_out"), [(True, 2), (False, 57)])
def test_eigens_test_drives_are_what_is_held_out(
    tmp_path: Path, knows_eigen: bool, held_out: int
) -> None:
    for number in (1, 2, 57):  # 2 is a test drive
        drive = f"2011_09_26/2011_09_26_drive_{number:04d}_sync"
        folder = tmp_path / drive / "image_02" / "data"
        folder.mkdir(parents=True)
        (folder / "0000000000.png").touch()
    raw = KittiRaw(tmp_path)
    division = divide(raw, raw.all_frames(), knows_eigen=knows_eigen)
    assert {frame.drive[-9:-5] for frame in division.held_out} == {f"{held_out:04d}"}
    assert ("Eigen's test drives" in division.in_words) == knows_eigen


@pytest.mark.parametrize(
    ("picture", "size"),
    [((375, 1242), (192, 640)), ((720, 1280), (256, 448)), ((480, 640), (288, 384))],
)
def test_the_network_has_the_pictures_shape(
    picture: tuple[int, int], size: tuple[int, int]
) -> None:
    assert network_size(picture, like=(192, 640)) == size


def test_every_step_is_a_command_with_flags_that_it_has(tree: Path) -> None:
    for step in plan_of(tree).steps:
        module = COMMANDS[step.words[0]][0]
        help_flag = "--help" if module == "export.device" else "--helpfull"
        known = re.findall(r"--(?:\[no\])?(\w+)", run_program(module, help_flag).stdout)
        assert {word[2:] for word in step.words if word.startswith("--")} <= set(known), step.line


def test_recordings_that_changed_are_not_divided_again(tmp_path: Path) -> None:
    path = tmp_path / "run" / "held_out.txt"
    write_lists({path: "garden 1 l\n"})
    write_lists({path: "garden 1 l\n"})
    with pytest.raises(UserError, match="another --output"):
        write_lists({path: "garden 2 l\n"})
    assert path.read_text() == "garden 1 l\n"


class Programs:
    """Stands in for the steps' programs: notes what is run, and writes what the summary reads."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.ran: list[str] = []
        self.fails_at = ""

    def __call__(self, command: Sequence[str]) -> int:
        assert command[1:3] == ["-m", "mtdepth"]
        self.ran.append(command[3])
        if command[3] == self.fails_at:
            return 3
        for name in ("labels", "labels_held_out", "network", "int8", "seen", "report"):
            (self.output / name).mkdir(exist_ok=True)
        for name in ("int8/model.tflite", "seen/overlay.mp4", "scores.json"):
            (self.output / name).touch()
        errors = {"model": 0.125, "model_2": 0.12, "model_3": 0.2, "baseline": 0.3}
        rows = {name: {"per_image_mean": {"abs_rel": error}} for name, error in errors.items()}
        scores = {"depth": {"any": {"rows": rows}}}
        (self.output / "scores_int8.json").write_text(json.dumps(scores))
        return 0


ALL = ["doctor", "label", "label", "train", "evaluate", "export", "device", "evaluate"]


@pytest.fixture
def auto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Callable[..., subprocess.CompletedProcess[str]], Programs]:
    rig = rig_of(tmp_path / "rig", {"a": range(2), "b": range(2)})
    programs = Programs(tmp_path / "run")
    monkeypatch.setattr("mtdepth.child.run_alone", programs)
    return lambda *more: run_program("data_prep.auto", rig, "--output", programs.output, *more), (
        programs
    )


def test_a_dry_run_shows_the_steps_and_does_nothing(auto: Any) -> None:
    run, programs = auto
    done = run("--dry_run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\nmtdepth ") == len(ALL)
    assert not programs.ran
    assert not programs.output.exists()


def test_what_failed_goes_on_and_what_is_finished_is_not_repeated(auto: Any) -> None:
    run, programs = auto
    programs.fails_at = "train"
    failed = run()
    assert failed.returncode == 3
    assert programs.ran == ALL[:4]
    last = failed.stderr.splitlines()[-1]
    assert shlex.split(last)[:2] == ["mtdepth", "auto"]
    assert "training failed" in failed.stderr
    assert "finished" not in failed.stdout

    programs.ran, programs.fails_at = [], ""
    done = run()
    assert done.returncode == 0, done.stderr
    assert programs.ran == ALL[3:]
    assert "depth is off by 12.5 % as int8, 12.0 % as trained, 20.0 % before" in done.stdout
    assert str(programs.output / "report" / "index.html") in done.stdout

    programs.ran = []
    assert "[1/8] doctor: done before" in run().stdout
    assert programs.ran == []


@pytest.mark.parametrize(("trained", "has_helped"), [(0.1, True), (0.3, False)])
def test_a_training_that_has_not_helped_is_said(trained: float, has_helped: bool) -> None:
    errors = {"model": trained, "model_2": trained, "model_3": 0.2}
    rows = {name: {"per_image_mean": {"abs_rel": error}} for name, error in errors.items()}
    assert ("has not helped" in "\n".join(errors_in_words(rows))) != has_helped


def test_what_follows_a_step_that_changed_or_is_gone_is_done_again(auto: Any) -> None:
    run, programs = auto
    run()
    programs.ran = []
    run("--override", "num_epochs=1")
    assert programs.ran == ALL[3:]
    programs.ran = []
    (programs.output / "int8" / "model.tflite").unlink()
    run("--override", "num_epochs=1")
    assert programs.ran == ALL[5:]


def test_it_wants_recordings_and_an_output() -> None:
    assert "expected RECORDINGS" in run_program("data_prep.auto").stderr
    assert "--output needed" in run_program("data_prep.auto", "rig").stderr


def test_what_stops_it_stops_the_steps_program_in_its_own_way(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal, sys\n"
        "def stop(*_):\n"
        "    pathlib.Path('stopped').touch()\n"
        "    sys.exit(5)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"
        "signal.pause()\n"
    )
    before = signal.getsignal(signal.SIGTERM)
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert run_alone([sys.executable, "-c", code]) == 128 + signal.SIGTERM
    finally:
        os.chdir(here)
    assert (tmp_path / "stopped").exists()
    assert signal.getsignal(signal.SIGTERM) is before
    assert run_alone([sys.executable, "-c", "raise SystemExit(4)"]) == 4


@pytest.mark.slow
def test_a_rigs_recordings_become_an_int8_file(tmp_path: Path) -> None:
    size = (96, 320)
    kitti = build_kitti_tree(tmp_path / "kitti", num_frames=3, size=size)
    rig = build_rig_tree(tmp_path / "rig", kitti, with_lidar=False)
    shutil.rmtree(kitti)
    tiny = ("num_epochs=1", "steps_per_epoch=2", "batch_size=2", "warmup_steps=1")
    overrides = (*tiny, "statistics_batches=1", "learning_rate=1e-5", "input_size_px=[96,320]")
    line = (rig, "--output", "run", *(w for each in overrides for w in ("--override", each)))
    done = run_process("data_prep.auto", *line, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "depth alone is learned" in done.stdout
    run = tmp_path / "run"
    page = (run / "report" / "index.html").read_text()
    assert "labels_80m" in page
    assert (run / "seen" / "overlay.mp4").is_file()
    scored = json.loads((run / "scores_int8.json").read_text())["depth"]["labels_80m"]["rows"]
    whose = ("model", "model_2", "model_3")
    assert [scored[name]["title"].split()[0] for name in whose] == ["int8", "network", "pretrained"]
    again = run_process("data_prep.auto", *line, cwd=tmp_path)
    assert again.stdout.count("done before") == len(ALL)
