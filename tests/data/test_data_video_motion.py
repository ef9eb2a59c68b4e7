"""Motion: flow of a known pan, cuts, and what is measured is not measured again."""

import json
from pathlib import Path

import numpy as np
import pytest
from fakes.panned_video import SIZE, pan, shot_of, wall, write_frames

from mtdepth.data import motion as motion_module
from mtdepth.data.motion import Motion, agreeing_share, measure_motion, optical_flow
from mtdepth.data.video import Shot


def measure(shot: Shot, cache: Path, step: int = 1, size: tuple[int, int] = SIZE) -> Motion:
    pairs = [(a, a + step) for a in shot.files if a + step in shot.files]
    return measure_motion(shot, pairs, size_px=size, fit="stretch", cache_dir=cache)


def test_the_flow_of_a_pan_is_the_pan_at_the_networks_size(tmp_path: Path) -> None:
    shot = shot_of(write_frames(tmp_path / "pan", pan([0, 4, 8, 8, 14])))
    full = measure(shot, tmp_path / "cache").flow_px
    # A pan uncovers a few columns, whose flow is a guess.
    np.testing.assert_allclose([full[a, a + 1] for a in range(4)], [4, 4, 0, 6], atol=0.4)
    half = measure(shot, tmp_path / "cache", size=(32, 80)).flow_px
    np.testing.assert_allclose([half[a, a + 1] for a in range(4)], [2, 2, 0, 3], atol=0.3)


def test_flow_points_from_the_first_picture_to_the_second() -> None:
    first, second = (picture[..., 0] for picture in pan([10, 6]))
    # The camera went left, so the wall goes right; away from the uncovered side.
    flow = optical_flow(np.ascontiguousarray(first), np.ascontiguousarray(second))[8:-8, 16:-16]
    np.testing.assert_allclose(np.median(flow, axis=(0, 1)), [4, 0], atol=0.1)


def test_pictures_of_one_scene_agree_and_others_do_not(tmp_path: Path) -> None:
    pictures = [*pan([0, 5]), *pan([0, 5], seed=1)]
    agreement = measure(shot_of(write_frames(tmp_path / "cut", pictures)), tmp_path).agreement
    assert agreement[0, 1] > 0.7
    assert agreement[2, 3] > 0.7
    assert agreement[1, 2] < 0.2


def test_a_flow_back_that_undoes_the_flow_agrees_everywhere() -> None:
    forward = np.zeros((*SIZE, 2), np.float32) + np.float32([3, 0])
    first, second = (np.ascontiguousarray(picture[..., 0]) for picture in pan([3, 0]))
    assert agreeing_share(first, second, forward, -forward) > 0.95  # but for three columns
    assert agreeing_share(first, second, forward, forward) == 0  # 6 px apart
    brighter = np.clip(second + 20.0, 0, 255).astype(np.uint8)
    assert agreeing_share(first, brighter, forward, -forward) > 0.95
    mirrored = np.ascontiguousarray(second[::-1])
    assert agreeing_share(first, mirrored, forward, -forward) < 0.6


def test_measured_once_no_picture_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_frames(tmp_path / "pan", pan([0, 4, 8]))
    before = measure(shot_of(folder), tmp_path / "cache")
    reads = []

    def read(shot: Shot, number: int) -> np.ndarray:
        reads.append((shot.name, number))
        return wall()[:, : SIZE[1]]

    monkeypatch.setattr(Shot, "read", read)
    assert measure(shot_of(folder), tmp_path / "cache") == before
    assert not reads
    write_frames(folder, pan([9]), first=2)  # another file
    measure(shot_of(folder), tmp_path / "cache")
    assert reads


def test_a_damaged_memory_is_measured_anew(tmp_path: Path) -> None:
    shot = shot_of(write_frames(tmp_path / "pan", pan([0, 4, 8])))
    before = measure(shot, tmp_path / "cache")
    (path,) = (tmp_path / "cache").glob("*.json")
    right = json.loads(path.read_text())
    (first, *_), *others = right["pairs"]
    words = {**right, "pairs": [[first, *right["pairs"][0][1:3], "nan"], *others]}
    listed = {**right, "unreadable": []}
    one_pair = '{"pairs": [[0, 1, 2.0, 1.0]], "unreadable": {}}'
    for content in ("{", '{"pairs": []}', one_pair, json.dumps(words), json.dumps(listed)):
        path.write_text(content)
        assert measure(shot, tmp_path / "cache") == before


@pytest.mark.parametrize("step", [1, 2, 3])
def test_frames_are_compared_across_the_chunks_that_they_are_read_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    shot = shot_of(write_frames(tmp_path / "pan", pan(range(0, 18, 2))))
    whole = measure(shot, tmp_path / "whole", step)
    monkeypatch.setattr(motion_module, "_CHUNK_FRAMES", 2)
    assert measure(shot, tmp_path / "chunks", step) == whole
    assert len(whole.flow_px) == 9 - step


def test_a_frame_that_cannot_be_used_is_named_and_the_others_are_measured(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "pan", pan([0, 4, 8, 12, 16, 20]))
    content = (folder / "000001.png").read_bytes()
    (folder / "000001.png").write_bytes(content[: len(content) // 2])
    write_frames(folder, [wall()[:32, :80]], first=4)
    found = measure(shot_of(folder), tmp_path)
    assert set(found.flow_px) == {(2, 3)}
    assert "000001.png" in found.unreadable[1]
    assert "000004.png" in found.unreadable[4]
    assert "(32, 80)" in found.unreadable[4]
