"""Where a worker runs: processes of this machine, or actors of a Ray cluster, and their flags.

Every machine of a cluster needs this project and the folder that the job is started in at the same
paths, the same Python packages, and sees the recordings and the output at the same paths: a shared
file system.
"""

import concurrent.futures
import concurrent.futures.process
import contextlib
import dataclasses
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags, logging

from data_prep.jobs.run import Frame, Results, Scheduler, Worker, WorkersDiedError, begin_process
from mtdepth.attempts import Failed, Result
from mtdepth.files import UserError

flags.disclaim_key_flags()  # so that --help of the program that defines them shows them

PROJECT_ROOT = Path(__file__).resolve().parents[2]
CONNECT_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class LocalPool:
    """Processes of this machine.

    Attributes:
      num_processes: How many; 1 works in this process.
    """

    num_processes: int = 1

    def __post_init__(self) -> None:
        """Rejects a pool without workers."""
        if self.num_processes < 1:
            raise UserError(f"--num_processes is at least 1, got {self.num_processes}")

    def run(
        self, worker: Worker[Frame, Result], frames: Sequence[Frame], *, batch_size: int
    ) -> Results[Frame, Result]:
        """Frame and result in the order in which they are finished."""
        if self.num_processes == 1 or len(frames) < 2:
            return worker(frames)
        return self._scheduled(worker, frames, batch_size=batch_size)

    def _scheduled(
        self, worker: Worker[Frame, Result], frames: Sequence[Frame], *, batch_size: int
    ) -> Results[Frame, Result]:
        with _thread_failures() as failures:
            yield from Scheduler[Frame](
                start=lambda: concurrent.futures.ProcessPoolExecutor(
                    1,
                    # A forked copy of a process with threads can hang; a spawned one starts clean.
                    mp_context=multiprocessing.get_context("spawn"),
                    initializer=_begin,
                    initargs=(worker,),
                ),
                num_processes=self.num_processes,
                batch_size=batch_size,
                deaths=(concurrent.futures.process.BrokenProcessPool,),
                failures=failures,
            ).run(frames)


@contextlib.contextmanager
def _thread_failures() -> Iterator[list[BaseException]]:
    """What ended threads without being caught, as one of an executor that had no memory."""
    failures: list[BaseException] = []
    before = threading.excepthook
    threading.excepthook = lambda ended: failures.append(
        ended.exc_value or ended.exc_type(str(ended.thread))
    )
    try:
        yield failures
    finally:
        threading.excepthook = before
        if failures:
            for process in multiprocessing.active_children():
                process.kill()  # nobody would ever hand it anything
                process.join()


