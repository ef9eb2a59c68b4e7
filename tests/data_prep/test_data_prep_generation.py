"""Making a label store: complete, resumable, and clear about what went wrong."""

import dataclasses
import errno
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes.kitti_tree import build_kitti_tree

from data_prep.audit.bias_evidence import CompareWithLidar
from data_prep.bias_table import BiasTable
from data_prep.generation import GenerationRequest, generate
from data_prep.jobs.labels import Labeller, Prediction, WriteLabels
from data_prep.jobs.lock import Shard, one_run_at_a_time
from data_prep.jobs.pools import LocalPool
from data_prep.label_check import wrong_scale
from data_prep.teacher_choice import TeacherChoice
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import FrameRecord, LabelStore
from mtdepth.files import DataError
from teachers.interface import StereoSample

NUM_FRAMES = 3  # of each of three drives


@pytest.fixture
def tree(tmp_path: Path, three_drives: Path) -> Path:
    """A copy to break."""
    return shutil.copytree(three_drives, tmp_path / "raw")


def exact_teachers(tree: Path) -> TeacherChoice:
    return TeacherChoice(
        depth_teacher="precomputed",
        disparity_dir=tree / "truth" / "disparity",
        seg_teacher="precomputed",
        train_id_dir=tree / "truth" / "train_id",
    )


def left_split(tree: Path) -> Path:
    path = tree / "left.txt"
    raw = KittiRaw(tree)
    lines = [str(frame) for drive in raw.drives() for frame in raw.frames_of(drive)]
    path.write_text("\n".join(lines))
    return path


def request_for(tree: Path, **changes: object) -> GenerationRequest:
    request = GenerationRequest(
        kitti_root=tree,
        split=str(left_split(tree)),
        teachers=exact_teachers(tree),
        output=tree.parent / "labels",
        bias="none",
    )
    return dataclasses.replace(request, **changes)  # type: ignore[arg-type]


