"""Parameters and operations of the student, against the published-count reconstruction."""

import functools
from typing import Any

import keras
import pytest

from mtdepth.models.counting import count
from mtdepth.models.student import build_training_graph, detach
from mtdepth.specs.student import DESIGN_A_BLOCKS, BlockSpec, StudentSpec

DEPTH = ("depth",)
BOTH = ("depth", "segmentation")
DESIGN_B_BLOCKS = (BlockSpec(skip=None, width=32, num_bottlenecks=2), *DESIGN_A_BLOCKS[1:])
DESIGN_D_BLOCKS = tuple(
    BlockSpec(skip=block.skip, width=16, num_bottlenecks=num)
    for block, num in zip(DESIGN_A_BLOCKS, (3, 3, 3, 2), strict=True)
)

# Parameters and MMAC (one decimal) at 480x320 of the detached networks.
DETACHED = [
    (DESIGN_A_BLOCKS, DEPTH, "L", 324_553, 467.6),
    (DESIGN_A_BLOCKS, DEPTH, "M", 318_565, 297.4),
    (DESIGN_A_BLOCKS, DEPTH, "S", 306_393, 201.6),
    (DESIGN_A_BLOCKS, DEPTH, "XS", 292_221, 172.3),
    (DESIGN_A_BLOCKS, BOTH, "L", 324_724, 473.4),
    (DESIGN_A_BLOCKS, BOTH, "M", 318_888, 300.3),
    (DESIGN_A_BLOCKS, BOTH, "S", 306_868, 202.7),
    (DESIGN_A_BLOCKS, BOTH, "XS", 292_696, 172.6),
    (DESIGN_B_BLOCKS, DEPTH, "L", 323_681, 468.5),
    (DESIGN_B_BLOCKS, DEPTH, "M", 317_693, 298.3),
    (DESIGN_B_BLOCKS, DEPTH, "S", 305_521, 202.5),
    (DESIGN_B_BLOCKS, DEPTH, "XS", 290_505, 171.4),
    (DESIGN_B_BLOCKS, BOTH, "L", 323_852, 474.3),
    (DESIGN_B_BLOCKS, BOTH, "M", 318_016, 301.2),
    (DESIGN_B_BLOCKS, BOTH, "S", 305_996, 203.6),
    (DESIGN_B_BLOCKS, BOTH, "XS", 291_132, 171.8),
]


@functools.cache
def training_graph(spec: StudentSpec, *, width_px: int = 1056) -> keras.Model:
    return build_training_graph(spec, input_size=(320, width_px))


# A is the recovered network, and of every day; B and D are others that were considered.
def slow_but_a(cases: list[Any]) -> list[Any]:
    slow = pytest.mark.slow
    return [
        case if case[0] is DESIGN_A_BLOCKS else pytest.param(*case, marks=slow) for case in cases
    ]


@pytest.mark.parametrize(("blocks", "tasks", "decoder", "params", "mmac"), slow_but_a(DETACHED))
def test_detached_counts_are_the_reconstructions(blocks, tasks, decoder, params, mmac) -> None:
    spec = StudentSpec(tasks=BOTH, blocks=blocks)
    graph = training_graph(spec, width_px=480)
    counted = count(detach(graph, spec, decoder=decoder, tasks=tasks))
    assert counted.params == params
    assert round(counted.macs / 1e6, 1) == mmac
    size = {"L": (160, 240), "M": (80, 120), "S": (40, 60), "XS": (20, 30)}[decoder]
    outputs = {"depth_code": (*size, 1), "class_scores": (*size, 19)}
    assert counted.outputs == {name: outputs[name] for name in list(outputs)[: len(tasks)]}


@pytest.mark.parametrize(
    ("blocks", "tasks", "params", "gmac"),
    slow_but_a(
        [
            (DESIGN_A_BLOCKS, DEPTH, 324_620, 1.0292),
            (DESIGN_A_BLOCKS, BOTH, 326_064, 1.0514),
            (DESIGN_B_BLOCKS, DEPTH, 323_756, 1.0312),
            (DESIGN_B_BLOCKS, BOTH, 325_352, 1.0537),
            (DESIGN_D_BLOCKS, DEPTH, 320_940, 1.060),
        ]
    ),
)
def test_training_graph_counts_are_the_reconstructions(blocks, tasks, params, gmac) -> None:
    spec = StudentSpec(blocks=blocks, tasks=tasks)
    counted = count(training_graph(spec))
    assert counted.params == params
    assert counted.macs / 1e9 == pytest.approx(gmac, abs=6e-5 if gmac != 1.060 else 6e-4)


def test_trainable_parameters_leave_the_statistics_out() -> None:
    counted = count(training_graph(StudentSpec()))
    assert counted.trainable_params == 308_524


@pytest.mark.parametrize(
    ("decoder", "mmac"), [("L", 1028.7), ("M", 654.3), ("S", 443.4), ("XS", 379.2)]
)
def test_detached_operations_at_the_papers_size(decoder, mmac) -> None:
    spec = StudentSpec()
    assert round(count(detach(training_graph(spec), spec, decoder=decoder)).macs / 1e6, 1) == mmac


@pytest.mark.parametrize(
    ("num_individual", "params", "gmac"),
    [
        (0, 326_064, 1.051),
        pytest.param(1, 351_360, 1.290, marks=pytest.mark.slow),
        (2, 383_472, 1.520),
        pytest.param(3, 387_732, 1.666, marks=pytest.mark.slow),
    ],
)
def test_split_of_shared_and_individual_bottlenecks(num_individual, params, gmac) -> None:
    spec = StudentSpec(tasks=BOTH, num_individual=num_individual)
    counted = count(training_graph(spec))
    assert counted.params == params
    assert round(counted.macs / 1e9, 3) == gmac


def test_a_shared_layer_costs_parameters_once_and_operations_per_call() -> None:
    image = keras.Input(shape=(8, 12, 3))
    layer = keras.layers.Conv2D(3, 3, strides=2, padding="same", name="shared")
    model = keras.Model(image, {"out": layer(layer(image))})
    counted = count(model)
    assert counted.params == 3 * 3 * 3 * 3 + 3
    assert counted.macs == 81 * (4 * 6) + 81 * (2 * 3)
    assert counted.outputs == {"out": (2, 3, 3)}


def test_dense_and_depthwise_by_hand() -> None:
    image = keras.Input(shape=(4, 6, 5))
    features = keras.layers.DepthwiseConv2D(3, depth_multiplier=2, padding="valid")(image)
    features = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(image, {"out": keras.layers.Dense(7)(features)})
    # depthwise: 2x4 positions, 10 outputs of 9 products each; dense: 10 x 7
    assert count(model).macs == 2 * 4 * 10 * 9 + 70


def test_an_unknown_kernel_is_not_counted_as_nothing() -> None:
    image = keras.Input(shape=(4, 6, 5))
    layer = keras.layers.Conv2DTranspose(3, 2, name="up")
    with pytest.raises(ValueError, match="'up', a Conv2DTranspose"):
        count(keras.Model(image, {"out": layer(image)}))


def test_an_open_size_is_refused() -> None:
    image = keras.Input(shape=(None, None, 3))
    with pytest.raises(ValueError, match="no fixed size"):
        count(keras.Model(image, {"out": keras.layers.Conv2D(2, 1)(image)}))
