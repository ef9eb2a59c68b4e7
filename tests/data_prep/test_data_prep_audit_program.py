"""The audit as a person runs it: what it says of a wrong scale, and what it leaves behind."""

import dataclasses
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from fakes.kitti_tree import build_kitti_tree
from fakes.label_workers import DeadlyExamination
from fakes.programs import run_program

from data_prep.audit import findings as findings_module
from data_prep.audit.findings import Findings, collect_findings
from data_prep.audit.recommendation import recommend, score_choices
from data_prep.audit.report import Subject, make_report
from data_prep.audit.scale_check import judge, judge_pair
from data_prep.audit.words import in_words
from data_prep.bias_table import BiasTable
from data_prep.jobs.labels import LabelJob, Labeller
from data_prep.jobs.pools import LocalPool
from data_prep.teacher_choice import TeacherChoice
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import (
    LabelStore,
    depth_path,
    read_depth_png,
    write_manifest,
)
from teachers.interface import StereoSample


def audit(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    given = ("data_prep.audit_teachers", *arguments, "--num_processes", "1")
    return run_program(*given, cwd=cwd, env={"MTDEPTH_KITTI_ROOT": ""})


def scaled_disparities(tree: Path, folder: Path, *, factor: float) -> Path:
    """The tree's exact disparities times a factor."""
    truth = tree / "truth" / "disparity"
    for path in truth.rglob("*.png"):
        target = folder / path.relative_to(truth)
        target.parent.mkdir(parents=True, exist_ok=True)
        units = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(target), np.rint(units * factor).astype(np.uint16))
    return folder


def exact_findings(tree: Path) -> Findings:
    """The audit of the tree's exact disparities."""
    raw = KittiRaw(tree)
    teachers = TeacherChoice(depth_teacher="precomputed", disparity_dir=tree / "truth/disparity")
    return collect_findings(
        [frame for drive in raw.drives() for frame in raw.frames_of(drive)],
        LabelJob(kitti_root=tree, teachers=teachers),
        compare_views=False,
        pool=LocalPool(1),
    )


def test_disparities_1_17_times_too_small_are_named_and_the_table_brings_the_error_back(
    tree: Path, tmp_path: Path
) -> None:
    findings = exact_findings(tree)
    (tmp_path / "left.txt").write_text("\n".join(str(found.frame) for found in findings.frames))
    wrong_dir = scaled_disparities(tree, tmp_path / "wrong_px", factor=1 / 1.17)
    done = audit(
        *("--kitti_root", str(tree), "--split", str(tmp_path / "left.txt")),
        *("--disparity_dir", str(wrong_dir), "--output", "wrong"),
        cwd=tmp_path,
    )
    assert done.returncode == 1
    said = "disparities are about 1.17 times too small: align_corners of the checkpoint"
    assert len(re.findall(said, done.stderr)) == 2  # the pair, and all frames
    found = json.loads((tmp_path / "wrong" / "audit.json").read_text())
    assert found["verdict"]["cause"] == "align_corners"
    assert found["lidar"]["overall"]["abs_rel"] > 0.15
    assert found["table"]["recommendation"]["is_recommended"]
    assert judge(findings).cause == "right"
    scores = score_choices(findings.bias_evidence(), "drives_out")
    assert not recommend(scores, is_held_out=True).is_recommended
    # The teacher is right up to the sweep's noise; a table of 1 m bins reaches that to a half.
    assert found["table"]["recommendation"]["best"]["abs_rel"] < 1.5 * scores[0].abs_rel
    table = BiasTable.load(tmp_path / "wrong" / "bias_table.json")
    assert table.apply(np.array([11.7]))[0] == pytest.approx(10, abs=0.2)
    page = (tmp_path / "wrong" / "audit.html").read_text()
    assert said in page
    verdict = " yet: mend first what is said of all frames."
    assert verdict in page
    assert verdict in done.stderr
    # Everything is inside: seven figures less the mask's, which needs a second view.
    assert len(re.findall(r'src="data:image/(?:png|jpeg);base64,', page)) == 6
    assert not re.findall(r'(?:src|href)="(?!data:)', page)


def test_a_right_teacher_is_told_what_it_is_worth(tree: Path) -> None:
    findings = exact_findings(tree)
    verdict = judge(findings)
    report = make_report(
        findings,
        subject=Subject(teacher="exact", version="", kitti_root="", pair=""),
        pair_verdict=verdict,
        protocol="drives_out",
        why_no_table="",
    )
    may, errors, table = in_words(report)
    assert may == "Labels may be made by exact."
    assert report.lidar is not None
    assert f"off by {report.lidar.overall.abs_rel:.1%} on average" in errors
    assert table.startswith("No bias table: the best one takes")


