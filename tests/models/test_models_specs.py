"""The student's description: tables, validation, the way through JSON."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.records import rebuilt
from mtdepth.specs.student import (
    DESIGN_A_BLOCKS,
    DESIGNS,
    MOBILENET_V2_STAGES,
    BlockSpec,
    StudentSpec,
    designed,
    encoder_taps,
    scaled_width,
)

DESIGN_B_BLOCKS = (
    BlockSpec(skip=None, width=32, num_bottlenecks=2),
    *DESIGN_A_BLOCKS[1:],
)


def test_encoder_taps_are_the_layer_tables() -> None:
    taps = encoder_taps(StudentSpec())
    # The reconstructed layer table: channels 8 | 8 8 | 16 x3 | 24 x4 | 32 x3 | 56 x3 | 112
    assert [tap.num_channels for tap in taps.values()] == (
        [8] + [8] * 2 + [16] * 3 + [24] * 4 + [32] * 3 + [56] * 3 + [112]
    )
    assert [taps[f"block_{n}"].stride for n in (0, 2, 5, 9, 12, 15, 16)] == [
        2, 4, 8, 16, 16, 32, 32,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("alpha", "widths"),
    # By hand from MobileNetV2's rule: round to a multiple of 8, never below 0.9 of the wish.
    [(0.35, (16, 8, 8, 16, 24, 32, 56, 112)), (1.0, (32, 16, 24, 32, 64, 96, 160, 320))],
)
def test_width_multiplier_rounds_as_mobilenet_v2(alpha: float, widths: tuple[int, ...]) -> None:
    unscaled = (32, 16, 24, 32, 64, 96, 160, 320)
    assert tuple(scaled_width(width, alpha=alpha) for width in unscaled) == widths


@given(
    tasks=st.sampled_from([("depth",), ("depth", "segmentation")]),
    num_individual=st.integers(0, 5),
    blocks=st.sampled_from([DESIGN_A_BLOCKS, DESIGN_B_BLOCKS, DESIGN_A_BLOCKS[:2]]),
    momentum=st.floats(0.01, 0.9999),
)
def test_spec_survives_json(tasks, num_individual, blocks, momentum) -> None:
    spec = StudentSpec(
        tasks=tasks, num_individual=num_individual, blocks=blocks, batch_norm_momentum=momentum
    )
    assert rebuilt(StudentSpec, json.loads(json.dumps(dataclasses.asdict(spec)))) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ()}, "tasks"),
        ({"tasks": ("segmentation", "depth")}, "tasks"),
        ({"blocks": ()}, "1 to 4"),
        ({"num_individual": -1}, "num_individual"),
        ({"batch_norm_momentum": 1.0}, "batch_norm_momentum"),
        ({"stages": MOBILENET_V2_STAGES[:3]}, "stride must be 32, got 8"),
        (
            {"blocks": (dataclasses.replace(DESIGN_A_BLOCKS[0], skip="block_12"),)},
            r"blocks\[0\].skip .* stride 32 \(block_13, block_14, block_15, block_16\)",
        ),
        (
            {"blocks": (BlockSpec(skip=None, width=23, num_bottlenecks=2), DESIGN_A_BLOCKS[1])},
            r"blocks\[1\]: .* multiple of 4 .* have 55",  # 23 + 32
        ),
        ({"blocks": (BlockSpec(skip=None, width=8, num_bottlenecks=0),)}, "above 0"),
        ({"blocks": (BlockSpec(skip=None, width=8, num_bottlenecks=10**9),)}, "at most"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StudentSpec(**change)


@pytest.mark.parametrize(
    "fields", [{"widht": 3}, {"blocks": [{"skip": None, "width": 8}]}, {"blocks": 4}]
)
def test_unknown_or_missing_fields_are_refused(fields) -> None:
    with pytest.raises(ValueError, match=r"widht|num_bottlenecks|must be a list"):
        rebuilt(StudentSpec, fields)


def test_a_decoder_size_keeps_the_first_blocks() -> None:
    assert StudentSpec().for_decoder("S").blocks == DESIGN_A_BLOCKS[:2]
    with pytest.raises(ValueError, match="decoder M needs 3 decoder blocks, this network has 2"):
        StudentSpec().for_decoder("S").for_decoder("M")
    with pytest.raises(ValueError, match="one of L, M, S, XS, got 'XL'"):
        StudentSpec().for_decoder("XL")


@pytest.mark.parametrize("name", sorted(DESIGNS))
def test_a_named_design_changes_the_decoder_alone(name: str) -> None:
    spec = StudentSpec(tasks=("depth", "segmentation"), num_individual=1, alpha=0.5)
    found = designed(spec, name)
    assert (found.blocks, found.decoder_activation) == (
        DESIGNS[name].blocks,
        DESIGNS[name].activation,
    )
    assert (
        dataclasses.replace(found, blocks=spec.blocks, decoder_activation=spec.decoder_activation)
        == spec
    )
    # A design that some size could not be cut from, or that the paper's names do not fit.
    assert [len(found.for_decoder(size).blocks) for size in ("L", "M", "S", "XS")] == [4, 3, 2, 1]


def test_the_papers_design_is_the_default() -> None:
    assert designed(StudentSpec(), "paper") == StudentSpec()


def test_an_unknown_design_is_named() -> None:
    with pytest.raises(
        ValueError, match="no design 'tiny'; there are paper, narrow, fast, hard_swish"
    ):
        designed(StudentSpec(), "tiny")
