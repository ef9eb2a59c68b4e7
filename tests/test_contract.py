"""The side-car is complete, strict, and says the same as the code."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtdepth.contract import Contract, TensorContract, contract_path
from mtdepth.files import DataError, sha256_of
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import MIN_DEPTH_M, LogDepthCodec

IMAGE = TensorContract(
    name="image", kind="image", shape=(1, 64, 96, 3), dtype="uint8", scale=1.0, zero_point=0
)
DEPTH = TensorContract(
    name="depth_code",
    kind="depth_code",
    shape=(1, 32, 48, 1),
    dtype="int8",
    scale=0.375,
    zero_point=-100,
)
SCORES = TensorContract(
    name="class_scores",
    kind="class_scores",
    shape=(1, 32, 48, 2),
    dtype="int8",
    scale=0.125,
    zero_point=5,
)


CAMERA = {
    "fx_px": 50.5,
    "fy_px": 52.0,
    "cx_px": 47.0,
    "cy_px": 30.0,
    "width_px": 96,
    "height_px": 64,
}


def a_contract(**changes: Any) -> Contract:
    values: dict[str, Any] = {
        "artefact": "model.tflite",
        "sha256": "ab" * 32,
        "precision": "int8",
        "decoder": "L",
        "input": IMAGE,
        "outputs": (DEPTH, SCORES),
        "codec": LogDepthCodec(near_m=4.0, far_m=80.0),
        "valid_depth_m": (4.0, 80.0),
        "fit": "crop",
        "training_camera": Intrinsics.from_dict(CAMERA),
        "scale_source": "labels: psmnet, corrected by LiDAR",
        "class_names": ("road", "car"),
        "recipe": {"name": "demo", "input_size_px": [64, 96]},
        "keras_scores": None,
        "versions": {"keras": "3"},
    }
    return Contract(**{**values, **changes})


# As a reader in another language sees it. A change here is a change of the format.
GOLDEN = {
    "format_version": 2,
    "artefact": "model.tflite",
    "sha256": "ab" * 32,
    "precision": "int8",
    "treatment": "none",
    "network": "student",
    "decoder": "L",
    "signature": "serving_default",
    "input": {
        "name": "image",
        "kind": "image",
        "meaning": "RGB, 0..255, NHWC",
        "shape": [1, 64, 96, 3],
        "dtype": "uint8",
        "scale": 1.0,
        "zero_point": 0,
    },
    "outputs": [
        {
            "name": "depth_code",
            "kind": "depth_code",
            "meaning": "depth in the space of depth_law",
            "shape": [1, 32, 48, 1],
            "dtype": "int8",
            "scale": 0.375,
            "zero_point": -100,
        },
        {
            "name": "class_scores",
            "kind": "class_scores",
            "meaning": "one unnormalised score for each of class_names; the largest wins",
            "shape": [1, 32, 48, 2],
            "dtype": "int8",
            "scale": 0.125,
            "zero_point": 5,
        },
    ],
    "depth_law": {
        "kind": "log",
        "near_m": 4.0,
        "far_m": 80.0,
        "min_depth_m": 0.1,
        "formula": "depth_m = exp((min(code, far_m) - offset) / slope), at least min_depth_m; "
        "slope = far_m / ln(far_m / near_m), offset = -slope * ln(near_m)",
    },
    "valid_depth_m": [4.0, 80.0],
    "nearer_than_valid": "nearer than near_m is reported as it is, never as near_m",
    "fit": "crop",
    "training_camera": CAMERA,
    "scale_source": "labels: psmnet, corrected by LiDAR",
    "class_names": ["road", "car"],
    "recipe": {"name": "demo", "input_size_px": [64, 96]},
    "keras_scores": None,
    "versions": {"keras": "3"},
}


def stored(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def changed(*keys: str | int, value: Any = None, is_removed: bool = False) -> dict[str, Any]:
    content = json.loads(json.dumps(GOLDEN))
    place = content
    for key in keys[:-1]:
        place = place[key]
    if is_removed:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    return content


def test_the_file_is_the_golden_one(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    a_contract().save(path)
    assert json.loads(path.read_text()) == GOLDEN
    assert list(json.loads(path.read_text())) == list(GOLDEN)  # a person reads it in this order


def test_loading_gives_back_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    for contract in (a_contract(), a_contract(outputs=(DEPTH,), class_names=())):
        contract.save(path)
        assert Contract.load(path) == contract


def test_the_formula_in_words_is_the_codec_in_code() -> None:
    codec = LogDepthCodec(near_m=2.0, far_m=50.0)
    slope = 50.0 / math.log(50.0 / 2.0)
    offset = -slope * math.log(2.0)
    for code in (-1e3, -20.0, 0.0, 12.5, 50.0, 70.0):
        by_words = max(math.exp((min(code, 50.0) - offset) / slope), MIN_DEPTH_M)
        np.testing.assert_allclose(codec.decode(np.array([code])), by_words, rtol=1e-12)
    assert "exp((min(code, far_m) - offset) / slope), at least min_depth_m" in LogDepthCodec.formula


@pytest.mark.parametrize("field", sorted(GOLDEN))
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    path = stored(tmp_path / "model.json", changed(field, is_removed=True))
    with pytest.raises(DataError, match=rf"model\.json: field '{field}' must be present"):
        Contract.load(path)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("surprise",), 1, "'surprise' must be a known field"),
        (("format_version",), 1, "'format_version' must be 2"),
        (("sha256",), 7, "'sha256' must be of type str"),
        (("precision",), "int4", "'precision' must be"),
        (("fit",), "pad", "'fit' must be stretch or crop"),
        (("depth_law", "kind"), {}, "'depth_law': a depth law's kind is one of log"),
        (("depth_law", "kind"), "square", "'depth_law': a depth law's kind is one of log"),
        (("depth_law", "near_m"), "4", "'depth_law': .*'near_m': ..., .*got .*'4'"),
        (("depth_law", "near_m"), True, "'depth_law': .*got .*True"),
        (("depth_law", "near_m"), float("nan"), "NaN is no number"),
        (("depth_law", "near_m"), 90.0, "'depth_law': limits .* near_m 90"),
        (("depth_law", "formula"), "depth = code", "'depth_law.formula' must be .*exp"),
        (("depth_law", "extra"), 1, "'depth_law': .*got .*extra"),
        (("depth_law", "min_depth_m"), 0.5, "shortest depth is 0.5 m"),
        (("network",), "unet", "'network' must be one of"),
        (("decoder",), "F", "'decoder' must be one of .*XS"),
        (("treatment",), "polished", "'treatment' must be known"),
        (("valid_depth_m",), [4.0], "'valid_depth_m' must be two numbers"),
        (("valid_depth_m",), [9.0, 4.0], "'valid_depth_m' must be 0 < near < far"),
        (("class_names",), [1, 2], "'class_names' must be a list of strings"),
        (("class_names",), [], "'class_names' must be given exactly"),
        (("outputs",), [], "'outputs' must be exactly one depth output"),
        (("outputs", 0, "kind"), "disparity", r"outputs\[0\]: field 'kind' must be one of"),
        (("outputs", 0, "scale"), None, r"outputs\[0\]: field 'scale' must be given together"),
        (("outputs", 0, "scale"), -1.0, r"outputs\[0\]: field 'scale' must be positive"),
        (("outputs", 1, "shape"), [1, 2.5], r"'outputs\[1\].shape' must be a list of integers"),
        (("outputs", 1), "scores", r"'outputs\[1\]' must be a JSON object"),
        (("input", "kind"), "depth_m", "'input' must be a picture"),
        (("input", "shape"), [1, 0, 96, 3], "input: field 'shape' must be positive sizes"),
        (("input", "shape"), [1, 64, 10**9, 3], "'shape' must be positive sizes up to 65536"),
        (("training_camera", "width_px"), 97, "'training_camera' must be of the input's size"),
        (("training_camera", "width_px"), True, "'training_camera': every value of a camera"),
        (("input", "dtype"), None, "'input.dtype' must be of type str"),
        (("training_camera",), "none", "'training_camera' must be of type dict"),
    ],
)
def test_a_wrong_field_is_named(
    tmp_path: Path, keys: tuple[str | int, ...], value: Any, message: str
) -> None:
    path = stored(tmp_path / "model.json", changed(*keys, value=value))
    with pytest.raises(DataError, match=message) as caught:
        Contract.load(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be a JSON object"):
        Contract.load(stored(tmp_path / "model.json", [1]))
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        Contract.load(tmp_path / "model.json")
    with pytest.raises(FileNotFoundError):
        Contract.load(tmp_path / "absent.json")


def test_whole_numbers_pass_as_metres(tmp_path: Path) -> None:
    path = stored(tmp_path / "model.json", changed("depth_law", "far_m", value=80))
    assert Contract.load(path) == a_contract()


def test_depth_and_classes_are_found_wherever_they_stand() -> None:
    contract = a_contract(outputs=(SCORES, DEPTH))
    assert contract.depth is DEPTH
    assert contract.classes is SCORES
    assert contract.input_size == (64, 96)
    assert a_contract(outputs=(DEPTH,), class_names=()).classes is None


def test_a_contract_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        a_contract().fit = "stretch"  # type: ignore[misc]


def test_paths_and_digests(tmp_path: Path) -> None:
    path = tmp_path / "net.v2.tflite"
    path.write_bytes(b"abc")
    assert contract_path(path) == tmp_path / "net.v2.json"
    # FIPS 180-4's own example
    assert sha256_of(path).startswith("ba7816bf8f01cfea")


@pytest.mark.parametrize(("fx_px", "is_real"), [(0.58, False), (3.04, False), (70.0, True)])
def test_a_training_camera_that_no_lens_makes_is_refused(
    tmp_path: Path, fx_px: float, is_real: bool
) -> None:
    content = changed("training_camera", "fx_px", value=fx_px)
    path = stored(tmp_path / "model.json", content)
    if is_real:
        assert Contract.load(path).training_camera is not None
        return
    with pytest.raises(DataError, match="'training_camera': a focal length of"):
        Contract.load(path)


def test_a_training_camera_is_of_the_size_that_was_trained(tmp_path: Path) -> None:
    """A network that is exported four times as wide keeps its focal length in pixels."""
    content = changed("training_camera", "width_px", value=400)
    content["input"]["shape"] = [1, 64, 400, 3]
    content["recipe"]["input_size_px"] = [64, 96]
    assert Contract.load(stored(tmp_path / "a.json", content)).training_camera is not None
    del content["recipe"]["input_size_px"]
    with pytest.raises(DataError, match="400 px wide"):
        Contract.load(stored(tmp_path / "b.json", content))
