"""The check on the device: what it accepts, what it notices, how it says so."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.artefact import images

from export.golden import Answer, golden_path, write_golden
from export.verify import compare, deviations, parse, run
from mtdepth.contract import Contract, contract_path
from mtdepth.runtime.tflite import open_sizes

INT8 = np.array([[-128, 0, 127]], np.int8)
FLOAT = np.array([[1.0, 3.0, 5.0]], np.float32)


@pytest.fixture
def copied(golden_models: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    def copy(precision: str) -> Path:
        folder = shutil.copytree(golden_models[precision].parent, tmp_path / precision)
        return folder / golden_models[precision].name

    return copy


def status(*arguments: object) -> int:
    return run(parse([str(argument) for argument in arguments]))


def test_integers_are_compared_in_steps_beyond_the_range_of_a_byte() -> None:
    found = np.array([[127, 1, 127]], np.int8)
    deviation = compare("depth_code", found, INT8, max_steps=255, share=0)
    # -128 against 127; 0 against 1
    assert (deviation.largest, deviation.num_values, deviation.is_good) == (255, 2, True)
    assert str(deviation) == "depth_code off by 255 step(s) in 2 value(s)"
    assert not compare("depth_code", found, INT8, max_steps=254, share=0).is_good


def test_floats_are_compared_in_shares_of_their_range() -> None:
    found = FLOAT + np.array([0, 0, 0.04], np.float32)
    deviation = compare("depth_m", found, FLOAT, max_steps=0, share=0.011)
    assert deviation.largest == pytest.approx(0.01, rel=1e-5)  # 0.04 / (5 - 1)
    assert deviation.is_good
    assert not compare("depth_m", found, FLOAT, max_steps=9, share=0.009).is_good


@pytest.mark.parametrize(
    "found",
    [np.array([[1.0, np.nan, 5.0]], np.float32), FLOAT[:, :2], FLOAT.astype(np.float64), INT8],
)
def test_nan_and_other_forms_are_never_good(found: np.ndarray) -> None:
    assert not compare("depth_m", found, FLOAT, max_steps=1000, share=1e9).is_good


def test_another_law_from_the_same_integers_is_noticed() -> None:
    golden = Answer({"depth_code": INT8}, FLOAT, None)
    other = replace(golden, depth_m=FLOAT * np.float32(1.01))
    names = [
        deviation.name
        for deviation in deviations(other, golden, precision="int8", max_steps=0)
        if not deviation.is_good
    ]
    assert names == ["metres"]


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_a_file_agrees_with_itself(
    golden_models: dict[str, Path], precision: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert status("--model", golden_models[precision], "--max_steps", 0) == 0
    assert caplog.text.count("good XS, pair") == 3
    assert "all pairs are good" in caplog.text


def test_other_answers_are_counted_and_fail(
    copied: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = copied("int8")
    with np.load(golden_path(path)) as archive:
        content = {name: archive[name] for name in archive.files}
    raw = content["XS/raw/depth_code"]
    raw[1, 0, 0, :2, 0] += np.where(raw[1, 0, 0, :2, 0] < 100, 2, -2).astype(np.int8)
    np.savez(golden_path(path), **content)
    assert status("--model", path) == 1
    assert "BAD  XS, pair 2: class_scores exact, depth_code off by 2 step(s) in 2" in caplog.text
    assert "pair 1" not in caplog.text.replace("pair 1: class_scores exact, depth_code exact", "")
    assert status("--model", path, "--max_steps", 2) == 0


def test_damage_is_named_and_the_other_model_still_checked(
    copied: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    damaged, whole = copied("int8"), copied("float32")
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    assert status("--model", damaged, "--model", whole) == 1
    assert "damaged, or from another export" in caplog.text
    assert f"{whole}: all pairs are good" in caplog.text


def test_a_contract_of_another_law_is_noticed(
    copied: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = copied("int8")
    contract = Contract.load(contract_path(path))
    law = type(contract.codec)(near_m=contract.near_m, far_m=contract.far_m + 1)
    replace(contract, codec=law).save(contract_path(path))
    assert status("--model", path) == 1
    assert "metres off by" in caplog.text


def test_a_size_without_pairs_fails(
    copied: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = copied("int8")
    write_golden(path, {"L": open_sizes(path)["XS"]}, images())
    assert status("--model", path) == 1
    assert "BAD  XS: no golden pairs" in caplog.text


def test_missing_files_are_named(
    copied: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = copied("int8")
    golden_path(path).unlink()
    assert status("--model", path) == 1
    assert "the golden pairs of model.tflite are missing" in caplog.text
    assert status("--model", path.with_name("other.tflite")) == 1
    assert "other.tflite: no such file" in caplog.text


@pytest.mark.parametrize(("flag", "value"), [("--num_threads", 0), ("--max_steps", -1)])
def test_illegal_numbers_are_refused(
    flag: str, value: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        parse(["--model", "m.tflite", flag, str(value)])
    assert stop.value.code == 2
    assert flag in capsys.readouterr().err
