from pathlib import Path

import numpy as np
import pytest

from mtdepth.datasets.label_map import (
    CLASS_NAMES,
    CLASSES,
    IGNORE_ID,
    NUM_CLASSES,
    PALETTE,
    colorize,
    label_id_to_train_id,
)
from mtdepth.pictures import read_gray_png


def test_there_are_nineteen_classes_in_the_order_of_their_train_ids() -> None:
    assert NUM_CLASSES == 19
    assert [entry.train_id for entry in CLASSES] == list(range(19))
    label_ids = [entry.label_id for entry in CLASSES]
    assert label_ids == sorted(set(label_ids))
    assert len(set(CLASS_NAMES)) == len({entry.color_rgb for entry in CLASSES}) == 19


def test_well_known_classes_have_their_published_numbers() -> None:
    by_name = {entry.name: (entry.label_id, entry.train_id) for entry in CLASSES}
    assert by_name["road"] == (7, 0)
    assert by_name["sky"] == (23, 10)
    assert by_name["car"] == (26, 13)
    assert by_name["bicycle"] == (33, 18)


def test_label_ids_become_train_ids_and_the_rest_is_ignored() -> None:
    label_id = np.array([[7, 26, 33], [0, -1, 29], [300, 255, 9]])
    expected = np.array([[0, 13, 18], [255, 255, 255], [255, 255, 255]])
    train_id = label_id_to_train_id(label_id)
    np.testing.assert_array_equal(train_id, expected)
    assert train_id.dtype == np.uint8


def test_every_small_integer_type_is_renumbered_alike() -> None:
    for dtype in (np.uint8, np.uint16, np.int32, np.int64):
        np.testing.assert_array_equal(label_id_to_train_id(np.array([7, 254], dtype)), [0, 255])


def test_colours_are_those_of_the_table_and_black_is_ignored() -> None:
    painted = colorize(np.array([[0, 13, 255]], np.uint8))
    np.testing.assert_array_equal(painted, [[[128, 64, 128], [0, 0, 142], [0, 0, 0]]])
    assert painted.dtype == np.uint8
    assert PALETTE.shape == (256, 3)
    assert not PALETTE[NUM_CLASSES:].any()


def test_the_palette_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        PALETTE[0] = 0


def test_a_train_id_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.\.18 or 255, got \[19 33\]"):
        colorize(np.array([0, 33, 19]))


def test_scores_are_not_taken_for_ids() -> None:
    with pytest.raises(ValueError, match="integers, got float32"):
        label_id_to_train_id(np.zeros(3, np.float32))  # type: ignore[arg-type]


@pytest.mark.dataset
def test_a_real_cityscapes_image_is_renumbered_as_its_authors_did(kitti_mini: Path) -> None:
    stem = kitti_mini / "cityscapes_tiny_256x128/gtFine/frankfurt_000000_000294_gtFine_"
    label_id = read_gray_png(Path(f"{stem}labelIds.png"), np.uint8)
    train_id = read_gray_png(Path(f"{stem}labelTrainIds.png"), np.uint8)
    assert len(np.unique(train_id)) > 8
    assert IGNORE_ID in train_id
    # The two files were drawn separately and differ along borders (77 of 32,768 pixels), so each
    # class is judged by the number that most of its pixels have.
    for number in np.unique(label_id):
        is_of_class = label_id == number
        if is_of_class.sum() < 50:
            continue
        by_authors = np.bincount(train_id[is_of_class], minlength=256).argmax()
        assert (label_id_to_train_id(label_id)[is_of_class] == by_authors).all()
