import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdepth.metrics.segmentation import Confusion, confusion


def ids(*values: int) -> npt.NDArray[np.uint8]:
    return np.array([values], np.uint8)


def test_scores_of_five_pixels_by_hand() -> None:
    # truth     0 0 0 1 1 (255)
    # predicted 0 0 1 1 2   7
    score = confusion(ids(0, 0, 0, 1, 1, 255), ids(0, 0, 1, 1, 2, 7))
    assert score.pixel_accuracy() == 3 / 5
    iou = score.class_iou()
    assert iou[0] == 2 / 3  # 2 hits, union 3
    assert iou[1] == 1 / 3  # 1 hit, union {pixel 3, 4, 5}
    assert iou[2] == 0  # never true, predicted once: it is present, and wrong
    assert math.isnan(iou[7])  # predicted only where the truth is ignored
    assert score.mean_iou() == pytest.approx((2 / 3 + 1 / 3 + 0) / 3)


def test_rows_are_the_truth_and_columns_the_prediction() -> None:
    counts = confusion(ids(3, 3, 18), ids(5, 5, 18)).counts
    assert (counts[3, 5], counts[5, 3], counts[18, 18]) == (2, 0, 1)


def test_a_pixel_without_a_predicted_class_lowers_the_coverage() -> None:
    score = confusion(ids(0, 0, 0, 255), ids(0, 0, 255, 255))
    assert score.coverage == pytest.approx(2 / 3)
    assert score.pixel_accuracy() == 1.0


@given(
    pairs=st.lists(
        st.tuples(st.sampled_from([0, 4, 18, 255]), st.sampled_from([0, 4, 18, 255])),
        min_size=1,
        max_size=40,
    ),
    cut=st.integers(0, 40),
)
def test_frames_add_up_and_match_a_plain_loop(pairs: list[tuple[int, int]], cut: int) -> None:
    truth, predicted = np.array(pairs, np.uint8).T[:, None]
    total = confusion(truth[:, :cut], predicted[:, :cut]) + confusion(
        truth[:, cut:], predicted[:, cut:]
    )
    expected = np.zeros((19, 19), np.int64)
    for true, guess in pairs:
        if true != 255 and guess != 255:
            expected[true, guess] += 1
    np.testing.assert_array_equal(total.counts, expected)
    assert total.num_labelled == sum(true != 255 for true, _ in pairs)


def test_label_ids_in_place_of_train_ids_are_refused() -> None:
    with pytest.raises(ValueError, match=r"truth holds the id 26; train ids are 0\.\.18"):
        confusion(ids(0, 26), ids(0, 0))


def test_nothing_compared_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(ValueError, match="no pixel"):
        Confusion.zero().mean_iou()
    with pytest.raises(ValueError, match="no pixel"):
        confusion(ids(255), ids(3)).pixel_accuracy()


def test_maps_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="resize the prediction"):
        confusion(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))
