"""Settings that must stand before anything is imported, and the shared real data."""

import os
from pathlib import Path

import pytest

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
