"""A trained network's file: Keras's `.keras` archive with a record of ours inside.

The record says what the network is, so that it is built anew and takes the archive's weights:
keras-cv's MobileNetV3 cannot be read back from the description that Keras stores beside them.
"""

import dataclasses
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

from mtdepth.datasets.label_map import NUM_CLASSES
from mtdepth.files import DataError, UserError, atomic_path

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
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file of DeepLab weights; `python -m teachers.train deeplab_v3` makes "
            "one, and a published frozen graph (.pb, .tar.gz) does as well"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            record = json.loads(archive.read(RECORD_NAME))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(path, "not a .keras file, or cut short; copy it again") from error
    except (KeyError, ValueError) as error:
        raise DataError(
            path,
            f"holds no readable {RECORD_NAME}, which `save_deeplab` writes: not a network of "
            "`python -m teachers.train deeplab_v3`",
        ) from error
    if damaged is not None:
        raise DataError(path, f"its part {damaged} is damaged; copy it again")
    return _parsed(path, record)


def _parsed(path: Path, record: Any) -> DeepLabInfo:
    try:
        return DeepLabInfo(**record)
    except TypeError as error:
        raise DataError(path, f"its {RECORD_NAME} is of another version ({error})") from error
