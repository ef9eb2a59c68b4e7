"""Weight files of Keras: written whole or not at all, read whole and with numbers alone."""

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from keras.src.saving import saving_lib

from mtdepth.files import DAMAGE, DataError, atomic_path, check_finite, check_regular


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
