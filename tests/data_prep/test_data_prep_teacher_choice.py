"""Which teachers are chosen, and which choices are refused."""

import shutil
from pathlib import Path

import pytest

from data_prep.teacher_choice import TeacherChoice, choose_teachers


def test_what_is_left_open_is_chosen_by_what_is_there(tmp_path: Path) -> None:
    tree = tmp_path
    (tree / "truth" / "train_id").mkdir(parents=True)
    open_choice = {
        "kitti_root": tree,
        "depth_teacher": None,
        "disparity_dir": None,
        "depth_dir": None,
        "seg_teacher": None,
    }
    chosen = choose_teachers(**open_choice)  # type: ignore[arg-type]
    assert (chosen.depth_teacher, chosen.seg_teacher) == ("sgm", "precomputed")
    assert chosen.train_id_dir == tree / "truth" / "train_id"
    shutil.rmtree(tree / "truth")
    chosen = choose_teachers(**open_choice | {"depth_dir": "d"})  # type: ignore[arg-type]
    assert (chosen.depth_teacher, chosen.seg_teacher) == ("precomputed", "none")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth_teacher": "precomputed"}, "either --disparity_dir or --depth_dir"),
        ({"depth_teacher": "sgm", "depth_dir": Path("d")}, "belong to --depth_teacher precomputed"),
        ({"depth_teacher": "sgm", "seg_teacher": "precomputed"}, "needs --train_id_dir"),
        ({"depth_teacher": "sgm", "train_id_dir": Path("t")}, "--train_id_dir belongs"),
        ({"depth_teacher": "psmnet"}, "is one of"),
    ],
)
def test_a_choice_that_contradicts_itself_is_refused(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TeacherChoice(**settings)  # type: ignore[arg-type]
