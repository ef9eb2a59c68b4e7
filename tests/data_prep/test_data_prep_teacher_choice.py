"""Which teachers are chosen, and which choices are refused."""

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

from data_prep.teacher_choice import (
    TeacherChoice,
    choose_teachers,
    define_depth_teacher_flags,
    define_seg_teacher_flags,
    given_teacher_flags,
    teachers_from_flags,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def flag_values(monkeypatch: pytest.MonkeyPatch) -> flags.FlagValues:
    """Flags of their own, so that no other test sees them."""
    values = flags.FlagValues()
    monkeypatch.setattr(flags, "FLAGS", values)
    for define in (define_depth_teacher_flags, define_seg_teacher_flags):
        with monkeypatch.context() as patched:
            for name in ("string", "integer", "float", "bool", "enum", "list"):
                original = getattr(flags, f"DEFINE_{name}")
                patched.setattr(
                    flags,
                    f"DEFINE_{name}",
                    lambda *a, original=original, **k: original(*a, flag_values=values, **k),
                )
            define()
    return values


def test_what_is_left_open_is_chosen_by_what_is_there(tmp_path: Path) -> None:
    tree = tmp_path
    (tree / "truth" / "train_id").mkdir(parents=True)
    chosen = choose_teachers(kitti_root=tree, seg_teacher=None)
    assert (chosen.depth_teacher, chosen.seg_teacher) == ("sgm", "precomputed")
    assert chosen.settings["train_id_dir"] == tree / "truth" / "train_id"
    chosen = choose_teachers(
        kitti_root=tree, seg_teacher=None, psmnet_weights="p.tar", deeplab_weights="d.pb"
    )
    # Weights that are given win over labels that happen to be there.
    assert (chosen.depth_teacher, chosen.seg_teacher) == ("psmnet", "deeplab_v3")
    assert "train_id_dir" not in chosen.settings
    shutil.rmtree(tree / "truth")
    chosen = choose_teachers(kitti_root=tree, seg_teacher=None, depth_dir="d")
    assert (chosen.depth_teacher, chosen.seg_teacher) == ("precomputed", "none")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth_teacher": "precomputed"}, "either --disparity_dir or --depth_dir"),
        (
            {"depth_teacher": "precomputed", "depth_dir": Path("d"), "disparity_dir": Path("e")},
            "either --disparity_dir or --depth_dir",
        ),
        (
            {"depth_teacher": "sgm", "depth_dir": Path("d")},
            "--depth_dir belongs to --depth_teacher precomputed, not to sgm",
        ),
        ({"depth_teacher": "sgm", "seg_teacher": "precomputed"}, "needs --train_id_dir"),
        (
            {"depth_teacher": "sgm", "train_id_dir": Path("t")},
            "--train_id_dir belongs to --seg_teacher precomputed, not to none",
        ),
        ({"depth_teacher": "psmnet"}, "--depth_teacher psmnet needs --psmnet_weights"),
        (
            {"depth_teacher": "sgm", "psmnet_weights": Path("w"), "max_disparity": 64},
            "--psmnet_weights and --max_disparity belong to --depth_teacher psmnet, not to sgm",
        ),
        (
            {"depth_teacher": "sgm", "align_corners": False},
            "--align_corners belongs to --depth_teacher psmnet, not to sgm",
        ),
        (
            {"depth_teacher": "sgm", "seg_teacher": "deeplab_v3"},
            "--seg_teacher deeplab_v3 needs --deeplab_weights",
        ),
        (
            {"depth_teacher": "sgm", "flip": True},
            "--flip belongs to --seg_teacher deeplab_v3, not to none",
        ),
        ({"depth_teacher": "stereonet"}, "is one of"),
        ({"depth_teacher": "sgm", "seg_teacher": "unet"}, "is one of"),
    ],
)
def test_a_choice_that_contradicts_itself_is_refused(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TeacherChoice(**settings)  # type: ignore[arg-type]


def test_every_flag_reaches_its_teacher(flag_values: flags.FlagValues, tmp_path: Path) -> None:
    flag_values(
        [
            "program",
            "--psmnet_weights",
            "w.tar",
            "--max_disparity",
            "64",
            "--noalign_corners",
            "--psmnet_dtype",
            "bfloat16",
            "--left_right_px",
            "1.5",
            "--deeplab_weights",
            "d.pb",
            "--flip",
            "--scales",
            "0.75,1,1.25",
            "--confidence_floor",
            "0.4",
        ]
    )
    choice = teachers_from_flags(tmp_path)
    assert choice == TeacherChoice(
        depth_teacher="psmnet",
        seg_teacher="deeplab_v3",
        psmnet_weights=Path("w.tar"),
        max_disparity=64,
        align_corners=False,
        psmnet_dtype="bfloat16",
        left_right_px=1.5,
        deeplab_weights=Path("d.pb"),
        flip=True,
        scales=(0.75, 1.0, 1.25),
        confidence_floor=0.4,
    )
    assert pickle.loads(pickle.dumps(choice)) == choice
    assert "--left_right_px" in given_teacher_flags()


def test_scales_that_are_no_numbers_are_named(
    flag_values: flags.FlagValues, tmp_path: Path
) -> None:
    flag_values(["program", "--deeplab_weights", "d.pb", "--scales", "1,big"])
    with pytest.raises(ValueError, match=r"--scales is like 0\.75,1,1\.25: .*'big'"):
        teachers_from_flags(tmp_path)


def test_missing_weights_are_named_when_the_teacher_is_made(tmp_path: Path) -> None:
    choice = TeacherChoice(
        depth_teacher="psmnet",
        psmnet_weights=tmp_path / "nowhere.tar",
        seg_teacher="deeplab_v3",
        deeplab_weights=tmp_path / "nowhere.pb",
    )
    with pytest.raises(FileNotFoundError, match=r"nowhere\.tar"):
        choice.make_depth_teacher()
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pb"):
        choice.make_seg_teacher()


def test_a_network_is_made_once_a_process_and_told_everything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[dict[str, object]] = []

    class Network:
        def __init__(self, weights: Path, **settings: object) -> None:
            made.append({"weights": weights, **settings})

    monkeypatch.setattr("teachers.psmnet.teacher.PsmnetTeacher", Network)
    choice = TeacherChoice(
        depth_teacher="psmnet", psmnet_weights=tmp_path / "w.npz", psmnet_dtype="bfloat16"
    )
    same = pickle.loads(pickle.dumps(choice))
    assert choice.make_depth_teacher() is same.make_depth_teacher()
    settings = {"max_disparity_px": None, "align_corners": None, "dtype": "bfloat16"}
    assert made == [{"weights": tmp_path / "w.npz", **settings}]


def test_the_left_right_check_is_part_of_the_teacher(tmp_path: Path) -> None:
    teacher = TeacherChoice(depth_teacher="sgm", left_right_px=2).make_depth_teacher()
    assert (teacher.name, teacher.needs_partner) == ("sgm", True)
    assert "within 2 px" in teacher.version
    with pytest.raises(ValueError, match="--left_right_px must be positive"):
        TeacherChoice(depth_teacher="sgm", left_right_px=-1.0).make_depth_teacher()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "leaves_out"),
    [
        ({}, True),
        ({"sky": "kept"}, False),
        ({"seg_teacher": "precomputed", "train_id_dir": "ids"}, False),
        ({"depth_teacher": "lidar"}, False),
        ({"disparity_dir": "px"}, False),
        ({"disparity_dir": "px", "sky": "left_out"}, True),
    ],
)
def test_sky_is_left_out_where_matching_paints_it_and_no_class_tells(
    tmp_path: Path, settings: dict[str, str], leaves_out: bool
) -> None:
    choice = choose_teachers(kitti_root=tmp_path, **settings)  # type: ignore[arg-type]
    assert choice.leaves_sky_out == leaves_out


def test_sky_that_is_left_out_is_part_of_the_teacher() -> None:
    choice = TeacherChoice(depth_teacher="sgm", left_right_px=2, leaves_sky_out=True)
    version = choice.make_depth_teacher().version
    assert "within 2 px, without what looks like sky" in version


def test_a_light_teacher_loads_no_framework() -> None:
    code = (
        "import sys\n"
        "from data_prep.jobs import pools\n"
        "from data_prep.teacher_choice import TeacherChoice\n"
        "TeacherChoice(depth_teacher='sgm').make_depth_teacher()\n"
        "heavy = [n for n in ('tensorflow', 'keras', 'torch', 'ray') if n in sys.modules]\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
