"""Workers as Ray actors: on the machines of a cluster, or on this one.

Every machine needs this project at the same path and the same Python packages, and sees the
recordings and the label store at the same paths: a shared file system.
"""

import concurrent.futures
import dataclasses
import functools
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import cv2
from absl import logging

from data_prep.engines.dealing import Answers, Dealer, WorkersDiedError
from data_prep.label_job import LabelJob, Labeller, Question
from data_prep.teacher_choice import TeacherChoice
from mtdepth.datasets.frames import FrameId

Answer = TypeVar("Answer")
Record = TypeVar("Record", LabelJob, TeacherChoice)

PROJECT_ROOT = Path(__file__).resolve().parents[2]
THIS_MACHINE = "local"
CONNECT_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class RayEngine:
    """Actors on a Ray cluster.

    Attributes:
      address: Of a running cluster, `auto` for the one on this machine, or None: a cluster on this
        machine that ends with the job.
      num_workers: How many actors; None: for a neural teacher one a GPU of the cluster (one a
        machine where there is none), for others one a processor.
    """

    address: str | None = None
    num_workers: int | None = None

    def __post_init__(self) -> None:
        """Finds out now, not hours into a job, that Ray is not installed."""
        _ray()

    def connect(self) -> None:
        """Finds the cluster, or starts one on this machine; once a program, Ray ends with it.

        Raises:
          ConnectionError: If no cluster is at the address.
        """
        if not _ray().is_initialized():
            _connect(self.address)

    def answers(
        self, question: Question[Answer], frames: Sequence[FrameId], job: LabelJob
    ) -> Iterator[tuple[FrameId, Answer]]:
        """Asks a question of every frame; yields in the order in which they are finished.

        Raises:
          ConnectionError: If no cluster is at the address, or no worker can start there.
          OSError: If the disk is full or may not be written.
        """
        ray = _ray()
        self.connect()
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        number, needs = workers_of(
            nodes, num_workers=self.num_workers, is_neural=job.teachers.is_neural
        )
        # A worker's working folder is the one that its machine's Ray was started in.
        job = with_absolute_paths(
            dataclasses.replace(job, teachers=with_absolute_paths(job.teachers))
        )
        logging.info("ray: %d workers on %d machines, each with %s", number, len(nodes), needs)
        actor = ray.remote(_Answerer).options(**needs)
        dealer = Dealer(
            hire=lambda: _Actor(actor.remote(question, job)),
            num_workers=number,
            batch_size=job.batch_size,
            # An actor that Ray itself ends for want of memory raises the second.
            deaths=(ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError),
            give_up=question.failed,
        )
        try:
            yield from dealer.answers(frames)
        except ray.exceptions.RayTaskError as error:
            # The worker's own error, which Ray's wrapping robs of its number.
            raise error.cause from error
        except WorkersDiedError as error:
            if not getattr(error.__cause__, "actor_init_failed", False):
                raise
            raise ConnectionError(
                f"Ray's workers cannot start: {error.__cause__}. Every machine of the cluster "
                f"needs this project at {PROJECT_ROOT} and the same Python packages"
            ) from error


def with_absolute_paths(record: Record) -> Record:
    """A copy of a dataclass record whose paths do not depend on the working folder."""
    paths: dict[str, Any] = {
        field.name: value.absolute()
        for field in dataclasses.fields(record)
        if isinstance(value := getattr(record, field.name), Path)
    }
    return dataclasses.replace(record, **paths)


def workers_of(
    nodes: Sequence[Mapping[str, float]], *, num_workers: int | None, is_neural: bool
) -> tuple[int, dict[str, float]]:
    """How a cluster is divided among workers, so that all of them find a place at once.

    Args:
      nodes: What Ray says each machine has: `CPU`, `GPU`, ...
      num_workers: How many are wanted; None: see `RayEngine`.
      is_neural: Whether a worker runs a network.

    Returns:
      The number of workers, and the `num_cpus` and `num_gpus` that each reserves.
    """
    cpus = [node["CPU"] for node in nodes if node.get("CPU", 0) > 0] or [1.0]
    num_gpus = int(sum(node.get("GPU", 0) for node in nodes)) if is_neural else 0
    if num_gpus:
        number = num_workers or num_gpus
        return number, {"num_cpus": 0, "num_gpus": min(1.0, num_gpus / number)}
    if not is_neural:
        number = num_workers or int(sum(cpus))
        return number, {"num_cpus": min(1.0, sum(cpus) / number), "num_gpus": 0}
    # TensorFlow computes on every processor that it is given.
    number = num_workers or len(cpus)
    share = min(cpus) / -(-number // len(cpus))
    # Ray knows parts of one processor, and whole processors.
    return number, {"num_cpus": int(share) if share > 1 else share, "num_gpus": 0}


class _Answerer:
    """The actor; lives in a process of its own."""

    def __init__(self, question: Question[Any], job: LabelJob) -> None:
        cv2.setNumThreads(1)
        self._question = question
        self._job = job

    @functools.cached_property
    def _labeller(self) -> Labeller:
        """Made when the first frames come: what it raises then reaches the job as it is."""
        return Labeller(self._job)

    def answer(self, frames: Sequence[FrameId]) -> Answers:
        return list(self._question.answers(self._labeller, frames))


class _Actor:
    """The actor as the dealer sees it."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def ask(self, frames: Sequence[FrameId]) -> "concurrent.futures.Future[Answers]":
        return self._handle.answer.remote(list(frames)).future()

    def dismiss(self) -> None:
        _ray().kill(self._handle)


def _connect(address: str | None) -> None:
    ray = _ray()
    # Nothing of what is labelled here is anybody else's business.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    _check_reachable(address)
    own = {"include_dashboard": False} if address is None else {}
    try:
        ray.init(
            address=address or THIS_MACHINE,
            log_to_driver=False,
            logging_level="warning",
            runtime_env={"env_vars": {"PYTHONPATH": str(PROJECT_ROOT)}},
            **own,
        )
    except (ConnectionError, ValueError) as error:
        raise _no_cluster(address, error) from error


def _check_reachable(address: str | None) -> None:
    """Asks the port, which answers at once; Ray itself would try for minutes."""
    host, separator, port = (address or "").removeprefix("ray://").rpartition(":")
    if separator and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
        except OSError as error:
            raise _no_cluster(address, error) from error


def _no_cluster(address: str | None, error: Exception) -> ConnectionError:
    return ConnectionError(
        f"no Ray cluster at --ray_address {address} ({error}); `ray start --head` starts one. "
        "If it is there and asks for a token, set RAY_AUTH_MODE=token; the token is in "
        "~/.ray/auth_token of the machine that started it"
    )


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "--engine ray needs Ray, which is an extra: pip install '.[ray]' (or give --engine "
            "local)"
        ) from error
    return ray
