"""The profile: operators cut out of a file, one by one."""

from pathlib import Path

import numpy as np
import pytest

from export.benchmark.operators import (
    graph_alone,
    part_of,
    profile,
    report,
    single_operators,
    summary,
)
from mtdepth.files import DataError
from mtdepth.models.counting import count
from mtdepth.runtime.tflite import open_interpreter


def test_all_operators_are_found_with_the_networks_operations(
    golden_models: dict[str, Path],
) -> None:
    from fakes.artefact import random_network

    for precision in ("float32", "int8"):
        operators = list(single_operators(golden_models[precision]))
        assert sum(operator.macs for operator in operators) == count(random_network("XS")).macs
        parts = {operator.part for operator in operators}
        assert parts >= {"encoder /2", "encoder /32", "D1"}, parts


def test_an_operator_alone_gives_what_it_gives_in_the_network(
    golden_models: dict[str, Path], tmp_path: Path
) -> None:
    """The first of the int8 file reads the picture: byte b is the float b."""
    first = next(iter(single_operators(golden_models["int8"])))
    assert first.kind == "DEQUANTIZE"
    path = tmp_path / "first.tflite"
    path.write_bytes(first.content)
    interpreter = open_interpreter(path, num_threads=1)
    interpreter.allocate_tensors()
    (image,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    picture = np.random.default_rng(0).integers(0, 256, image["shape"]).astype(np.uint8)
    interpreter.set_tensor(image["index"], picture)
    interpreter.invoke()
    np.testing.assert_array_equal(interpreter.get_tensor(output["index"]), picture)


def test_a_size_of_several_is_looked_into_by_its_signature(
    golden_models: dict[str, Path], tmp_path: Path
) -> None:
    from export.tflite.shared_buffers import merged

    path = tmp_path / "two.tflite"
    names = ("float32", "int8")
    path.write_bytes(merged({name: golden_models[name].read_bytes() for name in names}))
    for name in names:
        alone = tmp_path / f"{name}.tflite"
        alone.write_bytes(graph_alone(path, name))
        expected = [operator.kind for operator in single_operators(golden_models[name])]
        assert [operator.kind for operator in single_operators(alone)] == expected
        assert list(open_interpreter(alone, num_threads=1).get_signature_list()) == [name]
    with pytest.raises(DataError, match="no signature 'L'"):
        graph_alone(path, "L")


def test_the_sums_are_those_of_the_operators(golden_models: dict[str, Path]) -> None:
    times = profile(golden_models["int8"], num_threads=1)
    found = report(times)
    for rows in (found["parts"], found["kinds"]):
        total_ms = sum(row["cpu_ms"] for row in rows.values())
        assert total_ms == pytest.approx(found["sum_cpu_ms"], abs=0.01)
        assert list(rows.values()) == sorted(rows.values(), key=lambda row: -row["cpu_ms"])
    assert len(found["operators"]) == len(times)
    only = summary(times[:1], lambda operator: operator.kind)
    assert list(only) == ["DEQUANTIZE"]


@pytest.mark.parametrize(
    ("name", "height", "part"),
    [
        ("student_l_1/decoder_4_bottleneck_2_add_1/Add", 160, "D4"),
        ("student_l_1/depth_code_4_1/convolution", 160, "heads"),
        ("PartitionedCall:0", 160, "heads"),
        ("student_l_1/block_13_depthwise_BN_1/batchnorm/sub1", 10, "encoder /32"),
        ("student_l_1/bn_Conv1_1/batchnorm/sub1", 160, "encoder /2"),
        ("truediv;truediv/y1", 320, "input"),
        ("mininet_f/other_layer", 40, "other /8"),
    ],
)
def test_a_part_is_known_by_its_layers_name(name: str, height: int, part: str) -> None:
    assert part_of(name, (1, height, 2 * height, 8), 320) == part


def test_what_is_no_network_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"no network")
    with pytest.raises(DataError, match=r"model\.tflite: is no \.tflite file"):
        list(single_operators(path))
