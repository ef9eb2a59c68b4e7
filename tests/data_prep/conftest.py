"""What several tests of data preparation share."""

import os
from pathlib import Path

import pytest
from fakes.kitti_tree import build_kitti_tree


@pytest.fixture(autouse=True)
def _one_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs start no processes unless a test asks for them: each imports for a second."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)


@pytest.fixture(scope="session")
def three_drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drives of three frames of two cameras; read-only: a test that breaks it copies it."""
    root = tmp_path_factory.mktemp("three_drives") / "raw"
    return build_kitti_tree(root, num_drives=3, num_frames=3)
