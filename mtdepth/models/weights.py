"""Weight files of Keras: written whole or not at all, read whole and with numbers alone."""

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from keras.src.saving import saving_lib

from mtdepth.files import DAMAGE, DataError, atomic_path, check_finite, check_regular

_HEAP = b"GCOL\x01"  # its version behind it: five bytes that weights hardly have by chance


def save_weights(network: Any, path: Path) -> None:
    """Writes the weights of a Keras 3 model as `*.weights.h5`, atomically.

    In memory first: HDF5 ends the process where a disk is full.
    """
    content = io.BytesIO()
    store = saving_lib.H5IOStore(content, mode="w")
    saving_lib._save_state(
        network, store, assets_store=None, inner_path="", visited_saveables=set()
    )
    store.close()
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getvalue())


def load_weights(network: Any, path: Path, *, what: str = "this recipe's network") -> None:
    """Reads the weights of a Keras 3 model; none may be missing.

    Args:
      network: The model; unchanged after an error.
      path: `*.weights.h5` or `*.keras`.
      what: Whose weights they should be, for messages.

    Raises:
      FileNotFoundError: If the file is missing.
      DataError: If it is damaged or of another network, or a weight is no number; names it.
    """
    check_regular(path)
    before = network.get_weights()
    try:
        load_every_weight(network, path)
    except (DataError, ValueError) as error:
        network.set_weights(before)
        if isinstance(error, DataError):
            raise
        raise DataError(path, f"not the weights of {what} ({error})") from error


def load_every_weight(network: Any, path: Path) -> None:
    """Reads a file of weights into a Keras 3 model; none may be missing.

    Raises:
      ValueError: If the file is no such file or fits another model; one line says why.
      DataError: If a weight is no number; names it.
    """
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that it does not find and leaves as they are.
            warnings.simplefilter("error", UserWarning)
            _load_state(network, path)
    except (*DAMAGE, UserWarning) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(reason[0]) from error
    for variable in network.variables:
        check_finite(path, f"weight {variable.path}", np.asarray(variable))


def check_heaps(path: Path, content: bytes) -> None:
    """Refuses damaged heaps of strings of an HDF5 file, in whose objects HDF5 loops for ever.

    Source: HDF5 File Format Specification 3.0, III.E: global heap collections.

    Raises:
      DataError: If one does not lead from object to object to its end.
    """
    start = content.find(_HEAP)
    while start >= 0:
        end = start + int.from_bytes(content[start + 8 : start + 16], "little")
        place = start + 16
        while place + 16 <= end:
            index = int.from_bytes(content[place : place + 2], "little")
            size = int.from_bytes(content[place + 8 : place + 16], "little")
            # Object 0 is what is left, its size that of all of it.
            step = 16 + -(-size // 8) * 8 if index else size
            if step < 16 or place + step > min(end, len(content)):
                raise DataError(path, f"damaged inside (HDF5 heap at byte {place})")
            place += step
        start = content.find(_HEAP, start + len(_HEAP))


def _load_state(network: Any, path: Path) -> None:
    """Reads weights as Keras does, but from memory.

    Keras leaves a file that it refuses open, and HDF5 then reads the old content of whatever is
    written in its place.
    """
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            content = archive.read("model.weights.h5")
    else:
        content = path.read_bytes()
    check_heaps(path, content)
    store = saving_lib.H5IOStore(io.BytesIO(content), mode="r")
    failed: dict[Any, Any] = {}
    try:
        saving_lib._load_state(
            network,
            store,
            assets_store=None,
            inner_path="",
            visited_saveables=set(),
            failed_saveables=set(),
            error_msgs=failed,
        )
    finally:
        store.close()
    if failed:
        saving_lib._raise_loading_failure(failed)