def contents(output: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def test_exact_disparities_become_exact_labels(tree: Path) -> None:
    records = generate(request_for(tree))
    store = LabelStore.open(tree.parent / "labels")
    assert len(store.frames) == len(records) == 3 * NUM_FRAMES
    frame = store.frames[4]
    _, depth_m, train_id = store.read_sample(frame)
    name = f"{frame.drive}/image_02/{frame.name}.png"
    truth_m = cv2.imread(str(tree / "truth/depth" / name), cv2.IMREAD_UNCHANGED) / 256.0
    both = (truth_m > 0) & (depth_m > 0) & (truth_m < 30)
    # Disparity is stored in 256ths of a pixel: at 30 m (2 px here) 0.1 %, and both in 1/256 m.
    np.testing.assert_allclose(depth_m[both], truth_m[both], rtol=2e-3, atol=1 / 256)
    ids = cv2.imread(str(tree / "truth/train_id" / name), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(train_id, ids)
    record = store.records[4]
    assert record.size_px == (64, 192)
    assert record.labelled_fraction == pytest.approx((depth_m > 0).mean(), abs=1e-4)


def test_the_manifest_says_what_and_from_whom(tree: Path) -> None:
    generate(request_for(tree))
    manifest = LabelStore.open(tree.parent / "labels").manifest
    assert manifest.kitti_root == str(tree)
    assert manifest.depth_teacher == manifest.seg_teacher == "precomputed"
    assert str(tree / "truth/disparity") in manifest.depth_teacher_version
    assert str(tree / "truth/train_id") in manifest.seg_teacher_version
    assert manifest.bias == "none"
    assert manifest.depth_source.startswith("stereo baseline")


def test_worker_processes_write_the_same_store_as_one_process(tree: Path) -> None:
    for name, num_processes in (("one", 1), ("two", 2)):
        generate(
            request_for(
                tree,
                output=tree.parent / name,
                pool=LocalPool(num_processes),
                bias="fit",
                limit=4,
            )
        )
    assert contents(tree.parent / "one") == contents(tree.parent / "two")


def test_a_job_that_was_cut_short_goes_on_and_ends_the_same(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = WriteLabels.result
    calls: list[FrameId] = []

    def killed(self: WriteLabels, sample: StereoSample, prediction: Prediction) -> FrameRecord:
        calls.append(sample.frame)
        if len(calls) >= 4:
            raise KeyboardInterrupt
        return original(self, sample, prediction)

    request = request_for(tree, bias="fit")
    monkeypatch.setattr(WriteLabels, "result", killed)
    with pytest.raises(KeyboardInterrupt):
        generate(request)
    with pytest.raises(DataError, match="not finished"):
        LabelStore.open(request.output)
    monkeypatch.setattr(WriteLabels, "result", original)
    finished = {path: path.stat().st_mtime_ns for path in request.output.rglob("depth/*/*/*.png")}
    assert len(finished) == 3
    generate(request)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    whole = dataclasses.replace(request, output=tree.parent / "whole")
    generate(whole)
    assert contents(request.output) == contents(whole.output)


def test_a_label_that_is_no_longer_whole_is_made_again_when_the_job_goes_on(tree: Path) -> None:
    request = request_for(tree)
    generate(request)
    before = contents(request.output)
    (request.output / "frames.jsonl").unlink()
    path = next(request.output.rglob("depth/*/*/*.png"))
    path.write_bytes(path.read_bytes()[:50])
    generate(request)
    assert contents(request.output) == before


def test_a_second_run_does_nothing(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_for(tree)
    first = generate(request)
    monkeypatch.setattr(WriteLabels, "__call__", None)
    assert generate(request) == first


def test_a_longer_run_adds_frames_and_a_shorter_one_forgets_none(tree: Path) -> None:
    generate(request_for(tree, limit=2))
    generate(request_for(tree, limit=5))
    generate(request_for(tree, limit=1))
    assert len(LabelStore.open(tree.parent / "labels").frames) == 5


def test_other_settings_into_the_same_store_are_refused_and_nothing_is_lost(tree: Path) -> None:
    request = request_for(tree)
    generate(request)
    before = contents(request.output)
    other = dataclasses.replace(request, teachers=TeacherChoice(depth_teacher="sgm"))
    with pytest.raises(
        ValueError, match=r"depth_teacher is 'precomputed', not 'sgm'.*--output, or --overwrite"
    ):
        generate(other)
    assert contents(request.output) == before


def test_overwrite_replaces_a_store_wholly(tree: Path) -> None:
    request = request_for(tree, bias="fit")
    generate(request)
    generate(
        dataclasses.replace(
            request,
            teachers=TeacherChoice(depth_teacher="sgm"),
            bias="none",
            overwrite=True,
            limit=2,
        )
    )
    store = LabelStore.open(request.output)
    assert (len(store.frames), store.has_train_ids, store.manifest.bias) == (2, False, "none")
    assert not (request.output / "train_id").exists()
    assert not (request.output / "bias_table.json").exists()


def test_overwrite_keeps_what_was_made_with_the_same_settings(tree: Path) -> None:
    request = request_for(tree, overwrite=True)
    generate(dataclasses.replace(request, limit=2))
    path = next(request.output.glob("depth/*/*/*.png"))
    written_ns = path.stat().st_mtime_ns
    generate(request)  # the same line again, after a kill
    assert path.stat().st_mtime_ns == written_ns
    (request.output / "manifest.json").write_text("{")
    generate(request)
    assert path.stat().st_mtime_ns > written_ns


def test_labels_that_another_shard_is_making_are_not_overwritten(tree: Path) -> None:
    request = request_for(tree, num_shards=2)
    generate(request)
    other = dataclasses.replace(
        request, teachers=TeacherChoice(depth_teacher="sgm"), overwrite=True
    )
    with one_run_at_a_time(request.output, Shard(1, 2)):
        before = contents(request.output)
        with pytest.raises(ValueError, match=r"another run makes part 1-of-2 .*not 'sgm'"):
            generate(other)
        assert contents(request.output) == before


def test_a_store_without_a_finished_frame_is_claimed_anew_by_other_settings(tree: Path) -> None:
    path = tree / "2011_09_26" / "calib_cam_to_cam.txt"
    whole = path.read_text()
    kept = [line for line in whole.splitlines() if not line.startswith("P_rect_03")]
    path.write_text("\n".join(kept))
    with pytest.raises(ValueError, match=r"none of 9 frames.* 0000000000 l: .*: no P_rect_03;"):
        generate(request_for(tree, bias="fit"))
    assert len(failures(request_for(tree, bias="none"))) == 3 * NUM_FRAMES
    path.write_text(whole)
    assert failures(request_for(tree, bias="fit")) == []
    assert "median" in LabelStore.open(tree.parent / "labels").manifest.bias


def test_labels_of_a_killed_run_are_not_given_up_to_other_settings(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = WriteLabels.result

    def killed(self: WriteLabels, sample: StereoSample, prediction: Prediction) -> FrameRecord:
        original(self, sample, prediction)
        raise KeyboardInterrupt

    monkeypatch.setattr(WriteLabels, "result", killed)
    with pytest.raises(KeyboardInterrupt):
        generate(request_for(tree))
    with pytest.raises(ValueError, match="holds labels of other settings"):
        generate(request_for(tree, bias="fit"))


def test_what_a_killed_write_left_does_not_make_a_folder_somebody_elses(tree: Path) -> None:
    output = tree.parent / "labels"
    output.mkdir()
    (output / ".manifest-x1.json").write_text("{")
    assert failures(request_for(tree)) == []


def test_an_output_that_is_a_file_is_refused(tree: Path) -> None:
    (tree.parent / "labels").write_text("precious")
    with pytest.raises(ValueError, match=r"labels: is a file; --output names a folder"):
        generate(request_for(tree))


def test_a_folder_of_something_else_is_never_touched(tree: Path) -> None:
    output = tree.parent / "labels"
    (output / "depth").mkdir(parents=True)
    (output / "depth" / "thesis.txt").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="not empty and no label store"):
            generate(request_for(tree, overwrite=overwrite))
    assert (output / "depth" / "thesis.txt").read_text() == "precious"


def test_shards_together_make_the_store_of_one_run(tree: Path) -> None:
    whole = request_for(tree, bias="fit", output=tree.parent / "whole")
    generate(whole)
    shards = request_for(tree, bias="fit", output=tree.parent / "shards", num_shards=2)
    generate(shards)
    with pytest.raises(DataError, match=r"frames-1-of-2\.jsonl missing"):
        LabelStore.open(shards.output)
    generate(dataclasses.replace(shards, shard_index=1))
    assert LabelStore.open(shards.output).digest() == LabelStore.open(whole.output).digest()
    assert not list(shards.output.glob("raw_depth*"))


# --- one bad frame -----------------------------------------------------------------------------


def failures(request: GenerationRequest) -> list[FrameRecord]:
    generate(request)
    store = LabelStore.open(request.output)
    assert len(store.frames) + len(store.failures) == 3 * NUM_FRAMES
    return store.failures


def first_frame(tree: Path) -> FrameId:
    raw = KittiRaw(tree)
    return raw.frames_of(raw.drives()[0])[0]


def test_a_missing_right_image_fails_its_frame_alone(tree: Path) -> None:
    raw, frame = KittiRaw(tree), first_frame(tree)
    raw.image_path(frame.other_side).unlink()
    failed = failures(request_for(tree, teachers=TeacherChoice(depth_teacher="sgm")))
    assert [record.frame for record in failed] == [frame]
    assert "image_03" in failed[0].why
    assert frame.name in failed[0].why


def test_a_truncated_picture_fails_its_frame_alone_and_once_mended_is_labelled(tree: Path) -> None:
    frame = first_frame(tree)
    path = KittiRaw(tree).image_path(frame)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    request = request_for(tree)
    failed = failures(request)
    assert [record.frame for record in failed] == [frame]
    assert str(path) in failed[0].why
    assert "cut short" in failed[0].why
    path.write_bytes(content)
    assert failures(request) == []


def test_a_missing_label_file_fails_its_frame_and_writes_no_half_of_it(tree: Path) -> None:
    frame = first_frame(tree)
    (tree / "truth/train_id" / frame.drive / "image_02" / f"{frame.name}.png").unlink()
    request = request_for(tree)
    failed = failures(request)
    assert "--train_id_dir has no file" in failed[0].why
    assert not (request.output / f"depth/{frame.drive}/image_02/{frame.name}.png").exists()


def test_a_calibration_without_the_right_camera_is_named_in_every_failure(tree: Path) -> None:
    path = tree / "2011_09_26" / "calib_cam_to_cam.txt"
    kept = [line for line in path.read_text().splitlines() if not line.startswith("P_rect_03")]
    path.write_text("\n".join(kept))
    failed = failures(request_for(tree))
    assert len(failed) == 3 * NUM_FRAMES
    assert all("calib_cam_to_cam.txt: no P_rect_03" in record.why for record in failed)


def test_a_sweep_of_odd_length_is_left_out_of_the_bias_and_its_frame_still_labelled(
    tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = first_frame(tree)
    path = KittiRaw(tree).velodyne_path(frame)
    path.write_bytes(path.read_bytes()[:-3])
    with caplog.at_level("WARNING", logger="absl"):
        assert failures(request_for(tree, bias="fit")) == []
    assert f"left out of the bias table: frame {frame}: {path}: a sweep is a whole" in caplog.text


def test_precomputed_labels_of_another_resolution_fail_their_frames(tree: Path) -> None:
    for path in (tree / "truth" / "disparity").rglob("*.png"):
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[::2, ::2])
    failed = failures(request_for(tree))
    assert len(failed) == 3 * NUM_FRAMES
    assert "is 32x96" in failed[0].why


# --- the split and the bias table ----------------------------------------------------------------


def test_an_empty_split_is_an_error_that_names_it(tree: Path) -> None:
    (tree / "empty.txt").write_text("\n# nothing\n")
    with pytest.raises(ValueError, match=r"empty\.txt"):
        generate(request_for(tree, split=str(tree / "empty.txt")))
    assert not (tree.parent / "labels").exists()


def test_more_shards_than_frames_still_make_a_whole_store(tree: Path) -> None:
    for index in range(3):
        generate(request_for(tree, limit=2, shard_index=index, num_shards=3))
    assert len(LabelStore.open(tree.parent / "labels").frames) == 2


def test_a_whole_job_removes_the_depth_that_a_killed_shard_has_kept(tree: Path) -> None:
    request = request_for(tree)
    generate(request)
    (request.output / "raw_depth-1-of-2").mkdir()
    (request.output / ".lock-1-of-2").touch()  # of a run that is no more
    generate(request)
    assert not list(request.output.glob("raw_depth*"))


def judged(request: GenerationRequest) -> str:
    return wrong_scale(request, generate(request))


def scaled_disparities(tree: Path, factor: float) -> Path:
    folder = tree.parent / "scaled"
    for path in (tree / "truth" / "disparity").rglob("*.png"):
        units = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        target = folder / path.relative_to(tree / "truth" / "disparity")
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), np.rint(units * factor).astype(np.uint16))
    return folder


def test_a_fitted_table_brings_disparities_back_that_are_too_small(tree: Path) -> None:
    request = request_for(
        tree,
        teachers=TeacherChoice(
            depth_teacher="precomputed", disparity_dir=scaled_disparities(tree, 1 / 1.17)
        ),
    )
    errors = {}
    for bias in ("none", "fit"):
        output = tree.parent / bias
        generate(dataclasses.replace(request, bias=bias, output=output))
        store = LabelStore.open(output)
        frame = store.frames[0]
        name = f"{frame.drive}/image_02/{frame.name}.png"
        truth_m = cv2.imread(str(tree / "truth/depth" / name), cv2.IMREAD_UNCHANGED) / 256.0
        depth_m = store.read_depth(frame)
        both = (truth_m > 3) & (depth_m > 0) & (truth_m < 40)
        errors[bias] = np.mean(np.abs(depth_m[both] - truth_m[both]) / truth_m[both])
    assert errors["none"] == pytest.approx(0.17, abs=0.01)
    assert errors["fit"] < 0.02
    assert (tree.parent / "fit" / "bias_error_by_distance.png").stat().st_size > 10_000
    manifest = LabelStore.open(tree.parent / "fit").manifest
    assert "median by predicted distance" in manifest.bias
    assert "LiDAR bias table" in manifest.depth_source


def test_disparities_in_another_unit_are_said_at_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Disparities of the usual tree's pictures are too small for matching to tell 5 %.
    tree = build_kitti_tree(tmp_path / "larger" / "raw", size=(128, 416))
    assert judged(request_for(tree, output=tree.parent / "right")) == ""
    assert "are these labels metres?" not in caplog.text
    for path in (tree / "truth" / "disparity").rglob("*.png"):
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED) // 16)
    why = judged(request_for(tree))
    assert "16 times too small: does the file hold pixels times 16" in why


def test_whole_metres_are_said_at_the_end_also_of_one_camera(tree: Path) -> None:
    for path in (tree / "truth" / "depth").rglob("*.png"):
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED) // 256)
    for path in tree.glob("*/*/image_03"):
        path.rename(path.with_name("gone"))
    teachers = TeacherChoice(depth_teacher="precomputed", depth_dir=tree / "truth" / "depth")
    assert "metres, in a file times 256?" in judged(request_for(tree, teachers=teachers))


