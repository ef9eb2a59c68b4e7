"""Arrays of MATLAB's files, as scipy writes them; a damaged file is refused."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from mtdepth.datasets.mat_file import read_mat_array
from mtdepth.files import DataError

GRID = np.random.default_rng(0).uniform(1, 60, (3, 2, 4))


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint16, np.int8])
def test_an_array_is_as_scipy_wrote_it(
    tmp_path: Path, dtype: type[np.generic], *, is_packed: bool
) -> None:
    path = tmp_path / "a.mat"
    content = {"b": "words", "cells": np.full((2, 2), "x", object), "grid": GRID.astype(dtype)}
    scipy.io.savemat(path, content, do_compression=is_packed)
    found = read_mat_array(path, "grid")
    np.testing.assert_array_equal(found, GRID.astype(dtype))
    assert found.dtype == np.float64
    for name in ("absent", "b", "cells"):
        with pytest.raises(DataError, match=rf"a\.mat: no {name} can be read"):
            read_mat_array(path, name)


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path, *, is_packed: bool) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"grid": GRID}, do_compression=is_packed)
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match="copy it again"):
            read_mat_array(path, "grid")


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"grid": np.full((2, 2), np.nan)})
    with pytest.raises(DataError, match="NaN"):
        read_mat_array(tmp_path / "a.mat", "grid")
