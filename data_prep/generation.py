"""Makes a label store: chooses the bias table, labels every frame, keeps the books."""

import dataclasses
import datetime
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from data_prep.bias_evidence import (
    check_no_test_drive,
    collect_evidence,
    eigen_test_drives_of,
    frames_with_lidar,
)
from data_prep.bias_report import FIGURE_NAME, TABLE_NAME, fit_and_report
from data_prep.label_job import LabelJob, Labeller, run_frames
from data_prep.sharding import frames_of_shard
from data_prep.teacher_choice import TeacherChoice
from mtdepth.files import visible_files
from mtdepth.geometry.bias_table import BiasTable, Index, Statistic
from mtdepth.kitti.frames import FrameId, KittiRaw
from mtdepth.kitti.label_store import (
    MANIFEST,
    FrameRecord,
    Manifest,
    depth_path,
    read_manifest,
    read_records,
    records_path,
    train_id_path,
    write_manifest,
    write_records,
)
from mtdepth.kitti.splits import resolve_split

NO_BIAS, FIT_BIAS = "none", "fit"


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerationRequest:
    """What the caller of `generate_teachers` wants.

    Attributes:
      kitti_root: KITTI raw tree.
      split: Name or list file.
      teachers: Who labels.
      output: The label store, new, or of an earlier run with the same settings.
      bias: `"none"`, `"fit"` (on LiDAR of this split), a saved table's path, or None: fit where a
        frame of the split has LiDAR and none is of an Eigen test drive, else none.
      bias_statistic: Of a fitted table.
      bias_index: Of a fitted table.
      bias_frames: A table is fitted on at most so many frames.
      num_processes: Workers.
      shard_index: Which part of the split this run labels.
      num_shards: Into how many parts the split is divided.
      limit: Only the first so many frames of the split.
      overwrite: Whether a store of other settings is replaced.
    """

    kitti_root: Path
    split: str
    teachers: TeacherChoice
    output: Path
    bias: str | None = None
    bias_statistic: Statistic = "median"
    bias_index: Index = "predicted"
    bias_frames: int = 200
    num_processes: int = 1
    shard_index: int = 0
    num_shards: int = 1
    limit: int | None = None
    overwrite: bool = False


def generate(request: GenerationRequest) -> list[FrameRecord]:
    """Labels a split, or this shard of it.

    Killed at any time and given again, it goes on: every file appears whole or not at all.

    Returns:
      The frames of this shard, finished and failed, sorted.

    Raises:
      ValueError: If the split is empty, or the output holds a store of other settings.
      FileNotFoundError: If the tree, the split, a folder of labels or the bias table is missing.
      DataError: If a file that all frames need is damaged.
    """
    raw = KittiRaw(request.kitti_root)
    all_frames = resolve_split(raw, request.split)[: request.limit]
    frames = frames_of_shard(all_frames, index=request.shard_index, num_shards=request.num_shards)
    if not frames:
        raise ValueError(
            f"no frame to label: split {request.split}, limit {request.limit}, shard "
            f"{request.shard_index} of {request.num_shards}"
        )
    lidar_frames = frames_with_lidar(raw, all_frames, at_most=request.bias_frames)
    bias = _choose_bias(request, all_frames, has_lidar=bool(lidar_frames))
    _claim(request.output, _manifest(request, bias), overwrite=request.overwrite)
    raw_dir = request.output / f"raw_depth-{request.shard_index}-of-{request.num_shards}"
    job = LabelJob(
        kitti_root=request.kitti_root,
        teachers=request.teachers,
        output=request.output,
        raw_dir=raw_dir,
    )
    table = _bias_table(request, bias, lidar_frames, job)
    records = _label(request, frames, dataclasses.replace(job, bias=table))
    shutil.rmtree(raw_dir, ignore_errors=True)
    return records


def _choose_bias(request: GenerationRequest, frames: Sequence[FrameId], *, has_lidar: bool) -> str:
    """`"none"`, `"fit"` or the path of a table, with the reason logged."""
    remedy = "give the training split's table: --bias <its label store>/" + TABLE_NAME
    if request.bias == FIT_BIAS:
        check_no_test_drive(request.kitti_root, frames, remedy=f"{remedy}, or --bias none")
    if request.bias == FIT_BIAS and not has_lidar:
        raise ValueError(
            f"--bias fit: no frame of split {request.split} has LiDAR; {remedy}, or --bias none"
        )
    if request.bias is not None:
        return request.bias
    if eigen_test_drives_of(request.kitti_root, frames):
        logging.info("--bias not given: none, these are Eigen's test drives; %s", remedy)
        return NO_BIAS
    if not has_lidar:
        logging.info("--bias not given: none, no frame has LiDAR; %s", remedy)
        return NO_BIAS
    logging.info("--bias not given: fit, on the frames of this split that have LiDAR")
    return FIT_BIAS


