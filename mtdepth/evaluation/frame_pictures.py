"""Frames of an evaluation as layers that lie upon each other: `frames/`, written and read.

`frames.json` lists the frames, and of each its layers in order, as names and files beside it.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from mtdepth.files import (
    DataError,
    atomic_path,
    is_there,
    read_bytes,
    read_record,
    remove_leftovers,
    write_json,
)
from mtdepth.reporting import Comparison, Rgb, panels

FOLDER, LIST_NAME = "frames", "frames.json"
# ours: what a phone held upright shows at two device pixels a point; a layer then has 10 to 40 kB,
# so six frames of six layers stay below 2 MB.
WIDTH_PX = 720
QUALITY = 80  # ours: of WebP; no edge of a class is seen to blur


@dataclasses.dataclass(frozen=True, kw_only=True)
class FramePictures:
    """A frame that was scored.

    Attributes:
      frame: Its name.
      abs_rel: Its error, under the evaluation's first protocol.
      layers: WebP pictures of one size by name, in the order that they are looked through.
      train_ids: Classes that occur in them.
    """

    frame: str
    abs_rel: float
    layers: dict[str, bytes]
    train_ids: tuple[int, ...]


def write_frames(
    folder: Path, rows: Sequence[tuple[str, float, Comparison]], *, truth_name: str
) -> None:
    """Writes frames, in their order, in place of those that were there.

    Args:
      folder: Of the evaluation's pictures.
      rows: Frame, Abs Rel and what is shown of it.
      truth_name: What the layer of the truth is called.
    """
    folder = folder / FOLDER
    remove_leftovers(folder)
    listed: list[dict[str, Any]] = []
    for number, (frame, abs_rel, row) in enumerate(rows):
        layers = []
        for layer, (name, picture) in enumerate(panels(row, truth_name=truth_name).items()):
            layers.append({"name": name, "file": f"{number:02d}_{layer}.webp"})
            with atomic_path(folder / layers[-1]["file"]) as temporary:
                temporary.write_bytes(_encoded(picture))
        known = {"layers": layers, "train_ids": list(row.train_ids())}
        listed.append({"frame": frame, "abs_rel": abs_rel, **known})
    write_json(folder / LIST_NAME, {"frames": listed})
    wanted = {each["file"] for row in listed for each in row["layers"]}
    for left in folder.glob("*.webp"):
        if left.name not in wanted:
            left.unlink()


def read_frames(folder: Path) -> list[FramePictures]:
    """The frames that were written there; none where there are none.

    Raises:
      FileNotFoundError: If a picture is missing.
      DataError: If the list is damaged.
    """
    path = folder / FOLDER / LIST_NAME
    if not is_there(path):
        return []
    try:
        return [
            FramePictures(
                frame=str(each["frame"]),
                abs_rel=float(each["abs_rel"]),
                layers={
                    str(layer["name"]): read_bytes(path.with_name(str(layer["file"])))
                    for layer in each["layers"]
                },
                train_ids=tuple(int(train_id) for train_id in each["train_ids"]),
            )
            for each in read_record(path)["frames"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(path, f"no list of frames ({error}); evaluate again") from error


def _encoded(picture: Rgb) -> bytes:
    height, width = picture.shape[:2]
    if width > WIDTH_PX:
        size = (WIDTH_PX, round(height * WIDTH_PX / width))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    is_encoded, content = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    if not is_encoded:
        raise RuntimeError("OpenCV could not write WebP")
    return content.tobytes()
