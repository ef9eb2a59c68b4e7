"""Weight files: written whole or not at all, read whole and with numbers alone."""

import errno
import io
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest

from mtdepth.files import DataError
from mtdepth.models.weights import load_weights, save_weights


def network(units: int = 2) -> keras.Model:
    image = keras.Input((3,))
    hidden = keras.layers.Dense(4, name="hidden")(image)
    return keras.Model(image, keras.layers.Dense(units, name="answer")(hidden))


def test_weights_come_back_and_keras_reads_them_too(tmp_path: Path) -> None:
    written, path = network(), tmp_path / "best.weights.h5"
    save_weights(written, path)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    for load in (load_weights, lambda model, where: model.load_weights(where)):
        read = network()
        load(read, path)
        for before, after in zip(written.get_weights(), read.get_weights(), strict=True):
            np.testing.assert_array_equal(after, before)


def test_a_full_disk_keeps_the_old_weights_and_leaves_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "best.weights.h5"
    save_weights(network(), path)
    before = path.read_bytes()
    full = OSError(errno.ENOSPC, "No space left on device")
    with (
        mock.patch.object(Path, "write_bytes", side_effect=full),
        pytest.raises(OSError, match="No space"),
    ):
        save_weights(network(), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_weight_that_is_no_number_is_refused_by_name(tmp_path: Path) -> None:
    poisoned = network()
    poisoned.get_layer("answer").bias.assign([0.0, np.nan])
    save_weights(poisoned, tmp_path / "a.weights.h5")
    with pytest.raises(DataError, match=r"a\.weights\.h5: weight answer/bias holds NaN"):
        load_weights(network(), tmp_path / "a.weights.h5")


def test_what_holds_no_such_weights_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    save_weights(network(), path)
    with pytest.raises(DataError, match=r"a\.weights\.h5: not the weights of"):
        load_weights(network(units=5), path)
    whole = path.read_bytes()
    for size in (0, 100, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"a\.weights\.h5"):
            load_weights(network(), path)
    empty = io.BytesIO()
    import h5py

    h5py.File(empty, "w").close()
    path.write_bytes(empty.getvalue())
    with pytest.raises(DataError, match=r"a\.weights\.h5"):
        load_weights(network(), path)
    with pytest.raises(FileNotFoundError, match="absent"):
        load_weights(network(), tmp_path / "absent.weights.h5")
