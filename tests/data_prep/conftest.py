"""A tree that several tests of data preparation share."""

from pathlib import Path

import pytest
from fakes.kitti_tree import build_kitti_tree


@pytest.fixture(scope="session")
def three_drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drives of three frames of two cameras; read-only: a test that breaks it copies it."""
    root = tmp_path_factory.mktemp("three_drives") / "raw"
    return build_kitti_tree(root, num_drives=3, num_frames=3)
