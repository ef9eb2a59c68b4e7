"""What is taken where the user names no video, and which splits go with what."""

import shutil
from pathlib import Path

import pytest
from fakes.panned_video import CAMERA, pan, write_frames

from mtdepth import defaults
from mtdepth.data.video_request import VideoRequest
from mtdepth.files import write_json
from mtdepth.recipes.base import overridden
from mtdepth.recipes.registry import find_video_recipe

RECIPE = overridden(
    find_video_recipe("mininet_small_data"), ["input_size_px=[32,96]", "min_flow_px=0.0"]
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_demos_streets_and_clip_are_the_default_and_its_val_part_is_held_out(
    tree: Path,
) -> None:
    shutil.copytree(tree, "demo/kitti")
    request = VideoRequest(videos=(), cache_dir=Path("cache"))
    alone = request.or_defaults(Path("demo/kitti"))
    assert (alone.videos, alone.splits) == ([Path("demo/kitti")], ["demo/kitti/splits/train.txt"])
    shutil.copytree(tree, "demo/clip")
    both = request.or_defaults(Path("demo/kitti"))
    assert both.videos == [Path("demo/kitti"), Path("demo/clip")]
    learned, held_out = both.choose(RECIPE)
    # Four frames a drive give two triplets; a list has one side, `all` has both.
    assert [len(selection.kept) for selection in learned.selections] == [2, 8]
    assert held_out is not None
    assert held_out.labels == ("demo/kitti (demo/kitti/splits/val.txt)",)


def test_a_users_kitti_is_learned_with_its_own_split(tree: Path) -> None:
    request = VideoRequest(videos=(), cache_dir=Path("cache")).or_defaults(Path("kitti"))
    assert (request.videos, request.splits) == ([Path("kitti")], ["eigen_train"])
    assert not request.val_videos
    named = VideoRequest(videos=[tree], cache_dir=Path("cache"))
    assert named.or_defaults(Path("kitti")) is named


def test_without_a_demo_the_way_out_is_said() -> None:
    with pytest.raises(FileNotFoundError, match=r"`make demo`.*--video.*MTDEPTH_KITTI_ROOT"):
        VideoRequest(videos=(), cache_dir=Path("cache")).or_defaults(Path("demo/kitti"))


def test_a_split_of_nothing_is_refused() -> None:
    folder = write_frames(Path("walk"), pan([0, 4, 8]))
    write_json(folder / "intrinsics.json", CAMERA.to_dict())
    request = VideoRequest(videos=[folder], val_splits=["all"], cache_dir=Path("cache"))
    with pytest.raises(ValueError, match="--val_split says nothing without --val_video"):
        request.choose(RECIPE)


def test_what_is_made_of_a_users_own_video_never_lies_in_the_demo(tmp_path: Path) -> None:
    tree = defaults.DEMO / "kitti"
    own, demos = [tmp_path / "walk.mp4"], [defaults.DEMO / "clip"]
    assert defaults.default_video_cache(tree) == defaults.DEMO / "video_cache"
    assert defaults.default_video_cache(tree, demos) == defaults.DEMO / "video_cache"
    assert defaults.default_video_cache(tree, own) == defaults.RUNS / "video_cache"
    assert defaults.default_video_cache(tree, [*demos, *own]) == defaults.RUNS / "video_cache"
    assert defaults.default_video_workdir(tree) == defaults.DEMO / "run_mininet"
    assert defaults.default_video_workdir(tree, own) == defaults.RUNS / "mininet"
