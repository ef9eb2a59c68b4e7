"""The state of a run on disk: what is no state of this network is refused by name."""

from pathlib import Path

import keras
import numpy as np
import pytest

from mtdepth.files import DataError
from mtdepth.training.checkpoints import TrainingState


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((2, 3), np.complex64), "of complex64, need"),
        (np.zeros((3, 2), np.float32), r"\(3, 2\) of float32, need \(2, 3\)"),
        (np.full((2, 3), np.nan, np.float32), "NaN"),
    ],
)
def test_variables_of_another_kind_are_refused(
    value: np.ndarray, message: str, tmp_path: Path
) -> None:
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    optimizer = keras.optimizers.Adam()
    optimizer.build(network.trainable_variables)
    state = TrainingState(tmp_path / "resume.npz", network, optimizer)
    state.save()
    assert state.restore()
    arrays = dict(np.load(state.path)) | {"graph/0": value}
    np.savez(state.path, **arrays)
    with pytest.raises(DataError, match=rf"resume\.npz: .*{message}"):
        state.restore()
