"""MiniNet on a device: every variant and output, as LiteRT runs them, against Keras."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from export.tflite.convert import convert
from export.tflite.delegation import delegation_of
from mtdepth.geometry.depth_codec import SigmoidDisparityCodec
from mtdepth.models import mininet
from mtdepth.models.normalisation import MININET_INPUT
from mtdepth.runtime.tflite import open_interpreter
from mtdepth.specs.mininet import MODULES, OUTPUT_STRIDE, MiniNetSpec
from mtdepth.trained import InferenceNetwork

SIZE = (32, 64)
FAST = ("small", "Q")
EVERY = [
    pytest.param(variant, output, marks=() if (variant, output) == FAST else pytest.mark.slow)
    for variant in MODULES
    for output in OUTPUT_STRIDE
]


def _subject(spec: MiniNetSpec, output: str) -> InferenceNetwork:
    keras.utils.set_random_seed(2)
    graph = mininet.build_training_graph(spec, input_size=SIZE)
    return InferenceNetwork(
        network=mininet.detach(graph, spec, output=output),
        codec=SigmoidDisparityCodec(scale=30.0),
        normalisation=MININET_INPUT,
    )


def _pictures(num: int) -> list[np.ndarray]:
    """Smooth ones, as pictures are."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (num, *(side // 8 for side in SIZE), 3))
    return list(coarse.repeat(8, axis=1).repeat(8, axis=2).astype(np.uint8))


def _runner(content: bytes, folder: Path) -> Any:
    (folder / "model.tflite").write_bytes(content)
    return open_interpreter(folder / "model.tflite", num_threads=1).get_signature_runner()


def _logits(subject: InferenceNetwork, picture: np.ndarray) -> np.ndarray:
    fed = MININET_INPUT(picture[None].astype(np.float32))
    return np.asarray(subject.network(fed, training=False)["depth_code"])


@pytest.mark.parametrize(("variant", "output"), EVERY)
def test_files_agree_with_keras(variant, output, tmp_path) -> None:
    # head_gain: logits of deviation 1 or so instead of a flat start
    subject = _subject(MiniNetSpec(variant=variant, head_gain=1.4), output)
    pictures = _pictures(9)
    expected = _logits(subject, pictures[0])
    assert expected.std() > 0.05

    content = convert(subject, precision="float32")
    num_weights = subject.network.count_params()
    assert (
        4 * num_weights < len(content) < 1.25 * 4 * num_weights
    )  # the module once, not four times
    depth_m = _runner(content, tmp_path)(image=pictures[0][None])["depth_m"]
    assert delegation_of(tmp_path / "model.tflite").num_partitions == 1
    p = 1 / (1 + np.exp(-expected.astype(np.float64)))
    np.testing.assert_allclose(depth_m, 30 / (10 * p + 0.01), rtol=1e-4)

    content = convert(subject, precision="int8", representative=pictures)
    runner = _runner(content, tmp_path)
    scale, zero_point = runner.get_output_details()["depth_code"]["quantization"]
    steps = runner(image=pictures[0][None])["depth_code"]
    assert delegation_of(tmp_path / "model.tflite").num_partitions == 1
    found = (steps.astype(np.float64) - zero_point) * scale
    assert np.abs(found - expected).mean() < 0.35 * expected.std()
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("spec", [MiniNetSpec(reuse=False), MiniNetSpec(dense_decoder=True)])
def test_the_ablations_convert_too(spec, tmp_path) -> None:
    subject = _subject(spec, "F")
    picture = _pictures(1)[0]
    depth_m = _runner(convert(subject, precision="float32"), tmp_path)(image=picture[None])
    p = 1 / (1 + np.exp(-_logits(subject, picture).astype(np.float64)))
    np.testing.assert_allclose(depth_m["depth_m"], 30 / (10 * p + 0.01), rtol=1e-4)
