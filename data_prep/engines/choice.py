"""Which engine a program uses: flags that are shared, and what they stand for."""

import os

from absl import flags, logging

from data_prep.engines.dealing import Engine
from data_prep.engines.local import LocalEngine
from data_prep.engines.ray_cluster import RayEngine
from data_prep.teacher_choice import TeacherChoice

flags.disclaim_key_flags()  # so that --help of the program that defines them shows them

ENGINES = ("local", "ray")


def define_engine_flags() -> None:
    """Defines --engine, --num_processes and --ray_address."""
    flags.DEFINE_enum(
        "engine",
        "local",
        list(ENGINES),
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


def engine_from_flags(teachers: TeacherChoice) -> Engine:
    """The engine of the flags.

    Raises:
      ValueError: If the flags contradict each other.
      ImportError: If Ray is wanted and absent.
      ConnectionError: If no cluster is at its address.
    """
    values = flags.FLAGS
    if values.engine == "ray":
        ray_engine = RayEngine(address=values.ray_address, num_workers=values.num_processes)
        ray_engine.connect()
        return ray_engine
    if values.ray_address is not None:
        raise ValueError("--ray_address belongs to --engine ray, not to local")
    number = values.num_processes
    if number is None:
        number = 1 if teachers.is_neural else os.cpu_count() or 1
        why = (
            "a network uses every processor by itself" if teachers.is_neural else "one a processor"
        )
        logging.info("--num_processes not given: %d, %s", number, why)
    return LocalEngine(number)