def _manifest(request: GenerationRequest, bias: str) -> Manifest:
    depth_teacher = request.teachers.make_depth_teacher()
    seg_teacher = request.teachers.make_seg_teacher()
    if bias == FIT_BIAS:
        bias = (
            f"{TABLE_NAME}: {request.bias_statistic} by {request.bias_index} distance, fitted on "
            f"at most {request.bias_frames} frames of the split"
        )
        if request.limit is not None:
            bias += f" cut to {request.limit}"
    elif bias != NO_BIAS:
        path = Path(bias)
        table = BiasTable.load(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        bias = f"{TABLE_NAME}: {table.statistic} by {table.index} distance, sha256 {digest}"
    return Manifest(
        kitti_root=str(request.kitti_root.resolve()),
        split=request.split,
        depth_teacher=depth_teacher.name,
        depth_teacher_version=depth_teacher.version,
        seg_teacher=seg_teacher.name if seg_teacher else "none",
        seg_teacher_version=seg_teacher.version if seg_teacher else "",
        bias=bias,
        depth_source=depth_teacher.source + (", LiDAR bias table" if bias != NO_BIAS else ""),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _claim(output: Path, manifest: Manifest, *, overwrite: bool) -> None:
    """Makes sure that what lies in `output` was made with these settings, or that nothing does."""
    if overwrite and (output / MANIFEST).is_file():
        logging.info("%s: --overwrite removes the labels that are there", output)
        _remove_store(output)
    if (output / MANIFEST).is_file():
        wanted, found = dataclasses.asdict(manifest), dataclasses.asdict(read_manifest(output))
        differing = [name for name in wanted if wanted[name] != found[name] and name != "created"]
        if not differing:
            logging.info("%s: going on with the labels that are there", output)
            return
        if _has_labels(output):
            details = "; ".join(f"{n} is {found[n]!r}, not {wanted[n]!r}" for n in differing)
            raise ValueError(
                f"{output}: holds labels of other settings: {details}. Give another --output, or "
                "--overwrite to replace them"
            )
        logging.info("%s: a run with other settings labelled nothing; begun anew", output)
        _remove_store(output)
    if visible_files(output):
        raise ValueError(f"{output}: not empty and no label store; give another --output")
    write_manifest(output, manifest)


def _has_labels(output: Path) -> bool:
    # A killed run has labels that no list names yet.
    is_listed = any(record.status == "finished" for record in read_records(output))
    return is_listed or bool(visible_files(output / "depth", "**/*.png"))


def _remove_store(output: Path) -> None:
    # The lists first and the manifest last, so that a kill in between leaves no false claim.
    for path in (*output.glob("frames*.jsonl"), output / TABLE_NAME, output / FIGURE_NAME):
        path.unlink(missing_ok=True)
    for folder in (output / "depth", output / "train_id", *output.glob("raw_depth-*")):
        shutil.rmtree(folder, ignore_errors=True)
    (output / MANIFEST).unlink()


def _bias_table(
    request: GenerationRequest, bias: str, lidar_frames: Sequence[FrameId], job: LabelJob
) -> BiasTable | None:
    """The table to apply, also saved in the store; fitted once and then kept."""
    path = request.output / TABLE_NAME
    if bias == NO_BIAS:
        return None
    if bias != FIT_BIAS:
        table = BiasTable.load(Path(bias))
        table.save(path)
        logging.info("bias table %s", bias)
        return table
    if path.is_file():
        logging.info("bias table %s, fitted before", path)
        return BiasTable.load(path)
    evidence = collect_evidence(lidar_frames, job, num_processes=request.num_processes)
    return fit_and_report(
        evidence, request.output, statistic=request.bias_statistic, index=request.bias_index
    )


def _label(
    request: GenerationRequest, frames: Sequence[FrameId], job: LabelJob
) -> list[FrameRecord]:
    """Labels the frames that are not done, and writes the list of this shard."""
    known = {record.frame: record for record in read_records(request.output)}
    done = {frame for frame in frames if _is_done(request, known.get(frame))}
    if done:
        logging.info("%d of %d frames are labelled already", len(done), len(frames))
    missing = [frame for frame in frames if frame not in done]
    for frame, record in run_frames(
        Labeller.label, missing, job, num_processes=request.num_processes, title="labels"
    ):
        known[frame] = record
    records = sorted((known[frame] for frame in frames), key=lambda record: record.frame)
    path = records_path(
        request.output, shard_index=request.shard_index, num_shards=request.num_shards
    )
    # An earlier run may have listed more frames, when it had a higher --limit.
    write_records(path, records if request.num_shards > 1 else known.values())
    return records


def _is_done(request: GenerationRequest, record: FrameRecord | None) -> bool:
    if record is None or record.status == "failed":
        return False
    paths = [depth_path(request.output, record.frame)]
    if request.teachers.seg_teacher != "none":
        paths.append(train_id_path(request.output, record.frame))
    return all(path.is_file() for path in paths)
