"""Settings that must stand before anything is imported, and the shared real data."""

import gc
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes.once import VARIABLE, built_once
from hypothesis import settings

if TYPE_CHECKING:
    from mtdepth.datasets.label_store import LabelStore

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if IS_WORKER:
    # As many workers as processors: threads beside them would only wait for one another.
    for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

settings.register_profile("tests", deadline=None)  # a busy machine is no failure
settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """Makes the folder of what is built once; the worker processes inherit its name."""
    if not IS_WORKER:
        # By itself xdist begins with the files of most tests, and the long ones have few.
        config.option.loadscopereorder = False
        folder = tempfile.TemporaryDirectory(prefix="mtdepth-tests-")
        config.add_cleanup(folder.cleanup)
        os.environ[VARIABLE] = folder.name


# Begun first, the longest before the others, so that no process is left alone with one at the end.
_LONG = (
    *("test_models_student", "test_teachers_deeplab_network", "test_training_video_run"),
    *("test_export_artefact", "test_export_qat", "test_data_prep_doctor", "test_export_device"),
    *("test_data_prep_generation", "test_teachers_psmnet_network", "test_models_mininet"),
    *("test_models_encoder_weights", "test_training_student_run", "test_predictor"),
    *("test_data_prep_demo_world_training", "test_models_counting", "test_end_to_end"),
    *("test_data_prep_demo_world_writer", "test_models_backends", "test_data_prep_killed_jobs"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts long files first."""
    rank = {name: number for number, name in enumerate(_LONG)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(_LONG)))


def pytest_collection_finish() -> None:
    """Spares the processor what finds nothing in tests.

    What was imported is left out of every later search for garbage. Graphs, which run once or
    twice here, run as traced: to rewrite them for speed is a fifth of tracing a training step.
    """
    gc.collect()
    gc.freeze()
    if "tensorflow" in sys.modules:
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.fixture(autouse=True)
def _log_levels_as_before() -> Iterator[None]:
    """A program in this process sets levels, and the next test reads what is logged."""
    before = {logger: logger.level for logger in _loggers()}
    yield
    for logger in _loggers():
        level = before.get(logger, logging.NOTSET)
        if logger.level != level and (logger in before or logger.name.split(".")[0] in _OURS):
            logger.setLevel(level)


def _loggers() -> list[logging.Logger]:
    known = logging.root.manager.loggerDict.values()
    return [logging.root, *(one for one in known if isinstance(one, logging.Logger))]


_OURS = ("absl", "mtdepth", "teachers", "data_prep", "export")
_SHARED = Path(__file__).resolve().parents[1].parent / "shared"


def _folder_or_skip(variable: str, name: str) -> Path:
    given = os.environ.get(variable)
    folder = Path(given) if given else _SHARED / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; ${variable} says where else it lies")
    return folder


@pytest.fixture(scope="session")
def kitti_mini() -> Path:
    """Folder of a few real KITTI frames, or a skip."""
    return _folder_or_skip("MTDEPTH_KITTI_MINI", "kitti_mini")


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of arrays that independent implementations computed, or a skip."""
    return _folder_or_skip("MTDEPTH_REFERENCE", "reference")


@pytest.fixture(scope="session")
def tree() -> Path:
    """A synthetic KITTI tree of exact truth; read-only: a test that damages one copies it first."""
    # Imported here: numpy and OpenCV must see the settings above.
    from fakes.kitti_tree import build_kitti_tree

    return built_once("kitti", build_kitti_tree)


@pytest.fixture(scope="session")
def labels(tree: Path) -> "LabelStore":
    """The exact labels of `tree`; read-only likewise."""
    from fakes.label_store import build_label_store

    from mtdepth.datasets.label_store import LabelStore

    return LabelStore.open(built_once("labels", lambda folder: build_label_store(folder, tree)))