def test_the_self_test_alone_leaves_nothing_behind(tree: Path, tmp_path: Path) -> None:
    wrong_dir = scaled_disparities(tree, tmp_path / "px", factor=0.5)
    done = audit(
        *("--kitti_root", str(tree), "--split", "splits/train.txt", "--self_test"),
        *("--disparity_dir", str(wrong_dir)),
        cwd=tmp_path,
    )
    assert done.returncode == 1
    # The sweep's noise moves the slope of so few points by a hundredth.
    assert re.search(r"disparities are 0\.(49|50)\d times what they should be", done.stderr)
    assert "focal length or baseline is wrong" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_without_lidar_only_the_two_views_are_compared(tmp_path: Path) -> None:
    # Disparities of the usual tree's pictures are too small for matching to tell 5 %.
    copy = build_kitti_tree(tmp_path / "kitti", size=(128, 416))
    for folder in copy.glob("*/*/velodyne_points"):
        shutil.rmtree(folder)
    common = ("--kitti_root", str(copy), "--split", "splits/train.txt", "--output", "audit")
    done = audit(*common, "--depth_teacher", "sgm", cwd=tmp_path)
    content = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert content["verdict"]["cause"] in ("views agree", "views disagree")
    assert done.returncode == (0 if content["verdict"]["cause"] == "views agree" else 1)
    assert "no LiDAR; both views agree within 1 px on" in done.stderr
    assert (content["lidar"], content["table"]) == (None, None)
    assert "No frame has LiDAR" in (tmp_path / "audit" / "audit.html").read_text()
    # Labels of a folder are compared with what matching finds.
    done = audit(*common, "--disparity_dir", str(copy / "truth/disparity"), cwd=tmp_path)
    assert done.returncode == 0
    assert "no LiDAR; the scale is right" in done.stderr
    assert "as far as can be told without LiDAR" in done.stderr
    half = scaled_disparities(copy, tmp_path / "half", factor=0.5)
    done = audit(*common, "--disparity_dir", str(half), "--self_test", cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r"no LiDAR; disparities are 0\.(49|50)\d times", done.stderr)


class OneSidedTeacher:
    """Knows the depth of one picture, and nothing of any other."""

    name = version = source = "a test"
    needs_partner = True

    def __init__(self, image: npt.NDArray[np.uint8], depth_m: npt.NDArray[np.float32]) -> None:
        self._image, self._depth_m = image, depth_m

    def predict(self, sample: StereoSample) -> npt.NDArray[np.float32]:
        is_known = np.array_equal(sample.image, self._image)
        return self._depth_m if is_known else np.zeros_like(self._depth_m)

    def predict_batch(self, samples: Sequence[StereoSample]) -> list[npt.NDArray[np.float32]]:
        return [self.predict(sample) for sample in samples]


def test_swapped_pictures_are_found_by_exchanging_them(tree: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tree, tmp_path / "kitti")
    for drive in copy.glob("2011_09_26/*_sync"):
        (drive / "image_02").rename(drive / "tmp")
        (drive / "image_03").rename(drive / "image_02")
        (drive / "tmp").rename(drive / "image_03")
    raw = KittiRaw(tree)
    frame = raw.frames_of(raw.drives()[0])[0]
    depth_m = read_depth_png(depth_path(tree / "truth", frame))
    for root, cause in ((tree, "right"), (copy, "swapped")):
        job = LabelJob(kitti_root=root, teachers=TeacherChoice(depth_teacher="sgm"))
        labeller = Labeller(job)
        labeller.depth_teacher = OneSidedTeacher(raw.read_image(frame), depth_m)
        verdict = judge_pair(labeller, frame, compare_views=False)
        assert verdict.cause == cause, verdict.sentence
    assert verdict.sentence.startswith("left and right pictures are swapped")


def test_a_frame_that_cannot_be_read_is_left_out_with_its_reason(
    tree: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(tree, tmp_path / "kitti")
    raw = KittiRaw(copy)
    frames = raw.frames_of(raw.drives()[0])
    raw.velodyne_path(frames[0]).write_bytes(b"short")
    teachers = TeacherChoice(
        depth_teacher="precomputed", disparity_dir=copy / "truth" / "disparity"
    )
    job = LabelJob(kitti_root=copy, teachers=teachers)
    findings = collect_findings(frames, job, compare_views=False, pool=LocalPool(1))
    assert [found.frame for found in findings.frames] == frames[1:]
    assert findings.left_out[0][0] == frames[0]
    assert "a whole number of points" in findings.left_out[0][1]
    # A partner without labels fails the comparison of views, and says so.
    with pytest.raises(ValueError, match=r"none of 3 frames can be read; .* r; tried"):
        collect_findings(frames[1:], job, compare_views=True, pool=LocalPool(1))


def test_a_frame_that_kills_every_process_is_left_out_with_its_reason(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings_module, "ExamineFrame", DeadlyExamination)
    raw = KittiRaw(tree)
    frames = raw.frames_of(raw.drives()[0])
    teachers = TeacherChoice(
        depth_teacher="precomputed", disparity_dir=tree / "truth" / "disparity"
    )
    job = LabelJob(kitti_root=tree, teachers=teachers)
    found = collect_findings(frames, job, compare_views=False, pool=LocalPool(2))
    assert [each.frame for each in found.frames] == [frame for frame in frames if frame.index != 1]
    ((frame, why),) = found.left_out
    assert frame.index == 1
    assert "2 workers died over it" in why


def test_labels_that_were_corrected_get_no_second_table(labels: LabelStore, tmp_path: Path) -> None:
    store = shutil.copytree(labels.root, tmp_path / "store")
    write_manifest(store, dataclasses.replace(labels.manifest, bias="median by predicted"))
    done = audit("--labels", "store", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "this depth is corrected already (median by predicted)" in done.stderr
    assert "labels store" in (tmp_path / "runs/audit/audit.html").read_text()
    done = audit("--labels", "store", "--depth_teacher", "sgm", cwd=tmp_path)
    assert done.returncode == 1
    assert "--labels takes the place of --split and the teacher flags" in done.stderr
