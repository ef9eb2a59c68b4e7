"""Near is bright, ratios are steps, nothing measured is black."""

import numpy as np
import pytest

from mtdepth.runtime.colors import depth_colors

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # ITU-R BT.709


def test_nearer_is_brighter() -> None:
    depth_m = np.geomspace(80, 4, 50)[None]
    brightness = depth_colors(depth_m, near_m=4, far_m=80)[0] @ LUMINANCE
    assert (np.diff(brightness) > 0).all()
    assert brightness[-1] > 200


def test_what_is_not_measured_is_black_and_far_is_not() -> None:
    colors = depth_colors(np.array([[0.0, 80.0, 1000.0]]), near_m=4, far_m=80)
    assert not colors[0, 0].any()
    assert colors[0, 1].any()
    np.testing.assert_array_equal(colors[0, 2], colors[0, 1])


def test_nearer_than_near_has_the_nearest_colour() -> None:
    colors = depth_colors(np.array([[0.3, 4.0]]), near_m=4, far_m=80)
    np.testing.assert_array_equal(colors[0, 0], colors[0, 1])


def test_equal_ratios_are_equal_steps() -> None:
    # The same share of the way from far to near, whatever the limits.
    first = depth_colors(np.array([[4.0, 8.0, 16.0, 32.0, 64.0]]), near_m=4, far_m=64)
    second = depth_colors(np.array([[1.0, 3.0, 9.0, 27.0, 81.0]]), near_m=1, far_m=81)
    np.testing.assert_array_equal(first, second)


def test_colours_are_red_green_blue_in_this_order() -> None:
    # Magma's bright end is a pale yellow: more red than blue.
    red, green, blue = depth_colors(np.array([[4.0]]), near_m=4, far_m=80)[0, 0].tolist()
    assert red > 240
    assert green > 240
    assert blue < 210


@pytest.mark.parametrize("limits", [(0.0, 80.0), (80.0, 4.0), (-1.0, 4.0)])
def test_limits_that_give_no_scale_are_refused(limits: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="0 < near_m < far_m"):
        depth_colors(np.ones((2, 2)), near_m=limits[0], far_m=limits[1])
