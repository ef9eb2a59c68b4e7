"""Workdirs: a run goes on with what it was begun with."""

import os
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from mtdepth.evaluation.predictors import mean_of_workdir
from mtdepth.files import DataError, write_json
from mtdepth.recipes.registry import find_recipe
from mtdepth.trained import scale_of
from mtdepth.training.checkpoints import TrainingState
from mtdepth.workdir import Workdir


def test_labels_are_compared_by_content_and_an_older_runs_sizes_are_no_ground_to_refuse_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    workdir, recipe = Workdir(tmp_path), find_recipe("demo")
    run = {"labels": "a", "labels_digest": "content:1", "val_labels": None}
    run |= {"val_labels_digest": None}
    workdir.begin(recipe, run)
    workdir.check(recipe, run)
    with pytest.raises(ValueError, match="other labels"):
        workdir.check(recipe, run | {"labels_digest": "content:2"})
    with pytest.raises(ValueError, match="other val_labels"):
        workdir.check(recipe, run | {"val_labels_digest": "content:1"})
    assert not caplog.records
    write_json(workdir.run_path, run | {"labels_digest": "0f"})
    workdir.check(recipe, run)
    assert "noted the sizes of its labels only" in caplog.text


def test_a_run_whose_labels_are_no_path_is_refused_by_name(tmp_path: Path) -> None:
    workdir = Workdir(tmp_path)
    for labels in (5, True, [5]):
        write_json(workdir.run_path, {"labels": labels})
        with pytest.raises(DataError, match=r"run\.json: labels must be text") as told:
            workdir.run()
        assert str(labels) in str(told.value)


def restored(workdir: Workdir) -> bool:
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    return TrainingState(workdir.resume_path, network, keras.optimizers.Adam()).restore()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path)])
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("scale.json", lambda workdir: scale_of(workdir, "best")),
        ("training_mean.npz", mean_of_workdir),
        ("resume.npz", restored),
        ("history.jsonl", Workdir.history),
        ("recipe.json", Workdir.exists),
    ],
)
def test_a_file_of_a_run_that_is_none_does_not_count_as_absent(
    tmp_path: Path, name: str, read: Callable[[Workdir], object], make: Callable[[Path], None]
) -> None:
    read(Workdir(tmp_path))
    make(tmp_path / name)
    with pytest.raises(DataError, match=name):
        read(Workdir(tmp_path))
