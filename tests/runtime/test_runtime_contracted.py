"""The class of the largest score, against numpy's own."""

import numpy as np
import pytest

from mtdepth.runtime.contracted import largest_class


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32", "int32"])
@pytest.mark.parametrize("num_classes", [1, 2, 19, 256])
def test_it_is_numpys_also_among_equals(dtype: str, num_classes: int) -> None:
    # Few different values, so that most pixels have several largest scores.
    values = np.random.default_rng(0).integers(-3, 3, (13, 7, num_classes))
    scores = (values + (3 if dtype == "uint8" else 0)).astype(dtype)
    found = largest_class(scores)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, scores.argmax(axis=-1))


def test_a_view_is_read_as_what_it_shows() -> None:
    scores = np.random.default_rng(1).normal(size=(6, 8, 10)).astype(np.float32)[::2, ::-1, 1:]
    np.testing.assert_array_equal(largest_class(scores), scores.argmax(axis=-1))


def test_the_ends_of_the_range_are_told_apart() -> None:
    scores = np.full((1, 3, 3), -128, np.int8)
    scores[0, 1, 2], scores[0, 2, 1] = 127, -127
    assert largest_class(scores).tolist() == [[0, 2, 1]]


@pytest.mark.parametrize("shape", [(4, 5), (2, 2, 0), (2, 2, 257)])
def test_another_form_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="scores must be"):
        largest_class(np.zeros(shape, np.int8))
