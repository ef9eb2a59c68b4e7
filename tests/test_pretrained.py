"""The networks that come with the package, and their names."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from export.golden import read_golden
from export.verify import verify
from mtdepth.files import UserError
from mtdepth.predictor import open_predictor
from mtdepth.pretrained import names
from mtdepth.pretrained.names import PRETRAINED_ROOT, exported_file, known, run_folder
from mtdepth.trained import load_trained
from mtdepth.workdir import Workdir

MAX_BYTES = 8_000_000  # of all files together


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with one network, `fast`, that was exported as float32 alone."""
    (tmp_path / "fast" / "float32").mkdir(parents=True)
    (tmp_path / "fast" / "recipe.json").write_text("{}")
    (tmp_path / "fast" / "float32" / "model.tflite").write_bytes(b"")
    monkeypatch.setattr(names, "PRETRAINED_ROOT", tmp_path)
    return tmp_path


def test_a_name_means_a_workdir_or_a_file_of_the_package(shipped: Path) -> None:
    assert run_folder("pretrained") == run_folder("pretrained:fast") == shipped / "fast"
    file = shipped / "fast" / "float32" / "model.tflite"
    assert exported_file("pretrained", precision="float32") == file
    assert exported_file(Path("pretrained:fast:float32"), precision="int8") == file


def test_any_other_path_is_itself() -> None:
    for path in ("runs/mine", "./pretrained", "pretrained2", "C:/model.tflite"):
        assert run_folder(path) == exported_file(path, precision="int8") == Path(path)


def test_a_wrong_name_tells_the_right_ones(shipped: Path) -> None:
    del shipped
    with pytest.raises(UserError, match=r"pretrained:huge.*known: pretrained:fast"):
        run_folder("pretrained:huge")
    with pytest.raises(UserError, match=r"fast is here as float32"):
        exported_file("pretrained:fast:int8", precision="int8")


def test_all_files_together_are_small() -> None:
    files = [path for path in PRETRAINED_ROOT.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES


def test_the_card_has_every_digest() -> None:
    told = dict(re.findall(r"`([\w/.]+)` \| `([0-9a-f]{64})`", card()))
    files = [*PRETRAINED_ROOT.rglob("*.h5"), *PRETRAINED_ROOT.rglob("*.tflite")]
    assert told == {
        str(path.relative_to(PRETRAINED_ROOT)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    assert told


@pytest.mark.parametrize("name", known())
def test_todays_code_loads_the_weights_and_they_answer_as_the_files_do(name: str) -> None:
    trained = load_trained(Workdir(run_folder(f"pretrained:{name}")))
    golden = read_golden(exported_file(f"pretrained:{name}", precision="int8"))
    answer = golden.answers[trained.size][0]  # when it was exported
    float32 = open_predictor(f"pretrained:{name}").backend.infer(golden.images[0])
    found = trained.infer(golden.images[0])
    np.testing.assert_allclose(found.depth_m, float32.depth_m, rtol=1e-3)
    assert np.median(np.abs(answer.depth_m / found.depth_m - 1)) < 0.05
    assert (found.train_id is None) == (answer.train_id is None) == (name == "mininet")
    if found.train_id is not None and answer.train_id is not None:
        assert (found.train_id == answer.train_id).mean() > 0.9


@pytest.mark.parametrize("name", known())
def test_the_integer_file_answers_as_it_did(name: str) -> None:
    file = exported_file(f"pretrained:{name}", precision="int8")
    assert verify(file, num_threads=1, max_steps=1) == []


def card() -> str:
    return (PRETRAINED_ROOT / "README.md").read_text(encoding="utf-8")
