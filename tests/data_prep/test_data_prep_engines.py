"""Engines: the same store whoever makes it, and what happens when workers die."""

import collections
import concurrent.futures
import dataclasses
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from fakes.kitti_tree import build_kitti_tree
from fakes.questions import DeadlyFrame, FullDisk
from hypothesis import given
from hypothesis import strategies as st

from data_prep.engines.dealing import Answers, Dealer, WorkersDiedError
from data_prep.engines.local import LocalEngine
from data_prep.engines.ray_cluster import RayEngine, workers_of
from data_prep.generation import GenerationRequest, generate
from data_prep.label_job import LabelJob
from data_prep.teacher_choice import TeacherChoice
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import LabelStore

ROOT = Path(__file__).resolve().parents[2]
NUM_FRAMES = 12  # three drives, two frames, two cameras


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_kitti_tree(tmp_path_factory.mktemp("kitti") / "raw", num_drives=3, num_frames=2)


@pytest.fixture(scope="module")
def ray_engine() -> Iterator[RayEngine]:
    """Two workers on a real cluster of this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        # Workers import the tests' own questions.
        runtime_env={"env_vars": {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}},
    )
    yield RayEngine(num_workers=2)
    ray.shutdown()


def frame_number(number: int) -> FrameId:
    return FrameId("2011_09_26_drive_0001_sync", number)


def contents(output: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


# --- one law, two engines ------------------------------------------------------------------------


def test_ray_workers_write_the_same_store_as_this_process(
    tree: Path, tmp_path: Path, ray_engine: RayEngine
) -> None:
    request = GenerationRequest(
        kitti_root=tree,
        split="all",
        teachers=TeacherChoice(depth_teacher="sgm"),
        output=tmp_path / "here",
    )
    generate(request)
    generate(dataclasses.replace(request, output=tmp_path / "ray", engine=ray_engine))
    assert len(LabelStore.open(tmp_path / "ray").frames) == NUM_FRAMES
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")


def test_relative_paths_mean_on_a_cluster_what_they_mean_here(
    tree: Path, tmp_path: Path, ray_engine: RayEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the cluster was started elsewhere
    (tmp_path / "kitti").symlink_to(tree)
    request = GenerationRequest(
        kitti_root=Path("kitti"),
        split="all",
        teachers=TeacherChoice(
            depth_teacher="precomputed", disparity_dir=Path("kitti/truth/disparity")
        ),
        output=Path("labels"),
        bias="none",
        engine=ray_engine,
        limit=1,
    )
    assert [record.status for record in generate(request)] == ["finished"]
    assert len(LabelStore.open("labels").frames) == 1


def test_a_frame_that_kills_its_worker_once_is_labelled_by_the_next_under_ray(
    tree: Path, tmp_path: Path, ray_engine: RayEngine
) -> None:
    frames = KittiRaw(tree).all_frames()
    marker = tmp_path / "killed"
    job = LabelJob(
        kitti_root=tree, teachers=TeacherChoice(depth_teacher="sgm"), output=tmp_path / "labels"
    )
    question = DeadlyFrame(frames[3], marker, once=True)
    answers = list(ray_engine.answers(question, frames, job))
    assert sorted(frame for frame, _ in answers) == frames  # each once
    assert {record.status for _, record in answers} == {"finished"}
    assert marker.read_text() == "x"


def test_a_frame_that_kills_every_worker_is_given_up_and_the_others_are_labelled(
    tree: Path, tmp_path: Path
) -> None:
    frames = KittiRaw(tree).all_frames()[:5]
    marker = tmp_path / "killed"
    job = LabelJob(
        kitti_root=tree, teachers=TeacherChoice(depth_teacher="sgm"), output=tmp_path / "labels"
    )
    question = DeadlyFrame(frames[3], marker, once=False)
    answers = dict(LocalEngine(2).answers(question, frames, job))
    assert sorted(answers) == frames
    assert [frame for frame in frames if answers[frame].status == "failed"] == [frames[3]]
    assert "2 workers died over it" in answers[frames[3]].why


def test_a_full_disk_under_ray_keeps_its_error_number(
    tree: Path, tmp_path: Path, ray_engine: RayEngine
) -> None:
    job = LabelJob(
        kitti_root=tree, teachers=TeacherChoice(depth_teacher="sgm"), output=tmp_path / "labels"
    )
    with pytest.raises(OSError, match="No space left") as caught:
        list(ray_engine.answers(FullDisk(), KittiRaw(tree).all_frames()[:2], job))
    assert caught.value.errno == errno.ENOSPC


def test_a_job_without_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="--num_processes is at least 1, got 0"):
        LocalEngine(0)


# --- a cluster's division ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "wanted", "is_neural", "expected"),
    [
        # Classical: one a processor of the cluster, or as many as wanted, all of which fit.
        ([{"CPU": 8}, {"CPU": 4}], None, False, (12, {"num_cpus": 1.0, "num_gpus": 0})),
        ([{"CPU": 2}], 8, False, (8, {"num_cpus": 0.25, "num_gpus": 0})),
        ([{"CPU": 2, "GPU": 1}], None, False, (2, {"num_cpus": 1.0, "num_gpus": 0})),
        # A network: one a GPU, two share one where more are wanted.
        ([{"CPU": 8, "GPU": 2}, {"CPU": 32}], None, True, (2, {"num_cpus": 0, "num_gpus": 1.0})),
        ([{"CPU": 8, "GPU": 2}], 4, True, (4, {"num_cpus": 0, "num_gpus": 0.5})),
        # A network without a GPU: one a machine, as large as the smallest; the head has none.
        ([{}, {"CPU": 8}, {"CPU": 16}], None, True, (2, {"num_cpus": 8, "num_gpus": 0})),
        ([{"CPU": 3}], 2, True, (2, {"num_cpus": 1, "num_gpus": 0})),
    ],
)
def test_a_cluster_is_divided_so_that_every_worker_finds_a_place(
    nodes: list[dict[str, float]], wanted: int | None, is_neural: bool, expected: object
) -> None:
    assert workers_of(nodes, num_workers=wanted, is_neural=is_neural) == expected


# --- dealing -------------------------------------------------------------------------------------


class DeathError(Exception):
    """How these workers die."""


class Mortal:
    """A worker that dies over some frames, so many times."""

    def __init__(self, lives: dict[FrameId, int]) -> None:
        self._lives = lives
        self.is_alive = True

    def ask(self, frames: Sequence[FrameId]) -> "concurrent.futures.Future[Answers]":
        assert self.is_alive
        future: concurrent.futures.Future[Answers] = concurrent.futures.Future()
        for frame in frames:
            if self._lives.get(frame, 0) > 0:
                self._lives[frame] -= 1
                self.is_alive = False
                future.set_exception(DeathError("signal 9"))
                return future
        future.set_result([(frame, "done") for frame in frames])
        return future

    def dismiss(self) -> None:
        self.is_alive = False


def dealt(
    num_frames: int, lives: dict[FrameId, int], *, num_workers: int = 2, batch_size: int = 1
) -> tuple[Answers, list[Mortal]]:
    hired: list[Mortal] = []

    def hire() -> Mortal:
        hired.append(Mortal(lives))
        return hired[-1]

    dealer = Dealer(
        hire=hire,
        num_workers=num_workers,
        batch_size=batch_size,
        deaths=(DeathError,),
        give_up=lambda _, why: why,
    )
    return list(dealer.answers([frame_number(number) for number in range(num_frames)])), hired


@given(
    num_frames=st.integers(0, 40),
    lives=st.dictionaries(st.integers(0, 39), st.integers(1, 3), max_size=3),
    num_workers=st.integers(1, 4),
    batch_size=st.integers(1, 5),
)
def test_every_frame_is_answered_once_whoever_dies(
    num_frames: int, lives: dict[int, int], num_workers: int, batch_size: int
) -> None:
    answers, hired = dealt(
        num_frames,
        {frame_number(number): times for number, times in lives.items()},
        num_workers=num_workers,
        batch_size=batch_size,
    )
    counts = collections.Counter(frame for frame, _ in answers)
    assert counts == {frame_number(number): 1 for number in range(num_frames)}
    given_up = {frame.index for frame, answer in answers if answer != "done"}
    # A death within a larger hand is not held against the frame; two alone are.
    assert given_up <= {number for number, times in lives.items() if times >= 2}
    assert not any(worker.is_alive for worker in hired)


def test_a_frame_that_two_workers_died_over_alone_is_given_up_with_the_reason() -> None:
    answers, _ = dealt(3, {frame_number(1): 99})
    assert dict(answers)[frame_number(1)] == "2 workers died over it (signal 9); out of memory?"


def test_workers_that_a_machine_takes_along_together_are_replaced() -> None:
    lives = {frame_number(number): 1 for number in range(40)}
    answers, _ = dealt(80, lives, num_workers=40)
    assert [answer for _, answer in answers] == ["done"] * 80


def test_a_worker_that_dies_between_two_hands_loses_no_frame() -> None:
    class Fleeting(Mortal):
        """Dies after its first answer, so that asking it again raises."""

        def ask(self, frames: Sequence[FrameId]) -> "concurrent.futures.Future[Answers]":
            if not self.is_alive:
                raise DeathError("gone")
            future = super().ask(frames)
            self.is_alive = False
            return future

    frames = [frame_number(number) for number in range(6)]
    hired = iter([Fleeting({}), Mortal({})])
    dealer = Dealer(
        hire=lambda: next(hired),
        num_workers=1,
        batch_size=1,
        deaths=(DeathError,),
        give_up=lambda _, why: why,
    )
    assert sorted(dealer.answers(frames)) == [(frame, "done") for frame in frames]


def test_workers_that_only_die_end_the_job() -> None:
    lives = {frame_number(number): 99 for number in range(50)}
    with pytest.raises(WorkersDiedError, match=r"died one after the other.*--num_processes"):
        dealt(50, lives)
