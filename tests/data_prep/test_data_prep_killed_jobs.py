"""Jobs that are killed, time and again, through the real program: the end is always the same."""

import dataclasses
import functools
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.label_workers import FullDisk
from fakes.programs import run_program

import data_prep.generation
from data_prep.generation import GenerationRequest, generate
from data_prep.jobs.store import remove_leftovers
from data_prep.teacher_choice import TeacherChoice
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import LabelStore, depth_path, read_manifest
from mtdepth.files import atomic_path

ROOT = Path(__file__).resolve().parents[2]
NUM_FRAMES = 18  # three drives, three frames, two cameras


@pytest.fixture(scope="module")
def tree(three_drives: Path) -> Path:
    return three_drives


def line_of(tree: Path, output: Path, *, num_processes: int = 1) -> list[str]:
    line = ["--kitti_root", str(tree), "--split", "all", "--output", str(output)]
    return [*line, "--seg_teacher", "none", "--num_processes", str(num_processes)]


def start(tree: Path, output: Path, *, num_processes: int) -> subprocess.Popen[str]:
    line = line_of(tree, output, num_processes=num_processes)
    return subprocess.Popen(
        [sys.executable, "-m", "data_prep.generate_teachers", *line],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def num_files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def kill_at_random(tree: Path, output: Path, rng: random.Random, *, num_processes: int) -> bool:
    """Starts the job and kills it with -9; whether it was alive then."""
    with start(tree, output, num_processes=num_processes) as job:
        # Half of the kills fall anywhere, the others soon after something was written.
        before, patience_s = num_files(output), 60.0
        if rng.random() < 0.5:
            patience_s = rng.uniform(0, 3)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and job.poll() is None and num_files(output) == before:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.1))
        was_alive = job.poll() is None
        job.kill()
        # Ends only when every process that holds the pipe, so every worker, has ended.
        job.communicate(timeout=60)
    return was_alive


def every_file(output: Path) -> dict[str, bytes]:
    """Hidden ones as well, the manifest without its date."""
    files = {
        str(path.relative_to(output)): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file()
    }
    manifest = dataclasses.replace(read_manifest(output), created="")
    return files | {"manifest.json": repr(manifest).encode()}


@pytest.mark.parametrize(
    ("num_kills", "num_processes"),
    [
        pytest.param(2, 2),
        pytest.param(20, 1, marks=pytest.mark.slow),
        pytest.param(20, 2, marks=pytest.mark.slow),
    ],
)
def test_a_job_killed_time_and_again_ends_as_if_undisturbed(
    tree: Path, tmp_path: Path, num_kills: int, num_processes: int
) -> None:
    rng = random.Random(num_kills + num_processes)
    output = tmp_path / "killed"
    hits = sum(
        kill_at_random(tree, output, rng, num_processes=num_processes) for _ in range(num_kills)
    )
    assert hits > num_kills // 3  # the others came when the job was done
    created = read_manifest(output).created if (output / "manifest.json").is_file() else None
    with start(tree, output, num_processes=1) as job:
        _, said = job.communicate(timeout=300)
    assert job.returncode == 0, said
    done = run_program("data_prep.generate_teachers", *line_of(tree, tmp_path / "undisturbed"))
    assert done.returncode == 0, done.stderr
    assert every_file(output) == every_file(tmp_path / "undisturbed")
    assert created in (None, read_manifest(output).created)
    assert len(LabelStore.open(output).frames) == NUM_FRAMES


# --- what a kill leaves --------------------------------------------------------------------------


def test_leftovers_are_removed_and_no_other_file(tmp_path: Path) -> None:
    frames = [FrameId("2011_09_26_drive_0001_sync", number) for number in range(2)]
    folder = depth_path(tmp_path, frames[0]).parent
    folder.mkdir(parents=True)
    gone = [folder / ".0000000000-0123abcd.png", tmp_path / ".manifest-0123abcd.json"]
    kept = [
        folder / "0000000000.png",
        folder / ".0000000000.png",  # no temporary name
        tmp_path / ".lock-0-of-1",
    ]
    for path in (*gone, *kept):
        path.write_text("x")
    with atomic_path(folder / "0000000001.png") as at_work:
        at_work.write_text("x")
        remove_leftovers(tmp_path, frames, has_train_ids=False)
        assert at_work.exists()
    assert [path for path in gone if path.exists()] == []
    assert all(path.exists() for path in kept)


# --- a full disk ---------------------------------------------------------------------------------


def test_a_full_disk_stops_the_job_at_once_and_the_same_line_goes_on_later(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = GenerationRequest(
        kitti_root=tree,
        split="all",
        teachers=TeacherChoice(depth_teacher="sgm"),
        output=tmp_path / "labels",
        bias="none",
    )
    with monkeypatch.context() as patched:
        patched.setattr(
            data_prep.generation, "WriteLabels", functools.partial(FullDisk, num_frames=5)
        )
        with pytest.raises(OSError, match=r"No space left.*labels"):
            generate(request)
    assert len(list(request.output.rglob("*/image_0?/*.png"))) == 5
    assert not (request.output / "frames.jsonl").exists()
    records = generate(request)
    assert [record.frame for record in records] == KittiRaw(tree).all_frames()
    whole = dataclasses.replace(request, output=tmp_path / "whole")
    generate(whole)
    assert every_file(request.output) == every_file(whole.output)
