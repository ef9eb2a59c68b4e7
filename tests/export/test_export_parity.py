"""The gate closes on real faults and opens for rounding."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.artefact import CODEC, images, inference_network, random_file

from export.graph import ExportError
from export.parity import (
    BOUNDS,
    Parity,
    check_parity,
    in_words,
    keras_output,
    measure_parity,
)
from mtdepth.contract import Contract, contract_path
from mtdepth.geometry.depth_codec import LogDepthCodec
from mtdepth.runtime.pipeline import NetworkOutput
from mtdepth.runtime.tflite import TfliteBackend


@dataclasses.dataclass
class Answers:
    """A back end that answers what a function says."""

    infer: Any
    input_size: tuple[int, int] = (64, 96)
    fit: Any = "stretch"
    codec: LogDepthCodec = CODEC
    training_camera: None = None
    is_metric: bool = True
    tasks: tuple[str, ...] = ("depth", "segmentation")


def keras_answers(change: Any) -> Answers:
    return Answers(lambda image: keras_output(inference_network(), change(image)))


def test_the_network_agrees_with_itself() -> None:
    same = measure_parity(inference_network(), keras_answers(lambda x: x), images())
    assert same == Parity(
        median_relative=0.0, p99_relative=0.0, max_relative=0.0, class_agreement=1.0
    )
    check_parity(same, "float32")


def test_deviations_are_relative_to_keras() -> None:
    truth = keras_output(inference_network(), images()[0])
    wrong = truth.depth_m.copy()
    wrong[0, 0] *= 3
    assert truth.train_id is not None
    ids = (truth.train_id + (np.arange(6) < 3)[None]).astype(np.uint8)  # 3 of 6 columns
    found = measure_parity(
        inference_network(),
        Answers(lambda _: NetworkOutput(wrong * np.float32(1.01), ids)),
        images(1),
    )
    np.testing.assert_allclose(found.median_relative, 0.01, rtol=1e-4)
    np.testing.assert_allclose(found.max_relative, 2.03, rtol=1e-4)  # 3 * 1.01 - 1
    assert found.class_agreement == 0.5


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image[..., ::-1],
        lambda image: image[:, ::-1],
        lambda image: (image / 255.0 + 1) * 127.5,
    ],
    ids=["blue and red exchanged", "mirrored", "0..1 instead of -1..1"],
)
def test_a_wrong_input_is_refused_even_by_the_widest_bounds(change: Any) -> None:
    measured = measure_parity(inference_network(), keras_answers(change), images())
    with pytest.raises(ExportError, match="int8 file does not say what the Keras network says"):
        check_parity(measured, "int8")


def test_a_contract_of_another_depth_law_is_refused(tmp_path: Path) -> None:
    path = shutil.copytree(random_file("int8").parent, tmp_path / "copy") / "model.tflite"
    contract = Contract.load(contract_path(path))
    other = LogDepthCodec(near_m=1.0, far_m=CODEC.far_m)
    dataclasses.replace(contract, codec=other).save(contract_path(path))
    measured = measure_parity(inference_network(), TfliteBackend(path), images())
    with pytest.raises(ExportError, match=r"median_relative 0\.\d+ \(allowed: 0\.08\)"):
        check_parity(measured, "int8")


def test_every_figure_out_of_bounds_is_named() -> None:
    bad = Parity(median_relative=0.5, p99_relative=1.0, max_relative=9.0, class_agreement=0.2)
    with pytest.raises(
        ExportError, match=r"median_relative 0\.5 .* p99_relative 1 .* class_agreement 0\.2"
    ):
        check_parity(bad, "int8")
    # An int8 pixel at an edge may be anywhere.
    fine = dataclasses.replace(BOUNDS["int8"], max_relative=9.0)
    check_parity(fine, "int8")
    check_parity(dataclasses.replace(fine, class_agreement=None), "int8")


def test_not_a_number_is_refused() -> None:
    bad = Parity(
        median_relative=float("nan"), p99_relative=0.0, max_relative=0.0, class_agreement=1.0
    )
    with pytest.raises(ExportError, match="median_relative nan"):
        check_parity(bad, "float32")
    nothing = Answers(lambda _: NetworkOutput(np.full((4, 6), np.nan, np.float32), None))
    with pytest.raises(ExportError, match="not finite"):
        measure_parity(inference_network(), nothing, images(1))


def test_another_size_or_task_is_refused() -> None:
    small = Answers(lambda _: NetworkOutput(np.ones((2, 3), np.float32), None))
    with pytest.raises(ExportError, match=r"\(2, 3\), the network's \(4, 6\)"):
        measure_parity(inference_network(), small, images(1))
    depth_only = Answers(lambda _: NetworkOutput(np.ones((4, 6), np.float32), None))
    with pytest.raises(ExportError, match="same tasks"):
        measure_parity(inference_network(), depth_only, images(1))


def test_no_pictures_no_parity() -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        measure_parity(inference_network(), keras_answers(lambda x: x), [])


@pytest.mark.parametrize(
    ("precision", "median", "said"),
    [
        ("float32", 1e-7, "the same but for rounding: half of all depths differ"),
        ("int8", 0.03, "less than 3 %, 99 % of them by less than 6 %; 94.0 % of the pixels keep"),
        ("int8", 0.03, "as usual for int8"),
        ("int8", 0.06, "more than usual for int8"),
    ],
)
def test_what_was_accepted_is_said_in_words(precision: Any, median: float, said: str) -> None:
    measured = Parity(
        median_relative=median, p99_relative=2 * median, max_relative=1.0, class_agreement=0.94
    )
    assert said in in_words(measured, precision)


def test_a_refusal_says_what_to_do() -> None:
    bad = dataclasses.replace(BOUNDS["int8"], median_relative=0.5)
    with pytest.raises(ExportError, match=r"--num_calibration.*mtdepth qat.*float16"):
        check_parity(bad, "int8")
