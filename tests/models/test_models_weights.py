"""Weight files: written whole or not at all, read whole and with numbers alone."""

import errno
import io
from pathlib import Path
from unittest import mock

import h5py
import keras
import numpy as np
import pytest

from mtdepth.files import DataError
from mtdepth.models.weights import check_heaps, load_weights, save_weights


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


def test_a_file_that_was_refused_can_be_mended_in_its_place(tmp_path: Path) -> None:
    path, answer, other = tmp_path / "a.weights.h5", network(), network()
    save_weights(answer, path)
    whole = path.read_bytes()
    num_refused = 0
    for start in range(96, len(whole), 485):
        # In place: the same file for HDF5, if it had been left open.
        path.write_bytes(whole[:start] + b"\xa5" * 8 + whole[start + 8 :])
        try:
            load_weights(other, path)
        except DataError:
            num_refused += 1
        path.write_bytes(whole)
        load_weights(answer, path)
    assert num_refused > 5


def test_weights_of_a_keras_file(tmp_path: Path) -> None:
    written, read = network(), network()
    written.save(tmp_path / "a.keras")
    load_weights(read, tmp_path / "a.keras")
    np.testing.assert_array_equal(read.get_weights()[0], written.get_weights()[0])
    (tmp_path / "b.keras").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"b\.keras: not the weights"):
        load_weights(read, tmp_path / "b.keras")


def test_a_heap_of_strings_that_leads_nowhere_is_refused_before_hdf5_reads_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array(["hidden", "a longer name", ""], h5py.string_dtype())
    whole = path.read_bytes()
    check_heaps(path, whole)
    heap = whole.index(b"GCOL")
    # The first object's number made that of free space without a size; sizes beyond the heap.
    no_step = whole[: heap + 16] + bytes(16) + whole[heap + 32 :]
    beyond = whole[: heap + 24] + b"\xff" * 8 + whole[heap + 32 :]
    for changed in (no_step, beyond, whole[: heap + 40]):
        with pytest.raises(DataError, match=r"a\.weights\.h5: damaged inside \(HDF5 heap at byte"):
            check_heaps(path, changed)
