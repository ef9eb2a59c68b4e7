"""Several networks in one file: what is shared, what stays exactly as it was."""

from pathlib import Path

import numpy as np
import pytest
from fakes.conditioned import pictures
from fakes.four_sizes import SIZE, networks
from fakes.recipes import TINY_STUDENT
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from export.tflite.convert import convert
from export.tflite.delegation import delegation_of
from export.tflite.shared_buffers import merged
from mtdepth.contract import Precision
from mtdepth.runtime.tflite import open_interpreter
from mtdepth.specs.student import DecoderSize, StudentSpec


def converted(
    precision: Precision, decoders: tuple[DecoderSize, ...], spec: StudentSpec = TINY_STUDENT
) -> dict[str, bytes]:
    return {
        size: convert(network, precision=precision, representative=pictures(8, size=SIZE, seed=10))
        for size, network in networks(decoders, SIZE, spec).items()
    }


@pytest.fixture(scope="module")
def small() -> dict[str, bytes]:
    return converted("int8", ("S", "XS"))


def tables(content: bytes) -> schema.ModelT:
    return flatbuffer_utils.convert_bytearray_to_object(bytearray(content))


def outputs(path: Path, signature: str) -> list[dict[str, np.ndarray]]:
    runner = open_interpreter(path, num_threads=1).get_signature_runner(signature)
    return [runner(image=image[None]) for image in pictures(3, size=SIZE, seed=20)]


def check_equal_outputs(parts: dict[str, bytes], folder: Path) -> None:
    (folder / "all.tflite").write_bytes(merged(parts))
    for size, content in parts.items():
        (folder / "one.tflite").write_bytes(content)
        alone = outputs(folder / "one.tflite", "serving_default")
        together = outputs(folder / "all.tflite", size)
        for expected, found in zip(alone, together, strict=True):
            assert sorted(found) == sorted(expected)
            for name, value in expected.items():
                np.testing.assert_array_equal(found[name], value)


def test_each_signature_is_the_file_of_its_own_bit_for_bit(
    small: dict[str, bytes], tmp_path: Path
) -> None:
    check_equal_outputs(small, tmp_path)


def test_common_weights_are_stored_once(small: dict[str, bytes]) -> None:
    whole = merged(small)
    # XS adds its two heads and the shape of its graph, which is 5 % of so small a network.
    assert len(whole) < 1.08 * len(merged({"S": small["S"]}))
    contents = [bytes(buffer.data) for buffer in tables(whole).buffers if buffer.data is not None]
    assert len(set(contents)) == len(contents)


def test_sharing_makes_a_single_file_smaller_too(small: dict[str, bytes]) -> None:
    # Of the zero points of a thousand weight tensors, 8 bytes a channel, each length stays once.
    assert len(merged({"S": small["S"]})) < 0.85 * len(small["S"])


def test_every_constant_is_aligned_as_the_schema_asks(small: dict[str, bytes]) -> None:
    whole = merged(small)
    model = schema.Model.GetRootAs(whole, 0)
    start = np.frombuffer(whole, np.uint8).__array_interface__["data"][0]
    for number in range(model.BuffersLength()):
        buffer = model.Buffers(number)
        if not buffer.DataIsNone():
            data = buffer.DataAsNumpy().__array_interface__["data"][0]
            assert (data - start) % 16 == 0


def test_names_lose_the_networks_own_but_keep_the_layers(small: dict[str, bytes]) -> None:
    names = [tensor.name for graph in tables(merged(small)).subgraphs for tensor in graph.tensors]
    assert not [name for name in names if b"student" in name]
    assert [name for name in names if b"decoder_2_" in name]


def test_xnnpack_takes_each_graph_as_it_takes_it_alone(
    small: dict[str, bytes], tmp_path: Path
) -> None:
    for size, content in small.items():
        (tmp_path / "alone.tflite").write_bytes(content)
        # The first graph is the one that can be asked.
        (tmp_path / "all.tflite").write_bytes(merged({size: content} | small))
        alone = delegation_of(tmp_path / "alone.tflite")
        assert delegation_of(tmp_path / "all.tflite") == alone
        assert alone.num_partitions == 1


def test_what_is_no_single_network_is_refused(small: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="at least one network"):
        merged({})
    with pytest.raises(ValueError, match=r"network L must have one subgraph .* found 2 and 2"):
        merged({"L": merged(small)})


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_four_sizes_cost_less_than_fifteen_percent(precision: Precision, tmp_path: Path) -> None:
    real = StudentSpec(tasks=("depth", "segmentation"))
    parts = converted(precision, ("L", "M", "S", "XS"), real)
    check_equal_outputs(parts, tmp_path)
    whole = merged(parts)
    # Measured: 1.018, 1.041 and 1.040 of L with its own doubles shared.
    assert len(whole) <= 1.06 * len(merged({"L": parts["L"]}))
    assert len(whole) <= 1.15 * len(parts["L"])
