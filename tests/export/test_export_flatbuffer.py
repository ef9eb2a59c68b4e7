"""Surgery on converted files: it changes how, not what, they compute."""

from pathlib import Path

import numpy as np
import pytest
from fakes.artefact import images

from export.tflite.delegation import delegation_of
from export.tflite.flatbuffer import with_delegated_input
from mtdepth.runtime.tflite import open_interpreter

tf_schema = pytest.importorskip("tensorflow.lite.tools.flatbuffer_utils")


def without_detour(content: bytes) -> bytes:
    """The file as the converter left it: one QUANTIZE from the picture's bytes."""
    model = tf_schema.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    first, second = graph.operators[:2]
    second.inputs = list(first.inputs)
    graph.operators.remove(first)
    return bytes(tf_schema.convert_object_to_bytearray(model))


def outputs(path: Path, picture: np.ndarray) -> dict[str, np.ndarray]:
    runner = open_interpreter(path, num_threads=1).get_signature_runner()
    return {name: value.copy() for name, value in runner(image=picture[None]).items()}


def test_the_pictures_way_in_is_the_same_and_within_xnnpack(
    golden_models: dict[str, Path], tmp_path: Path
) -> None:
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(without_detour(golden_models["int8"].read_bytes()))
    assert delegation_of(plain).undelegated == {"QUANTIZE": 1}
    turned = tmp_path / "turned.tflite"
    turned.write_bytes(with_delegated_input(plain.read_bytes()))
    found = delegation_of(turned)
    assert (found.num_partitions, found.undelegated) == (1, {})
    random = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    for picture in (*images(), random, np.zeros_like(random), np.full_like(random, 255)):
        expected = outputs(plain, picture)
        for name, value in outputs(turned, picture).items():
            np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_a_file_of_another_form_is_refused(golden_models: dict[str, Path]) -> None:
    for precision in ("float32", "int8"):  # the int8 file has the detour already
        with pytest.raises(ValueError, match="expected one QUANTIZE to read the picture"):
            with_delegated_input(golden_models[precision].read_bytes())
