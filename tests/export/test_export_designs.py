"""Every named design goes every way that the paper's does: TFLite, ONNX, fine-tuning."""

from pathlib import Path

import numpy as np
import pytest
from fakes.artefact import SIZE, assert_says_what_keras_says, export_random, random_network
from fakes.conditioned import as_input, pictures

from export.fine_tune.tf_keras_copy import build_copy
from export.graph import read_graph
from export.onnx.emit import emit
from export.onnx.graph import to_model
from export.tflite.delegation import delegation_of
from mtdepth.models.normalisation import STUDENT_INPUT
from mtdepth.runtime.onnx import open_session
from mtdepth.runtime.tflite import TfliteBackend
from mtdepth.specs.student import DESIGNS, DecoderSize

# `fast` holds the claim of every day; the others run with the slow ones.
OTHERS = [
    pytest.param(name, marks=[] if name == "fast" else [pytest.mark.slow])
    for name in DESIGNS
    if name != "paper"
]
IMAGE = pictures(1, size=SIZE, seed=77)[0]


@pytest.mark.parametrize("design", OTHERS)
def test_onnx_and_the_copy_say_what_keras_says(design: str) -> None:
    network = random_network("L", design=design)
    expected = np.asarray(network(as_input([IMAGE]))["depth_code"])
    graph = emit(network, normalisation=STUDENT_INPUT)
    session = open_session(to_model(graph, opset=13).SerializeToString(), num_threads=1)
    (found,) = session.run(["depth_code"], {"image": IMAGE[None].astype(np.float32)})
    allowed = 1e-4 * expected.std()
    np.testing.assert_allclose(found, expected, atol=allowed)
    copy = build_copy(read_graph(network))(as_input([IMAGE]))["depth_code"]
    np.testing.assert_allclose(copy, expected, atol=allowed)


@pytest.mark.slow
# With random weights, all 22 hard swishes of L are more than the export's gate lets pass.
@pytest.mark.parametrize(
    ("design", "decoder"),
    [
        ("fast", "L"),
        ("narrow", "L"),
        ("hard_swish", "S"),
    ],
)
def test_an_int8_file_runs_in_xnnpack_and_says_nearly_the_same(
    design: str, decoder: DecoderSize, tmp_path: Path
) -> None:
    path = export_random(tmp_path, precision="int8", decoder=decoder, design=design)
    found = delegation_of(path)
    assert (found.num_partitions, found.undelegated) == (1, {})
    network = random_network(decoder, design=design)
    assert_says_what_keras_says(TfliteBackend(path), network, median=0.05, agreement=0.9)
