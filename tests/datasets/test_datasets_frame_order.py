"""The order in which pictures were taken, from names as cameras, robots and people write them."""

import random

import pytest

from mtdepth.datasets.frame_order import frame_numbers, moments_of, natural_key


@pytest.mark.parametrize(
    ("stamps", "numbers", "step"),
    [
        ([3, 4, 5, 9], [3, 4, 5, 9], 1),
        ([0, 5, 10, 25], [0, 1, 2, 5], 5),
        ([7], [7], 1),
        # Nanoseconds at 20 Hz with jitter, one frame lost.
        (
            [1403636579763555584 + t for t in (0, 50000128, 100000000, 199999744)],
            [0, 1, 2, 4],
            50000128,
        ),
    ],
)
def test_file_numbers_become_moments(stamps: list[int], numbers: list[int], step: int) -> None:
    assert frame_numbers(stamps) == (numbers, step)


S = 10**9  # nanoseconds of a second


@pytest.mark.parametrize(
    ("names", "moments"),
    [
        (["img_9", "img_10"], [9, 10]),
        # Seconds and their fraction, with and without a topic's name.
        (["1305031102.175304", "1305031102.2"], [0, 24_696_000]),
        (["left_1700000000.000000900", "left_1700000001.000000100"], [0, S - 800]),
        # Nanoseconds as a count of their own, without leading zeros.
        (["1700000000-99000000", "1700000000-199000000", "1700000001-5"], [0, S // 10, 901000005]),
        (["1700000000.99000000", "1700000000.199000000"], [0, S // 10]),
        # Date, time, microseconds.
        (["20231231_235959_900000", "20240101_000000_100000"], [0, S // 5]),
        (["cam0-2023-12-31T23-59-59-9", "cam0-2023-12-31T23-59-59-12"], [0, 3_000_000]),
        (["20240101_120000", "20240101_120001"], [0, S]),
        # What all names end with tells no time.
        (["1700000000-99000000_left", "1700000000-199000000_left"], [0, S // 10]),
        (["shot (9)", "shot (12)"], [0, 3]),
        # No month 13, so a count.
        (["20131301000000", "20131301000002"], [0, 2]),
    ],
)
def test_names_become_moments(names: list[str], moments: list[int]) -> None:
    found = moments_of(names)
    assert found is not None
    first = 0 if names[0] == "img_9" else found[0]
    assert [each - first for each in found] == moments


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b"],  # no number
        ["a_1", "b_1"],  # twice the same
        ["a_2", "b_1"],  # one of several counts: the natural order is all that is known
        ["scene1_9", "scene2_3"],
        ["9_left", "10_right"],
    ],
)
def test_names_that_tell_no_moment_are_left_in_their_natural_order(names: list[str]) -> None:
    assert moments_of(names) is None
    shuffled = random.Random(0).sample(names, len(names))
    assert sorted(shuffled, key=natural_key) == names
