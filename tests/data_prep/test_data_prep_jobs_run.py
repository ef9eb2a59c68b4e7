"""Workers over frames: the same store wherever they run, and what happens when processes die."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import errno
import multiprocessing
import multiprocessing.queues
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from fakes.label_workers import DeadlyFrame, FullDisk
from hypothesis import given
from hypothesis import strategies as st

from data_prep.generation import GenerationRequest, generate
from data_prep.jobs.labels import LabelJob
from data_prep.jobs.pools import LocalPool, RayPool
from data_prep.jobs.run import EachFrame, Scheduler, WorkersDiedError, run_frames
from data_prep.teacher_choice import TeacherChoice
from mtdepth.attempts import Failed
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import LabelStore

ROOT = Path(__file__).resolve().parents[2]
NUM_FRAMES = 18  # three drives, three frames, two cameras


@pytest.fixture(scope="module")
def tree(three_drives: Path) -> Path:
    return three_drives


@pytest.fixture(scope="module")
def ray_pool() -> Iterator[RayPool]:
    """Two workers on a real cluster of this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        # Its processes import the tests' own workers.
        runtime_env={"env_vars": {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}},
    )
    yield RayPool(num_workers=2)
    ray.shutdown()


def contents(output: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def job_of(tree: Path, output: Path) -> LabelJob:
    return LabelJob(kitti_root=tree, teachers=TeacherChoice(depth_teacher="sgm"), output=output)


# --- one worker, two pools -----------------------------------------------------------------------


@pytest.mark.slow
def test_a_cluster_writes_the_same_store_as_this_process(
    tree: Path, tmp_path: Path, ray_pool: RayPool
) -> None:
    request = GenerationRequest(
        kitti_root=tree,
        split="all",
        teachers=TeacherChoice(depth_teacher="sgm"),
        output=tmp_path / "here",
    )
    generate(request)
    generate(dataclasses.replace(request, output=tmp_path / "ray", pool=ray_pool))
    assert len(LabelStore.open(tmp_path / "ray").frames) == NUM_FRAMES
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")


@pytest.mark.slow
def test_relative_paths_mean_on_a_cluster_what_they_mean_here(
    tree: Path, tmp_path: Path, ray_pool: RayPool, monkeypatch: pytest.MonkeyPatch
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
        pool=ray_pool,
        limit=1,
    )
    assert [record.status for record in generate(request)] == ["finished"]
    assert len(LabelStore.open("labels").frames) == 1


@pytest.mark.slow
def test_a_frame_that_kills_its_process_once_is_labelled_by_the_next_on_a_cluster(
    tree: Path, tmp_path: Path, ray_pool: RayPool
) -> None:
    frames = KittiRaw(tree).all_frames()
    marker = tmp_path / "killed"
    worker = DeadlyFrame(job_of(tree, tmp_path / "labels"), frames[3], marker, once=True)
    results = list(run_frames(worker, frames, pool=ray_pool, title="labels"))
    assert sorted(frame for frame, _ in results) == frames  # each once
    assert not any(isinstance(result, Failed) for _, result in results)
    assert marker.read_text() == "x"


def test_a_frame_that_kills_every_process_has_failed_and_the_others_are_labelled(
    tree: Path, tmp_path: Path
) -> None:
    frames = KittiRaw(tree).all_frames()[:5]
    marker = tmp_path / "killed"
    worker = DeadlyFrame(job_of(tree, tmp_path / "labels"), frames[3], marker, once=False)
    results = dict(run_frames(worker, frames, pool=LocalPool(2), title="labels"))
    assert sorted(results) == frames
    failed = {frame: found for frame, found in results.items() if isinstance(found, Failed)}
    assert list(failed) == [frames[3]]
    assert "2 workers died over it" in failed[frames[3]].why


@pytest.mark.slow
def test_a_full_disk_on_a_cluster_keeps_its_error_number(
    tree: Path, tmp_path: Path, ray_pool: RayPool
) -> None:
    worker = FullDisk(job_of(tree, tmp_path / "labels"))
    with pytest.raises(OSError, match="No space left") as caught:
        list(run_frames(worker, KittiRaw(tree).all_frames()[:2], pool=ray_pool, title="labels"))
    assert caught.value.errno == errno.ENOSPC


@contextlib.contextmanager
def endless_job() -> "Iterator[subprocess.Popen[str]]":
    """A job in a process of its own whose two workers are at work, and would be for ever."""
    code = (
        # Under nohup it is ignored, and a shell's background job inherits that.
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from data_prep.jobs.pools import LocalPool\n"
        "from data_prep.jobs.run import EachFrame, run_frames\n"
        "from fakes.label_workers import never_done\n"
        "if __name__ == '__main__':\n"
        "    list(run_frames(EachFrame(never_done), range(4), pool=LocalPool(2), title='x'))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as job:
        assert job.stdout is not None
        for _ in range(2):
            assert job.stdout.readline() == "at work\n"
        yield job


def test_ctrl_c_ends_the_job_and_its_processes_without_their_tracebacks() -> None:
    with endless_job() as job:
        os.killpg(job.pid, signal.SIGINT)  # what a terminal does
        # Ends only when every process that holds the pipes has ended.
        _, said = job.communicate(timeout=60)
    assert job.returncode != 0
    assert said.count("Traceback") == 1
    assert "KeyboardInterrupt" in said


def test_the_processes_of_a_job_that_is_killed_end_too() -> None:
    with endless_job() as job:
        job.kill()
        # As above: a process that went on with its chunk would hold the pipe.
        assert job.communicate(timeout=60)[0] == ""
    assert job.returncode == -signal.SIGKILL


def test_a_job_without_memory_for_its_threads_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: object) -> None:
        raise RuntimeError("can't start new thread")

    # As a limited address space has it: the thread that feeds a process starts another, and fails.
    monkeypatch.setattr(multiprocessing.queues.Queue, "_start_thread", start)
    with pytest.raises(WorkersDiedError, match=r"can't start new thread.*--num_processes"):
        list(run_frames(EachFrame(str), range(4), pool=LocalPool(2), title="x"))
    assert not multiprocessing.active_children()


# --- sharing frames among processes --------------------------------------------------------------


class DeathError(Exception):
    """How these processes die."""


class Mortal(concurrent.futures.Executor):
    """A process that dies over some frames, so many times."""

    def __init__(self, lives: dict[int, int]) -> None:
        self._lives = lives
        self.is_alive = True

    def submit(  # type: ignore[override]
        self, _: object, frames: Sequence[int]
    ) -> "concurrent.futures.Future[list[tuple[int, str | Failed]]]":
        assert self.is_alive
        future: concurrent.futures.Future[list[tuple[int, str | Failed]]]
        future = concurrent.futures.Future()
        for frame in frames:
            if self._lives.get(frame, 0) > 0:
                self._lives[frame] -= 1
                self.is_alive = False
                future.set_exception(DeathError("signal 9"))
                return future
        future.set_result([(frame, "done") for frame in frames])
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        self.is_alive = False


def shared(
    num_frames: int, lives: dict[int, int], *, num_processes: int = 2, batch_size: int = 1
) -> tuple[list[tuple[int, str | Failed]], list[Mortal]]:
    started: list[Mortal] = []

    def start() -> Mortal:
        started.append(Mortal(lives))
        return started[-1]

    scheduler = Scheduler[int](
        start=start, num_processes=num_processes, batch_size=batch_size, deaths=(DeathError,)
    )
    return list(scheduler.run(range(num_frames))), started


@given(
    num_frames=st.integers(0, 40),
    lives=st.dictionaries(st.integers(0, 39), st.integers(1, 3), max_size=3),
    num_processes=st.integers(1, 4),
    batch_size=st.integers(1, 5),
)
def test_every_frame_has_one_result_whoever_dies(
    num_frames: int, lives: dict[int, int], num_processes: int, batch_size: int
) -> None:
    results, started = shared(
        num_frames, dict(lives), num_processes=num_processes, batch_size=batch_size
    )
    counts = collections.Counter(frame for frame, _ in results)
    assert counts == dict.fromkeys(range(num_frames), 1)
    failed = {frame for frame, result in results if result != "done"}
    # A death within a larger chunk is not held against the frame; two alone are.
    assert failed <= {number for number, times in lives.items() if times >= 2}
    assert failed >= {number for number, times in lives.items() if times >= 3} & counts.keys()
    assert not any(process.is_alive for process in started)


def test_a_frame_that_two_processes_died_over_alone_has_failed_with_the_reason() -> None:
    results, _ = shared(3, {1: 99})
    assert dict(results)[1] == Failed(
        "2 workers died over it (signal 9); out of memory?", may_pass=True
    )


def test_processes_that_a_machine_takes_along_together_are_replaced() -> None:
    results, _ = shared(80, dict.fromkeys(range(40), 1), num_processes=40)
    assert [result for _, result in results] == ["done"] * 80


def test_a_process_that_dies_between_two_chunks_loses_no_frame() -> None:
    class Fleeting(Mortal):
        """Dies after its first chunk, so that the next submission raises."""

        def submit(  # type: ignore[override]
            self, function: object, frames: Sequence[int]
        ) -> "concurrent.futures.Future[list[tuple[int, str | Failed]]]":
            if not self.is_alive:
                raise DeathError("gone")
            future = super().submit(function, frames)
            self.is_alive = False
            return future

    started = iter([Fleeting({}), Mortal({})])
    scheduler = Scheduler[int](
        start=lambda: next(started), num_processes=1, batch_size=1, deaths=(DeathError,)
    )
    assert sorted(scheduler.run(range(6))) == [(frame, "done") for frame in range(6)]


def test_processes_that_only_die_end_the_job() -> None:
    with pytest.raises(WorkersDiedError, match=r"died one after the other.*--num_processes"):
        shared(50, dict.fromkeys(range(50), 99))


@pytest.mark.parametrize("error", [LookupError, ValueError])
def test_a_fault_of_the_program_ends_the_job_as_it_is(error: type[Exception]) -> None:
    def fail(frame: int) -> int:
        raise error(frame)

    with pytest.raises(error, match="0"):
        list(run_frames(EachFrame(fail), range(3), pool=LocalPool(), title="x"))
