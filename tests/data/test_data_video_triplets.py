"""Triplets: every frame is kept or left out for a reason that is counted."""

import dataclasses
import logging as std_logging
from pathlib import Path

import pytest
from fakes.panned_video import CAMERA, SIZE, pan, shot_of, source_of, write_frames

from mtdepth.data.triplet_selection import select_triplets, warn_of_overlap
from mtdepth.data.triplets import TripletSet
from mtdepth.data.video import VideoSource
from mtdepth.files import DataError


def select(*sources: VideoSource, cache: Path, step: int = 1, flow_px: float = 1.0) -> TripletSet:
    return select_triplets(
        sources, size_px=SIZE, fit="stretch", min_flow_px=flow_px, cache_dir=cache, frame_step=step
    )


def numbers(triplets: TripletSet) -> list[tuple[int, int, int]]:
    return [triplet.numbers for triplet in triplets.triplets]


def test_every_frame_is_kept_or_left_out_for_the_right_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # 0-4 move, 4-6 stand, 7 is missing, 8-13 move, 11 is damaged, 14-16 show another wall.
    pictures = [*pan([0, 4, 8, 12, 16, 16, 16]), *pan(range(20, 48, 4)), *pan([0, 4, 8], seed=1)]
    folder = write_frames(tmp_path / "walk", pictures)
    (folder / "000007.png").unlink()
    content = (folder / "000011.png").read_bytes()
    (folder / "000011.png").write_bytes(content[:-100])
    with caplog.at_level(std_logging.INFO), caplog.at_level(std_logging.INFO, logger="absl"):
        triplets = select(source_of(shot_of(folder)), cache=tmp_path)
    assert numbers(triplets) == [(0, 1, 2), (1, 2, 3), (2, 3, 4), (8, 9, 10), (14, 15, 16)]
    assert triplets.selections[0].counts() == {
        "source": "walk",
        "shots": 1,
        "frames": 16,
        "triplets": 5,
        "edge": 2,  # 0, 16
        "gap": 2,  # 6, 8
        "unreadable": 3,  # 10, 11, 12
        "cut": 2,  # 13, 14
        "static": 2,  # 4, 5
        "missing": 0,
    }
    assert "16 frames in 1 shot give 5 triplets; left out: 2 at an edge" in caplog.text
    assert "flow at 160x64" in caplog.text
    assert "000011.png: cut short" in caplog.text
    assert [triplet.numbers[1] for triplet in triplets.selections[0].static] == [4, 5]
    assert (
        triplets.selections[0].static[0].flow_px
        < 0.5
        < triplets.selections[0].static[0].flows_px[0]
    )


def test_two_shots_share_no_triplet_and_a_lists_frames_borrow_their_neighbours(
    tmp_path: Path,
) -> None:
    first = shot_of(write_frames(tmp_path / "a", pan([0, 4, 8, 12])), targets=[2])
    second = shot_of(write_frames(tmp_path / "b", pan([0, 4, 8])))
    triplets = select(source_of(first, second), cache=tmp_path)
    assert [triplet.name for triplet in triplets.triplets] == ["a 2", "b 1"]
    assert triplets.triplets[0].numbers == (1, 2, 3)
    assert triplets.selections[0].num_frames == 4


def test_a_larger_step_takes_frames_farther_apart(tmp_path: Path) -> None:
    source = source_of(shot_of(write_frames(tmp_path / "slow", pan(range(0, 14, 2)))))
    with pytest.raises(ValueError, match=r"--frame_step 3.*--override min_flow_px=0\.75"):
        select(source, cache=tmp_path, flow_px=3.0)
    triplets = select(source, cache=tmp_path, flow_px=3.0, step=2)
    assert numbers(triplets) == [(0, 2, 4), (1, 3, 5), (2, 4, 6)]
    assert triplets.selections[0].left_out == {"edge": 4}
    assert triplets.labels == ("slow, frames 2 apart",)


def test_no_least_flow_keeps_what_stands(tmp_path: Path) -> None:
    source = source_of(shot_of(write_frames(tmp_path / "still", pan([0, 0, 0]))))
    with pytest.raises(ValueError, match="1 static"):
        select(source, cache=tmp_path)
    assert numbers(select(source, cache=tmp_path, flow_px=0)) == [(0, 1, 2)]


def test_scattered_frames_are_refused_with_counts_and_a_remedy(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "scattered", pan(range(0, 28, 4)))
    for number in (1, 3, 5):
        (folder / f"{number:06d}.png").unlink()
    with pytest.raises(ValueError, match=r"2 at an edge, 2 beside a gap.*give whole drives"):
        select(source_of(shot_of(folder)), cache=tmp_path)


def test_pictures_of_another_shape_than_the_calibration_are_refused(tmp_path: Path) -> None:
    camera = dataclasses.replace(CAMERA, height_px=120)
    shot = shot_of(write_frames(tmp_path / "walk", pan([0, 4, 8])), camera=camera)
    with pytest.raises(DataError, match=r"64x160 .* of 120x160.* differs by 87\.5%"):
        select(source_of(shot), cache=tmp_path)


def test_what_is_learned_from_has_one_digest(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "walk", pan(range(0, 24, 4)))

    def digest(**settings: int) -> str:
        return select(source_of(shot_of(folder)), cache=tmp_path, **settings).digest

    before = digest()
    assert digest() == before
    assert digest(step=2) != before
    camera = dataclasses.replace(CAMERA, fx_px=121)
    other = source_of(shot_of(folder, camera=camera))
    assert select(other, cache=tmp_path).digest != before
    write_frames(folder, pan([30]), first=6)
    assert digest() != before


def test_the_training_camera_is_the_most_frequent_at_the_networks_size(tmp_path: Path) -> None:
    few = dataclasses.replace(CAMERA, fx_px=200)
    shots = [
        shot_of(write_frames(tmp_path / "few", pan([0, 4, 8])), camera=few),
        shot_of(write_frames(tmp_path / "many", pan([0, 4, 8, 12]))),
    ]
    triplets = select(source_of(*shots), cache=tmp_path)
    camera = triplets.training_camera(size=(32, 80), fit="stretch")
    assert camera == CAMERA.resized(width_px=80, height_px=32)


def test_a_shot_on_both_sides_and_a_test_drive_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = "2011_09_26_drive_0002_sync l"
    shot = dataclasses.replace(shot_of(write_frames(tmp_path / "w", pan([0, 4, 8]))), name=name)
    triplets = select(source_of(shot), cache=tmp_path)
    warn_of_overlap(triplets, None)
    assert "Eigen test drives" in caplog.text
    assert "held out" not in caplog.text
    warn_of_overlap(triplets, triplets)
    assert "learned from and held out" in caplog.text
