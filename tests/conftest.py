"""Settings that must stand before anything is imported, and the shared real data."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mtdepth.datasets.label_store import LabelStore

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")

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
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic KITTI tree of exact truth; read-only: a test that damages one copies it first."""
    # Imported here: numpy and OpenCV must see the settings above.
    from fakes.kitti_tree import build_kitti_tree

    return build_kitti_tree(tmp_path_factory.mktemp("kitti"))


@pytest.fixture(scope="session")
def labels(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> "LabelStore":
    """The exact labels of `tree`; read-only likewise."""
    from fakes.label_store import build_label_store

    return build_label_store(tmp_path_factory.mktemp("labels"), tree)