def test_a_drive_with_far_less_depth_than_the_others_is_named(
    tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    judged(request_for(tree, output=tree.parent / "right"))
    assert "depth on only few pixels" not in caplog.text
    drive = KittiRaw(tree).drives()[1]
    for path in (tree / "truth" / "disparity" / drive).rglob("*.png"):
        disparity = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        disparity[:, : disparity.shape[1] * 48 // 100] = 0
        cv2.imwrite(str(path), disparity)
    judged(request_for(tree))
    said = [line for line in caplog.messages if "depth on only few pixels" in line]
    assert len(said) == 1
    assert f"{drive} 3" in said[0]  # more than the 30 % that are always too few
    assert KittiRaw(tree).drives()[0] not in said[0]


def test_views_that_are_not_rectified_are_said_at_the_end(
    tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in tree.glob("*/*/image_03/data/*.png"):
        cv2.imwrite(str(path), np.roll(cv2.imread(str(path)), 3, axis=0))
    judged(request_for(tree))
    assert "the same point lies in different rows" in caplog.text


def test_a_table_is_fitted_again_once_more_frames_have_lidar(tree: Path) -> None:
    generate(request_for(tree, output=tree.parent / "undisturbed", bias="fit"))
    sweeps = sorted(tree.glob("*/*/velodyne_points/data/*.bin"))[:4]
    for path in sweeps:
        path.rename(path.with_suffix(".gone"))
    generate(request_for(tree, bias="fit"))
    assert contents(tree.parent / "labels") != contents(tree.parent / "undisturbed")
    for path in sweeps:
        path.with_suffix(".gone").rename(path)
    generate(request_for(tree, bias="fit"))
    assert contents(tree.parent / "labels") == contents(tree.parent / "undisturbed")


def test_a_saved_table_is_applied_and_kept_in_the_store(tree: Path) -> None:
    # Everything one metre farther.
    saved = BiasTable(np.array([0.0, 2.0]), np.array([1.0]), np.array([9]))
    saved.save(tree.parent / "table.json")
    generate(request_for(tree, output=tree.parent / "plain"))
    generate(request_for(tree, bias=str(tree.parent / "table.json")))
    plain, moved = LabelStore.open(tree.parent / "plain"), LabelStore.open(tree.parent / "labels")
    frame = plain.frames[0]
    plain_m, moved_m = plain.read_depth(frame), moved.read_depth(frame)
    inside = (plain_m > 1) & (plain_m < 250)
    # Each store rounds to 1/256 m.
    np.testing.assert_allclose(moved_m[inside] - plain_m[inside], 1, atol=1.01 / 256)
    assert BiasTable.load(moved.root / "bias_table.json").to_dict() == saved.to_dict()
    assert "sha256" in moved.manifest.bias


def test_no_table_is_kept_that_lacks_a_frame_which_may_be_all_right(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_for(tree, bias="fit")
    lidar_depth = Labeller.lidar_depth

    def interrupted(self: Labeller, sample: StereoSample) -> object:
        if sample.frame == first_frame(tree):
            raise OSError(errno.EIO, "Input/output error")
        return lidar_depth(self, sample)

    with monkeypatch.context() as patched:
        patched.setattr(Labeller, "lidar_depth", interrupted)
        with pytest.raises(ValueError, match=r"without frame .*Input/output error.*same line"):
            generate(request)
    assert not (request.output / "bias_table.json").exists()
    generate(request)
    whole = dataclasses.replace(request, output=tree.parent / "whole")
    generate(whole)
    assert contents(request.output) == contents(whole.output)


def test_a_disk_that_is_full_while_a_table_is_fitted_ends_the_job(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("53248 requested and 15328 written")  # as NumPy says it, without a number

    request = request_for(tree, bias="fit")
    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space left"):
        generate(request)
    assert not (request.output / "bias_table.json").exists()


def test_a_missing_table_is_named_before_anything_is_made(tree: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        generate(request_for(tree, bias=str(tree / "nowhere.json")))
    assert not (tree.parent / "labels").exists()


def test_without_lidar_the_default_is_no_table_and_fit_is_refused(tree: Path) -> None:
    for path in tree.rglob("*.bin"):
        path.unlink()
    generate(request_for(tree, bias=None))
    assert LabelStore.open(tree.parent / "labels").manifest.bias == "none"
    with pytest.raises(ValueError, match=r"no frame of split .* has LiDAR"):
        generate(request_for(tree, bias="fit", output=tree.parent / "other"))


def test_no_table_is_fitted_on_eigens_test_drives(tree: Path) -> None:
    # The first drive of the demo tree, renamed to one of the 28 test drives, in a KITTI tree.
    drive = first_frame(tree).drive
    test_drive = "2011_09_26_drive_0002_sync"
    (tree / "2011_09_26" / drive).rename(tree / "2011_09_26" / test_drive)
    for kind in ("disparity", "train_id", "depth"):
        (tree / "truth" / kind / drive).rename(tree / "truth" / kind / test_drive)
    (tree / "demo_world.json").unlink()
    with pytest.raises(ValueError, match="Eigen's test drives"):
        generate(request_for(tree, bias="fit"))
    generate(request_for(tree, bias=None))
    assert LabelStore.open(tree.parent / "labels").manifest.bias == "none"


def test_a_table_for_all_frames_is_fitted_on_every_one_that_has_lidar(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[FrameId] = []
    original = CompareWithLidar.result

    def noted(self: CompareWithLidar, sample: StereoSample, prediction: Prediction) -> object:
        asked.append(sample.frame)
        return original(self, sample, prediction)

    monkeypatch.setattr(CompareWithLidar, "result", noted)
    teachers = TeacherChoice(depth_teacher="sgm")
    generate(request_for(tree, split="all", bias="fit", teachers=teachers))
    assert asked == KittiRaw(tree).all_frames()
    assert len(asked) == 3 * NUM_FRAMES * 2
