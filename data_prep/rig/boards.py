"""Finds a chessboard in pictures."""

import concurrent.futures
import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from mtdepth.attempts import Failed, attempt
from mtdepth.files import UserError
from mtdepth.pictures import read_rgb

Points = npt.NDArray[np.float64]

_FLAGS = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY


@dataclasses.dataclass(frozen=True, kw_only=True)
class Board:
    """A chessboard, counted by its inner corners: a board of 10x7 squares has 9x6.

    Attributes:
      columns: Inner corners of a row.
      rows: Inner corners of a column.
      square_m: Side of a square.
    """

    columns: int
    rows: int
    square_m: float

    @classmethod
    def parse(cls, text: str, *, square_m: float) -> "Board":
        """Reads `9x6`.

        Raises:
          UserError: If it is no board.
        """
        sides = re.fullmatch(r"(\d{1,3})x(\d{1,3})", text)
        if sides is None or min(int(sides[1]), int(sides[2])) < 3:
            raise UserError(
                f"--board={text}: the inner corners of a chessboard, such as 9x6 (a board of 10x7 "
                "squares), at least 3x3"
            )
        if not 0.001 <= square_m <= 1:
            raise UserError(
                f"--square_m={square_m:g}: the side of one square in metres, such as 0.025; from "
                "0.001 to 1"
            )
        return cls(columns=int(sides[1]), rows=int(sides[2]), square_m=square_m)

    @property
    def points_m(self) -> Points:
        """`[corners, 3]` in the board's frame, row by row, z = 0."""
        rows, columns = np.mgrid[: self.rows, : self.columns]
        flat = np.stack([columns.ravel(), rows.ravel(), np.zeros(rows.size)], axis=1)
        return flat * self.square_m


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BoardViews:
    """The boards that one camera saw.

    Attributes:
      size: (height, width) of its pictures.
      corners: `[corners, 2]` pixels by picture name, where a whole board was found.
      without: Names of the other pictures, with the reason.
    """

    size: tuple[int, int]
    corners: dict[str, Points]
    without: dict[str, str]


def find_boards(paths: Sequence[Path], board: Board) -> BoardViews:
    """Looks for a board in every picture of one camera.

    Raises:
      UserError: If there is none in any.
    """
    # OpenCV's search leaves Python free; each picture is searched by one thread.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(
            tqdm(
                pool.map(lambda path: attempt(_find, path, board), paths),
                total=len(paths),
                desc=f"boards in {paths[0].parent.name}",
                unit="picture",
            )
        )
    sizes = [each[0] for each in found if not isinstance(each, Failed)]
    size = max(set(sizes), key=sizes.count) if sizes else (0, 0)
    corners, without = {}, {}
    for path, each in zip(paths, found, strict=True):
        if isinstance(each, Failed):
            without[path.name] = each.why
        elif each[1] is None:
            without[path.name] = "no whole board"
        elif each[0] != size:
            without[path.name] = f"of another size than the others, {each[0]}"
        else:
            corners[path.name] = each[1]
    if not corners:
        raise UserError(
            f"{paths[0].parent}: no picture of {len(paths)} shows the whole board of "
            f"{board.columns}x{board.rows} inner corners; count where four squares meet, keep all "
            "of it and a white margin in view"
        )
    return BoardViews(size=size, corners=corners, without=without)


def same_order(corners: Points, like: Points) -> Points:
    """A board's corners from the end from which another camera beside it counted them.

    A board is found from either end; the two views of one are hardly turned against each other.
    """
    way, way_like = corners[-1] - corners[0], like[-1] - like[0]
    return corners if way @ way_like > 0 else corners[::-1]


def _find(path: Path, board: Board) -> tuple[tuple[int, int], Points | None]:
    grey = cv2.cvtColor(read_rgb(path), cv2.COLOR_RGB2GRAY)
    is_found, corners = cv2.findChessboardCornersSB(grey, (board.columns, board.rows), flags=_FLAGS)
    size = (grey.shape[0], grey.shape[1])
    return size, corners.reshape(-1, 2).astype(np.float64) if is_found else None
