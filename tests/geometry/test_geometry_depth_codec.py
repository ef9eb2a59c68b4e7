import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.files import UserError
from mtdepth.geometry.depth_codec import (
    MIN_DEPTH_M,
    LinearDepthCodec,
    LogDepthCodec,
    SigmoidDisparityCodec,
    codec_from_dict,
)

PAPER = LogDepthCodec(near_m=4.0, far_m=80.0)


@pytest.mark.parametrize(
    ("depth_m", "code"),
    [
        # 80 * ln(d / 4) / ln(20), ln 20 = 2.99573
        (4.0, 0.0),
        (10.0, 24.47),  # 80 * 0.91629 / 2.99573
        (20.0, 42.98),  # 80 * 1.60944 / 2.99573
        (40.0, 61.49),  # 80 * 2.30259 / 2.99573
        (80.0, 80.0),
        (2.0, -18.51),  # one halving below 4 m, as 20 m is one below 40 m
    ],
)
def test_the_code_of_the_paper_by_hand(depth_m: float, code: float) -> None:
    assert PAPER.encode(np.array(depth_m)) == pytest.approx(code, abs=0.005)
    assert PAPER.decode(PAPER.encode(np.array(depth_m))) == pytest.approx(depth_m, rel=1e-12)


def test_slope_and_offset_are_the_law() -> None:
    depth_m = np.array([0.5, 3.0, 17.0, 79.0])
    np.testing.assert_allclose(
        PAPER.slope * np.log(depth_m) + PAPER.offset, PAPER.encode(depth_m), rtol=1e-12
    )


@given(
    near_m=st.floats(0.2, 10.0),
    ratio=st.floats(1.5, 100.0),
    position=st.floats(0.0, 1.0),
)
def test_decoding_undoes_encoding_from_the_floor_to_the_far_limit(
    near_m: float, ratio: float, position: float
) -> None:
    codec = LogDepthCodec(near_m=near_m, far_m=near_m * ratio)
    depth_m = MIN_DEPTH_M + position * (codec.far_m - MIN_DEPTH_M)
    assert codec.decode(codec.encode(np.array(depth_m))) == pytest.approx(depth_m, rel=1e-9)


def test_what_is_nearer_than_the_limit_is_reported_as_nearer() -> None:
    depth_m = np.array([3.9, 2.0, 1.0, 0.3], np.float32)
    np.testing.assert_allclose(PAPER.decode(PAPER.encode(depth_m)), depth_m, rtol=1e-5)


def test_nothing_is_farther_than_the_far_limit() -> None:
    decoded_m = PAPER.decode(np.array([80.0, 80.1, 500.0, 1e30], np.float32))
    np.testing.assert_array_equal(decoded_m, [80.0, 80.0, 80.0, 80.0])


def test_nothing_is_nearer_than_the_floor() -> None:
    decoded_m = PAPER.decode(np.array([-200.0, -1e30], np.float32))
    np.testing.assert_allclose(decoded_m, MIN_DEPTH_M, rtol=1e-6)  # a few float32 roundings


@given(st.floats(width=32))
def test_no_code_gives_an_illegal_depth(code: float) -> None:
    decoded_m = float(PAPER.decode(np.array(code, np.float32)))
    # 0 says "not measured", of a code that is no number.
    assert math.isnan(code) == (decoded_m == 0)
    assert decoded_m == 0 or np.float32(MIN_DEPTH_M) <= decoded_m <= 80.0


@given(st.floats(width=32))
def test_no_depth_gives_an_illegal_code(depth_m: float) -> None:
    code = float(PAPER.encode(np.array(depth_m, np.float32)))
    assert math.isfinite(code)
    if not depth_m > 0 or math.isinf(depth_m):
        assert code == pytest.approx(0.0, abs=1e-5)  # the near limit in its place


def test_float32_stays_float32_and_half_precision_is_widened() -> None:
    assert PAPER.encode(np.ones(2, np.float32)).dtype == np.float32
    assert PAPER.decode(np.ones(2, np.float16)).dtype == np.float32


def test_float32_is_exact_to_a_millimetre_at_ten_metres() -> None:
    depth_m = np.linspace(1, 10, 1000, dtype=np.float32)
    # Two logarithms and a product of numbers up to 80 in float32: 1e-6 relative each.
    np.testing.assert_allclose(PAPER.decode(PAPER.encode(depth_m)), depth_m, atol=1e-3)


def test_a_law_survives_json() -> None:
    codec = LogDepthCodec(near_m=1.0, far_m=60.0)
    content = json.loads(json.dumps(codec.to_dict()))
    assert content == {"kind": "log", "near_m": 1.0, "far_m": 60.0, "min_depth_m": 0.1}
    assert codec_from_dict(content) == codec
    disparity = SigmoidDisparityCodec(scale=31.5)
    content = json.loads(json.dumps(disparity.to_dict()))
    assert content == {"kind": "sigmoid_disparity", "scale": 31.5}
    assert codec_from_dict(content) == disparity


def test_the_code_of_a_disparity_is_its_logit() -> None:
    codec = SigmoidDisparityCodec(scale=2.0)
    disparity = np.array([0.003, 0.02, 0.5, 0.9])
    code = np.log(disparity / (1 - disparity))
    depth = 2.0 / (10 * disparity + 0.01)  # MiniNet: a = 10, b = 0.01
    np.testing.assert_allclose(codec.decode(code), depth, rtol=1e-12)
    np.testing.assert_allclose(codec.encode(depth), code, rtol=1e-9)
    ends = codec.decode(np.array([-np.inf, np.inf, np.nan], np.float32))
    np.testing.assert_allclose(ends, [200.0, 2.0 / 10.01, 0.0], rtol=1e-6)
    assert ends.dtype == np.float32
    assert (codec.near_m, codec.far_m) == (2.0 / 10.01, 200.0)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf])
def test_a_scale_that_gives_no_law_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scale must be positive"):
        SigmoidDisparityCodec(scale=scale)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"kind": "inverse", "near_m": 1.0, "far_m": 2.0},
        {"kind": "log", "near_m": 1.0},
        {"kind": "log", "near_m": 1.0, "far_m": 2.0, "base": 10},
        {"kind": "sigmoid_disparity", "scale": "2"},
        {"kind": "sigmoid_disparity"},
    ],
)
def test_another_law_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a depth law"):
        codec_from_dict(content)


@pytest.mark.parametrize(
    ("near_m", "far_m"), [(0.0, 80.0), (80.0, 80.0), (5.0, 4.0), (4.0, math.inf), (0.05, 80.0)]
)
def test_limits_that_give_no_law_are_refused(near_m: float, far_m: float) -> None:
    with pytest.raises(ValueError, match="near_m < far_m"):
        LogDepthCodec(near_m=near_m, far_m=far_m)


def test_the_linear_law_is_depth_itself_between_its_limits() -> None:
    codec = LinearDepthCodec(near_m=4.0, far_m=80.0)
    assert codec_from_dict(json.loads(json.dumps(codec.to_dict()))) == codec
    np.testing.assert_array_equal(codec.encode(np.array([3.0, 90.0, 0.0])), [3.0, 90.0, 4.0])
    codes = np.array([-5.0, 0.5, 30.0, 90.0, np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(
        codec.decode(codes), np.array([MIN_DEPTH_M, 0.5, 30.0, 80.0, 80.0, 0.0], np.float32)
    )
    with pytest.raises(UserError, match="limits must satisfy"):
        LinearDepthCodec(near_m=80.0, far_m=4.0)