def _begin(worker: Worker[Any, Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once, without a traceback
    threading.Thread(target=_end_with_parent, daemon=True).start()
    begin_process(worker)


def _end_with_parent() -> None:
    """Ends this process when its parent was killed; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@dataclasses.dataclass(frozen=True)
class RayPool:
    """Actors of a Ray cluster.

    Not `ray.util.multiprocessing.Pool`: it neither says over which frames an actor died nor starts
    another.

    Attributes:
      address: Of a running cluster, `auto` for the one on this machine, or None: a cluster on this
        machine that ends with the program.
      num_workers: How many actors; None: for a neural worker one a GPU of the cluster (one a
        machine where there is none), for others one a processor.
      is_neural: Whether a worker runs a network.
    """

    address: str | None = None
    num_workers: int | None = None
    is_neural: bool = False

    def connect(self) -> None:
        """Finds the cluster, or starts one on this machine; once a program, Ray ends with it.

        Raises:
          ImportError: If Ray is absent.
          ConnectionError: If no cluster is at the address.
        """
        ray = _ray()
        if ray.is_initialized():
            return
        # Nothing of what is labelled here is anybody else's business.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        host, separator, port = (self.address or "").removeprefix("ray://").rpartition(":")
        own = {"include_dashboard": False} if self.address is None else {}
        try:
            if separator and port.isdigit():
                # The port answers at once; Ray itself would try for minutes.
                socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
            ray.init(
                address=self.address or "local",
                log_to_driver=False,
                logging_level="warning",
                runtime_env={"env_vars": {"PYTHONPATH": str(PROJECT_ROOT)}},
                **own,
            )
        except (OSError, ValueError) as error:
            raise ConnectionError(
                f"no Ray cluster at --ray_address {self.address} ({error}); `ray start --head` "
                "starts one. If it is there and asks for a token, set RAY_AUTH_MODE=token; the "
                "token is in ~/.ray/auth_token of the machine that started it"
            ) from error

    def run(
        self, worker: Worker[Frame, Result], frames: Sequence[Frame], *, batch_size: int
    ) -> Iterator[tuple[Frame, Result | Failed]]:
        """Frame and result in the order in which they are finished.

        Raises:
          ConnectionError: If no cluster is at the address, or no worker can start there.
        """
        self.connect()
        ray = _ray()
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        number, needs = workers_of(nodes, num_workers=self.num_workers, is_neural=self.is_neural)
        logging.info("ray: %d workers on %d machines, each with %s", number, len(nodes), needs)
        actor, folder = ray.remote(_Actor).options(**needs), Path.cwd()
        scheduler = Scheduler[Frame](
            start=lambda: _RayExecutor(actor.remote(worker, folder)),
            num_processes=number,
            batch_size=batch_size,
            # An actor that Ray itself ends for want of memory raises the second.
            deaths=(ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError),
        )
        try:
            yield from scheduler.run(frames)
        except ray.exceptions.RayTaskError as error:
            # The worker's own error, which Ray's wrapping robs of its number.
            raise error.cause from error
        except WorkersDiedError as error:
            if not getattr(error.__cause__, "actor_init_failed", False):
                raise
            raise ConnectionError(
                f"Ray's workers cannot start: {error.__cause__}. Every machine of the cluster "
                f"needs this project at {PROJECT_ROOT}, the folder {folder} and the same Python "
                "packages"
            ) from error


class _Actor:
    """Lives in a process of its own."""

    def __init__(self, worker: Worker[Any, Any], folder: Path) -> None:
        os.chdir(folder)  # else the one that its machine's Ray was started in
        begin_process(worker)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)


class _RayExecutor(concurrent.futures.Executor):
    """An actor as an executor of one process."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **_: Any
    ) -> "concurrent.futures.Future[Any]":
        return self._actor.run.remote(fn, *args).future()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        _ray().kill(self._actor)


def workers_of(
    nodes: Sequence[Mapping[str, float]], *, num_workers: int | None, is_neural: bool
) -> tuple[int, dict[str, float]]:
    """How a cluster is divided among workers, so that all of them find a place at once.

    Args:
      nodes: What Ray says each machine has: `CPU`, `GPU`, ...
      num_workers: How many are wanted; None: see `RayPool`.
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


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "--engine ray needs Ray, which is an extra: pip install '.[ray]' (or give --engine "
            "local)"
        ) from error
    return ray


def define_pool_flags() -> None:
    """Defines --engine, --num_processes and --ray_address."""
    flags.DEFINE_enum(
        "engine",
        "local",
        ["local", "ray"],
        "local: processes of this machine. ray: a Ray cluster, or one that is started here.",
    )
    flags.DEFINE_integer(
        "num_processes",
        None,
        "Workers. Default: one a processor; for a network, which uses them all, 1 (on a Ray "
        "cluster one a GPU).",
        lower_bound=1,
    )
    flags.DEFINE_string(
        "ray_address", None, "Of a running Ray cluster; auto: the one of this machine."
    )


def define_batch_flag() -> None:
    """Defines --batch_size, for programs that ask a teacher for several frames together."""
    flags.DEFINE_integer(
        "batch_size",
        1,
        "Pictures that a network is shown at once: more than 1 pays on a GPU.",
        lower_bound=1,
    )


def pool_from_flags(*, is_neural: bool) -> LocalPool | RayPool:
    """The pool of the flags.

    Args:
      is_neural: Whether a worker runs a network, which uses all of a machine by itself.

    Raises:
      UserError: If the flags contradict each other.
      ImportError: If Ray is wanted and absent.
      ConnectionError: If no cluster is at its address.
    """
    values = flags.FLAGS
    number = values.num_processes
    if values.engine == "ray":
        pool = RayPool(address=values.ray_address, num_workers=number, is_neural=is_neural)
        pool.connect()
        return pool
    if values.ray_address is not None:
        raise UserError("--ray_address belongs to --engine ray, not to local")
    if number is None:
        number = 1 if is_neural else os.cpu_count() or 1
        why = "a network uses every processor by itself" if is_neural else "one a processor"
        logging.info("--num_processes not given: %d, %s", number, why)
    return LocalPool(number)
