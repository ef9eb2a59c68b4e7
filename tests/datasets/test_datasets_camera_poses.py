"""True poses are found from where pictures lie."""

from pathlib import Path

from mtdepth.datasets.camera_poses import consecutive_runs, true_poses, true_times_s


def test_runs_end_where_a_number_is_missing() -> None:
    assert consecutive_runs([3, 4, 5, 8, 9, 11]) == [[3, 4, 5], [8, 9], [11]]
    assert consecutive_runs([]) == []


def test_pictures_from_elsewhere_have_no_truth(tmp_path: Path) -> None:
    assert true_poses({0: tmp_path / "frames" / "000000.png"}) == {}
    assert true_poses({}) == {}
    assert true_poses({0: Path("/000000.png")}) == {}
    assert true_poses({0: tmp_path / "sequences" / "30" / "image_2" / "000000.png"}) == {}


def test_pictures_that_only_look_like_kittis_have_no_truth(tmp_path: Path) -> None:
    drive = "2011_09_26_drive_0001_sync"
    for folder in (tmp_path / "2011_09_26" / drive / "image_00", tmp_path / drive / "image_02"):
        packets = folder.parent / "oxts" / "data"
        packets.mkdir(parents=True)
        (packets / "0000000005.txt").write_text(" ".join(["1"] * 30))
        assert true_poses({5: folder / "data" / "0000000005.png"}) == {}


def write_sequence(root: Path, poses: int) -> dict[int, Path]:
    folder = root / "sequences" / "09" / "image_2"
    folder.mkdir(parents=True)
    (root / "poses").mkdir()
    lines = [f"1 0 0 0 0 1 0 0 0 0 1 {number * 1.5}" for number in range(poses)]
    (root / "poses" / "09.txt").write_text("\n".join(lines) + "\n")
    return {number: folder / f"{number:06d}.png" for number in range(4)}


def test_odometrys_poses_belong_to_their_frames(tmp_path: Path) -> None:
    found = true_poses(write_sequence(tmp_path, poses=3))
    assert sorted(found) == [0, 1, 2]
    assert found[2][2, 3] == 3.0


def test_a_sequence_without_poses_has_no_truth(tmp_path: Path) -> None:
    files = write_sequence(tmp_path, poses=3)
    (tmp_path / "poses" / "09.txt").unlink()
    assert true_poses(files) == {}


def test_pictures_have_the_recordings_own_times(tmp_path: Path) -> None:
    files = write_sequence(tmp_path, poses=1)
    assert true_times_s(files) == {}  # no file
    (tmp_path / "sequences" / "09" / "times.txt").write_text("0\n1.04e-01\n2.09e-01\n")
    assert true_times_s({7: files[1], 8: files[2], 9: files[3]}) == {7: 0.104, 8: 0.209}
    drive = tmp_path / "2011_09_26" / "2011_09_26_drive_0001_sync" / "image_02"
    (drive / "data").mkdir(parents=True)
    stamps = ["2011-09-26 13:02:25.964389445", "2011-09-26 13:02:26.068"]
    (drive / "timestamps.txt").write_text("\n".join(stamps) + "\n")
    found = true_times_s({1: drive / "data" / "0000000001.png"})
    assert found == {1: 1317042146.068}
    assert true_times_s({0: tmp_path / "frames" / "000000.png"}) == {}
    # A time that was lost is nobody's; times that go back are not used.
    (drive / "timestamps.txt").write_text("\n".join([stamps[0], "", stamps[1]]))
    pictures = {i: drive / "data" / f"000000000{i}.png" for i in range(3)}
    assert list(true_times_s(pictures)) == [0, 2]
    (drive / "timestamps.txt").write_text("\n".join(reversed(stamps)))
    assert true_times_s(pictures) == {}
