"""Numbers of a calibration file, by key, each checked with a message that names file and key."""

import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor

from mtdepth.files import DAMAGE, DataError, read_text
from mtdepth.geometry.camera import Intrinsics

Matrix = npt.NDArray[np.float64]


class Entries:
    """What stands in one calibration file, or in several that are read as one.

    Args:
      path: The file, or the first, for messages.
      values: By key: numbers, lists of numbers, or matrices in rows.
    """

    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        self.path = path
        self.values = dict(values)

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def name_of(self, names: Iterable[str]) -> str | None:
        """The first of some names that the file has."""
        return next((name for name in names if name in self.values), None)

    def matrix(self, key: str, shape: tuple[int, ...]) -> Matrix:
        """The numbers of one key as float64 `[*shape]`.

        Raises:
          DataError: If it is missing, or other than so many finite numbers.
        """
        numbers = self.numbers(key)
        if numbers.size != np.prod(shape):
            raise self.error(
                key, f"must hold {'x'.join(map(str, shape))} numbers, has {numbers.size}"
            )
        return numbers.reshape(shape)

    def numbers(self, key: str) -> Matrix:
        """All numbers of one key, `[n]`; raises as `matrix`."""
        if key not in self.values:
            there = ", ".join(map(str, self.values)) or "nothing"
            raise DataError(self.path, f"no {key}; there are {there[:300]}")
        value = self.values[key]
        # ROS writes a matrix as rows, cols and data.
        value = value.get("data") if isinstance(value, Mapping) else value
        try:
            numbers = np.asarray(value, np.float64).ravel()
        except (TypeError, ValueError, OverflowError) as error:
            raise self.error(key, f"must hold numbers, has {str(value)[:60]!r}") from error
        if not np.isfinite(numbers).all():
            raise self.error(key, "must hold finite numbers")
        return numbers

    def whole(self, key: str) -> int:
        """One whole number."""
        number = float(self.matrix(key, (1,))[0])
        if not number.is_integer():
            raise self.error(key, f"must be a whole number, is {number:g}")
        return int(number)

    def text(self, key: str) -> str:
        """A word, in small letters; "" where it is missing."""
        return str(self.values.get(key, "")).strip().lower()

    def camera(self, key: str, *, size: tuple[int, int]) -> Intrinsics:
        """The pinhole of a 3x3 camera matrix.

        Raises:
          DataError: If it is none.
        """
        K = self.matrix(key, (3, 3))
        if not np.allclose(K[[0, 1, 2, 2, 2], [1, 0, 0, 1, 2]], [0, 0, 0, 0, 1], atol=1e-6):
            raise self.error(key, "must be fx 0 cx / 0 fy cy / 0 0 1")
        try:
            return Intrinsics.of_matrix(K, size)
        except ValueError as error:
            raise self.error(key, str(error)) from error

    def error(self, key: str, why: str) -> DataError:
        """To be raised: what is wrong with one key."""
        return DataError(self.path, f"{key} {why}")


class _Constructor(SafeConstructor):
    """As the safe one, and matrices of OpenCV as what they are written as: rows, cols, dt, data."""


for _kind in ("opencv-matrix", "opencv-nd-matrix"):
    _Constructor.add_constructor(
        f"tag:yaml.org,2002:{_kind}",
        lambda constructor, node: constructor.construct_mapping(node, deep=True),
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads YAML of one record; also OpenCV's, whose first line is no YAML.

    Raises:
      FileNotFoundError: If it is missing.
      DataError: If it is anything else.
    """
    text = re.sub(r"\A%YAML.*\n", "", read_text(path))
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    try:
        content = yaml.load(io.StringIO(text))
    # ruamel's own errors have no common parent but `Exception` and `Warning`.
    except (*DAMAGE, Warning, Exception) as error:
        raise DataError(path, f"not valid YAML ({str(error).splitlines()[0][:120]})") from error
    if not isinstance(content, dict):
        raise DataError(path, f"must hold keys and values, found {str(content)[:60]!r}")
    return {str(key): value for key, value in content.items()}
