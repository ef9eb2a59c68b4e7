"""A trained network's file: Keras's `.keras` archive with a record of ours inside.

The record says what the network is, so that it is built anew and takes the archive's weights:
keras-cv's MobileNetV3 cannot be read back from the description that Keras stores beside them.
"""

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

from mtdepth.datasets.label_map import NUM_CLASSES
from mtdepth.files import (
    DAMAGE,
    MAX_ARRAY_BYTES,
    DataError,
    UserError,
    atomic_path,
    check_regular,
    parse_json,
)
from mtdepth.records import rebuilt

RECORD_NAME = "mtdepth_deeplab.json"
SUFFIX = ".keras"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepLabInfo:
    """What a saved network is.

    Attributes:
      backbone: As `build_deeplab` calls it.
      head: Likewise.
      origin: What it was trained on, for how long, with which result; shown to the user.
      num_classes: Channels of its output.
    """

    backbone: str
    head: str
    origin: str
    num_classes: int = NUM_CLASSES


def save_deeplab(path: Path, model: Any, info: DeepLabInfo) -> None:
    """Writes a network and its record as one file, atomically.

    Args:
      path: Ends in `.keras`.
      model: A `keras.Model` of `build_deeplab`, trained or not.
      info: What it is.

    Raises:
      UserError: If the name has another suffix, or the model has other channels than `info` says.
    """
    if path.suffix != SUFFIX:
        raise UserError(f"{path}: a network is saved as {SUFFIX}")
    if model.output_shape[-1] != info.num_classes:
        raise UserError(
            f"the model has {model.output_shape[-1]} channels, its record {info.num_classes}"
        )
    import keras

    # Around the same layers, but not compiled: an optimizer's state is not part of a teacher.
    bare = keras.Model(model.inputs, model.outputs, name=model.name)
    with atomic_path(path) as temporary:
        bare.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(RECORD_NAME, json.dumps(dataclasses.asdict(info), indent=2))


def read_info(path: Path) -> DeepLabInfo:
    """Reads a saved network's record, and checks the file, without loading the network.

    Raises:
      FileNotFoundError: If the file is missing.
      DataError: If it is no file of `save_deeplab`, or damaged.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: no such file of DeepLab weights; `python -m teachers.train deeplab_v3` makes "
            "one, and a published frozen graph (.pb, .tar.gz) does as well"
        )
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(each.file_size for each in archive.infolist()) > MAX_ARRAY_BYTES:
                raise zipfile.BadZipFile("it would become too large")
            damaged = archive.testzip()
            text = archive.read(RECORD_NAME).decode() if RECORD_NAME in archive.namelist() else ""
    except DAMAGE as error:
        why = f"not a .keras file, or cut short ({error}); copy it again"
        raise DataError(path, why) from error
    if damaged is not None:
        raise DataError(path, f"its part {damaged} is damaged; copy it again")
    if not text:
        raise DataError(
            path,
            f"holds no readable {RECORD_NAME}, which `save_deeplab` writes: not a network of "
            "`python -m teachers.train deeplab_v3`",
        )
    try:
        return rebuilt(DeepLabInfo, parse_json(path, text))
    except UserError as error:
        raise DataError(path, f"its {RECORD_NAME} is of another version ({error})") from error
