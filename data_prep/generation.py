"""Makes a label store: chooses the bias table, labels every frame, keeps the books."""

import dataclasses
import datetime
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from data_prep.audit.bias_evidence import (
    check_no_test_drive,
    collect_evidence,
    eigen_test_drives_of,
    frames_with_lidar,
)
from data_prep.audit.bias_report import fit_and_report
from data_prep.bias_table import TABLE_NAME, BiasTable, Index, Statistic
from data_prep.jobs import store
from data_prep.jobs.labels import LabelJob, WriteLabels
from data_prep.jobs.lock import Shard, one_run_at_a_time
from data_prep.jobs.pools import LocalPool
from data_prep.jobs.run import Pool, run_frames
from data_prep.teacher_choice import TeacherChoice
from mtdepth.attempts import Failed
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import (
    FrameRecord,
    Manifest,
    read_records,
    records_path,
    write_records,
)
from mtdepth.datasets.readers import open_recordings
from mtdepth.datasets.splits import resolve_split
from mtdepth.files import UserError, disk_errors_named, is_there, sha256_of

NO_BIAS, FIT_BIAS = "none", "fit"


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerationRequest:
    """What the caller of `generate_teachers` wants.

    Attributes:
      kitti_root: KITTI raw tree, or another rig's recordings.
      split: Name or list file.
      teachers: Who labels.
      output: The label store, new, or of an earlier run with the same settings.
      bias: `"none"`, `"fit"` (on LiDAR of this split), a saved table's path, or None: fit where a
        frame of the split has LiDAR and none is of an Eigen test drive, else none.
      bias_statistic: Of a fitted table.
      bias_index: Of a fitted table.
      bias_frames: A table is fitted on at most so many frames.
      pool: Where workers run, and how many.
      batch_size: Frames that a teacher is asked for together.
      shard_index: Which part of the split this run labels.
      num_shards: Into how many parts the split is divided.
      limit: Only the first so many frames of the split.
      overwrite: Whether a store of other settings is replaced; one of these settings never is.
    """

    kitti_root: Path
    split: str
    teachers: TeacherChoice
    output: Path
    bias: str | None = None
    bias_statistic: Statistic = "median"
    bias_index: Index = "predicted"
    bias_frames: int = 200
    pool: Pool = dataclasses.field(default_factory=LocalPool)
    batch_size: int = 1
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
      UserError: If the split is empty, or the output holds a store of other settings.
      FileNotFoundError: If the tree, the split, a folder of labels or the bias table is missing.
      DataError: If a file that all frames need is damaged.
    """
    shard = Shard(request.shard_index, request.num_shards)
    raw = open_recordings(request.kitti_root)
    all_frames = resolve_split(raw, request.split)[: request.limit]
    frames = shard.of(all_frames)
    lidar_frames = frames_with_lidar(raw, all_frames, at_most=request.bias_frames)
    bias = _choose_bias(request, all_frames, has_lidar=bool(lidar_frames))
    manifest = _manifest(request, bias)
    job = LabelJob(
        kitti_root=request.kitti_root,
        teachers=request.teachers,
        output=request.output,
        raw_dir=request.output / f"raw_depth-{shard}",
        batch_size=request.batch_size,
    )
    with disk_errors_named(request.output):
        store.make_folder(request.output)
        with one_run_at_a_time(request.output, shard):
            store.begin(request.output, manifest, shard, overwrite=request.overwrite)
            has_train_ids = request.teachers.has_train_ids
            store.remove_leftovers(request.output, frames, has_train_ids=has_train_ids)
            table = _bias_table(request, bias, lidar_frames, job)
            records = _label(request, frames, dataclasses.replace(job, bias=table))
            # A whole job also takes over what killed shards have kept.
            kept = "raw_depth-*" if request.num_shards == 1 else f"raw_depth-{shard}"
            for folder in request.output.glob(kept):
                shutil.rmtree(folder, ignore_errors=True)
    return records


def _choose_bias(request: GenerationRequest, frames: Sequence[FrameId], *, has_lidar: bool) -> str:
    """`"none"`, `"fit"` or the path of a table, with the reason logged."""
    remedy = "give the training split's table: --bias <its label store>/" + TABLE_NAME
    if request.bias == FIT_BIAS:
        check_no_test_drive(request.kitti_root, frames, remedy=f"{remedy}, or --bias none")
    if request.bias == FIT_BIAS and not has_lidar:
        raise UserError(
            f"--bias fit: no frame of split {request.split} has LiDAR; {remedy}, or --bias none"
        )
    if request.bias is not None:
        return request.bias
    if request.teachers.depth_is_measured:
        logging.info("--bias not given: none, the depth is measured")
        return NO_BIAS
    if eigen_test_drives_of(request.kitti_root, frames):
        logging.info("--bias not given: none, these are Eigen's test drives; %s", remedy)
        return NO_BIAS
    if not has_lidar:
        logging.info("--bias not given: none, no frame has LiDAR; %s", remedy)
        return NO_BIAS
    logging.info("--bias not given: fit, on the frames of this split that have LiDAR")
    return FIT_BIAS


def _manifest(request: GenerationRequest, bias: str) -> Manifest:
    teachers = request.teachers
    depth_teacher, seg_teacher = teachers.make_depth_teacher(), teachers.make_seg_teacher()
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
        digest = sha256_of(path)[:16]
        bias = f"{TABLE_NAME}: {table.statistic} by {table.index} distance, sha256 {digest}"
    # A network's last bits may depend on the size of its batch, so a store is made with one size.
    is_batched = teachers.depth_is_neural and request.batch_size > 1
    in_batches = f", in batches of {request.batch_size}" if is_batched else ""
    return Manifest(
        kitti_root=str(request.kitti_root.resolve()),
        split=request.split,
        depth_teacher=depth_teacher.name,
        depth_teacher_version=depth_teacher.version + in_batches,
        seg_teacher=seg_teacher.name if seg_teacher else "none",
        seg_teacher_version=seg_teacher.version if seg_teacher else "",
        bias=bias,
        depth_source=depth_teacher.source + (", LiDAR bias table" if bias != NO_BIAS else ""),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


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
    if is_there(path):
        table = BiasTable.load(path)
        if not 0 < table.num_frames < len(lidar_frames):
            logging.info("bias table %s, fitted before", path)
            return table
        logging.warning(
            "%s was fitted when %d frames had LiDAR, now %d have: it is fitted again, and labels "
            "that it corrected are made again",
            path,
            table.num_frames,
            len(lidar_frames),
        )
        shard = Shard(request.shard_index, request.num_shards)
        store.remove_labels(request.output, shard, why="by a table of fewer frames")
    evidence = collect_evidence(lidar_frames, job, pool=request.pool)
    return fit_and_report(
        evidence, request.output, statistic=request.bias_statistic, index=request.bias_index
    )


def _label(
    request: GenerationRequest, frames: Sequence[FrameId], job: LabelJob
) -> list[FrameRecord]:
    """Labels the frames that are not done, and writes the list of this shard."""
    known = {record.frame: record for record in read_records(request.output)}
    missing = store.missing_frames(
        frames, known, request.output, has_train_ids=request.teachers.has_train_ids
    )
    if len(missing) < len(frames):
        logging.info(
            "%d of %d frames are labelled already", len(frames) - len(missing), len(frames)
        )
    began_s = time.monotonic()
    for frame, result in run_frames(
        WriteLabels(job), missing, pool=request.pool, title="labels", batch_size=job.batch_size
    ):
        known[frame] = (
            FrameRecord(frame=frame, status="failed", why=result.why)
            if isinstance(result, Failed)
            else result
        )
    if missing:
        seconds = time.monotonic() - began_s
        rate = len(missing) / seconds
        logging.info("%d frames in %.1f s, %.2f frames/s", len(missing), seconds, rate)
    records = sorted((known[frame] for frame in frames), key=lambda record: record.frame)
    path = records_path(
        request.output, shard_index=request.shard_index, num_shards=request.num_shards
    )
    # An earlier run may have listed more frames, when it had a higher --limit.
    write_records(path, records if request.num_shards > 1 else known.values())
    return records
