r"""Scores a model, an exported file or a folder of saved predictions.

Example, on KITTI's Eigen test frames:

  python -m mtdepth.evaluate --model runs/multitask_kitti --decoder L \
      --kitti_root /data/kitti/raw --split eigen_test \
      --protocol eigen_garg_80m --protocol eigen_garg_50m \
      --output results.json --pictures pictures

Several models on the same frames, a row each: what does int8 cost?

  python -m mtdepth.evaluate --model runs/kitti --model runs/float32/model.tflite \
      --model runs/int8/model.tflite

Predictions of another project, an array of the whole split in its order:

  python -m mtdepth.evaluate --model disps_eigen_split.npy --array_holds inverse_depth \
      --kitti_root /data/kitti/raw --split eigen_test --protocol eigen_garg_80m_median

Without flags it scores what `make demo` trained (or the default run on $MTDEPTH_KITTI_ROOT).
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags, logging
from tqdm import tqdm

from mtdepth import defaults, program
from mtdepth.contract import DECODERS, NO_SCALE
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import LabelStore
from mtdepth.datasets.readers import open_recordings
from mtdepth.datasets.recordings import ROOT_VARIABLE
from mtdepth.datasets.splits import resolve_split
from mtdepth.evaluation.findings import RESULTS_NAME, find
from mtdepth.evaluation.page import PAGE_NAME, write_report
from mtdepth.evaluation.pictures import write_pictures
from mtdepth.evaluation.prediction_arrays import ARRAY_HOLDS, SUFFIXES, ArrayMeaning, array_row
from mtdepth.evaluation.prediction_store import PredictionStore
from mtdepth.evaluation.predictors import (
    Row,
    baseline_or_none,
    labels_or_none,
    named_rows,
    open_model,
)
from mtdepth.evaluation.scoring import Evaluation, Observer, Scores, prediction_saver
from mtdepth.evaluation.tables import all_tables, failure_table, results_dict, results_path
from mtdepth.evaluation.truth import TruthReader
from mtdepth.files import UserError, remove_leftovers, write_json, write_text
from mtdepth.metrics.protocols import PROTOCOLS, Protocol, protocol_named

METRIC, RELATIVE = "camera_z_garg_80m", "camera_z_garg_80m_median"

_MODEL = flags.DEFINE_multi_string(
    "model",
    None,
    "Workdir, .tflite or .onnx file, folder of predictions, or .npy or .npz of a whole split's; "
    "repeatable. Pictures and errors by distance are the first one's. Default: the default run.",
)
_ARRAY_HOLDS = flags.DEFINE_enum(
    "array_holds",
    None,
    list(ARRAY_HOLDS),
    "What the numbers of a .npy or .npz are (Monodepth2's disps_*.npy: inverse_depth).",
)
_ARRAY_SCALE = flags.DEFINE_float(
    "array_scale",
    None,
    "Metres of the unit of a .npy's or .npz's depth (Monodepth2 trained on stereo: 5.4). Default: "
    "it has no unit, so median scaling finds it.",
    lower_bound=1e-6,
)
_DECODER = flags.DEFINE_enum(
    "decoder",
    None,
    [size for sizes in DECODERS.values() for size in sizes],
    "Size to detach from a workdir; default: as trained.",
)
_CHECKPOINT = flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "Weights of a workdir.")
_KITTI_ROOT = flags.DEFINE_string(
    "kitti_root", None, f"Recordings. Default: ${ROOT_VARIABLE}, or the demo."
)
_SPLIT = flags.DEFINE_string(
    "split",
    None,
    "eigen_test, eigen_improved or eigen_train of KITTI, train or val of another rig, all, or a "
    "list file. Default: what is held out.",
)
_PROTOCOL = flags.DEFINE_multi_string(
    "protocol",
    [],
    f"How depth is compared; repeatable. One of {', '.join(PROTOCOLS)}. Default: {METRIC}, or "
    f"{RELATIVE} where a model's depth has no unit.",
)
_ANNOTATED_ROOT = flags.DEFINE_string(
    "annotated_root", None, "KITTI's data_depth_annotated folder, for the annotated protocols."
)
_LABELS = flags.DEFINE_string(
    "labels",
    None,
    "Label store of the split: truth of the classes, and its depth as a row. Default, without "
    "--split: the default store, where it exists.",
)
_TRAIN_LABELS = flags.DEFINE_string(
    "train_labels",
    None,
    "Label store whose mean is the baseline. Default: the workdir's own mean, or the default "
    "store.",
)
_SAVE_PREDICTIONS = flags.DEFINE_string(
    "save_predictions", None, "Folder to write <drive>/<frame>.png and <frame>_train_id.png to."
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "Results as JSON. Default: in the workdir's results folder, without --limit."
)
_PICTURES = flags.DEFINE_string(
    "pictures",
    None,
    "Folder for figures, results.json and index.html, which shows all (see mtdepth.report).",
)
_ATTACH = flags.DEFINE_multi_string(
    "attach", [], "Picture or video to show on the page of --pictures, too; repeatable."
)
_NUM_PICTURES = flags.DEFINE_integer(
    "num_pictures", 6, "Frames to draw: the worst, the best, others evenly spaced.", lower_bound=2
)
_LIMIT = flags.DEFINE_integer("limit", None, "Only the first N frames.", lower_bound=1)
_NUM_THREADS = flags.DEFINE_integer("num_threads", 2, "Of an exported model.", lower_bound=1)


def _protocols(identities: Sequence[dict[str, Any]]) -> list[Protocol]:
    """The protocols that the user named, or the one that suits all models."""
    relative = [each["path"] for each in identities if each.get("scale_source") == NO_SCALE]
    names = list(dict.fromkeys(_PROTOCOL.value)) or [RELATIVE if relative else METRIC]
    protocols = [protocol_named(name) for name in names]
    if relative and not all(protocol.median_scaling for protocol in protocols):
        logging.warning(
            "%s: depth without a unit, so its errors under a protocol without median scaling mean "
            "nothing; find its scale by `python -m mtdepth.metric_scale`, or give --protocol %s",
            ", ".join(relative),
            RELATIVE,
        )
    return protocols


def _opened(model: Path, split: Sequence[FrameId]) -> tuple[Row, dict[str, Any]]:
    if model.suffix in SUFFIXES:
        if _ARRAY_HOLDS.value is None:
            raise UserError(f"{model}: say what its numbers are: --array_holds")
        meaning = ArrayMeaning(holds=_ARRAY_HOLDS.value, scale=_ARRAY_SCALE.value)
        return array_row(model, split, meaning)
    how = {"decoder": _DECODER.value, "checkpoint": _CHECKPOINT.value}
    return open_model(model, **how, num_threads=_NUM_THREADS.value)


def _rows(
    models: Sequence[Path], split: Sequence[FrameId], kitti_root: Path, labels: LabelStore | None
) -> tuple[dict[str, Row], list[dict[str, Any]]]:
    opened = [_opened(model, split) for model in models]
    default = defaults.default_labels(kitti_root, part="train")
    train_labels = labels_or_none(_TRAIN_LABELS.value, default=default, kitti_root=kitti_root)
    baseline = baseline_or_none(models[0], train_labels, prefer_labels=bool(_TRAIN_LABELS.value))
    rows = named_rows([row for row, _ in opened], baseline=baseline, labels=labels)
    return rows, [identity for _, identity in opened]


def _finish(scores: Scores, evaluation: Evaluation, settings: dict[str, Any]) -> int:
    if scores.frames:
        tables = all_tables(scores, evaluation)
        results = results_dict(scores, evaluation.protocols, settings=settings)
        sys.stdout.write(f"\n{tables}\n")
        # A part of the frames must not take the place of the whole unasked.
        unasked = None if _LIMIT.value else results_path(settings, evaluation.protocols)
        if output := Path(_OUTPUT.value) if _OUTPUT.value else unasked:
            remove_leftovers(output.parent)
            write_json(output, results)
            logging.info("wrote %s", output)
        if _PICTURES.value:
            folder = Path(_PICTURES.value)
            remove_leftovers(folder)
            write_pictures(folder, scores, evaluation, number=_NUM_PICTURES.value)
            write_text(folder / "table.txt", f"{tables}\n")
            write_json(folder / RESULTS_NAME, results)
            attach = [Path(path) for path in _ATTACH.value]
            write_report(folder / PAGE_NAME, [find([folder])], attach=attach)
            logging.info("wrote %s", folder / PAGE_NAME)
    if scores.failures:
        sys.stdout.write(f"\n{failure_table(scores)}\n")
    return 1 if scores.failures else 0


def _check_attached() -> None:
    if _ATTACH.value and not _PICTURES.value:
        raise UserError("--attach shows a file on the page of --pictures; give that, too")
    for path in _ATTACH.value:
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: --attach names no file")


def main() -> int:
    """Scores."""
    kitti_root = Path(_KITTI_ROOT.value or defaults.default_kitti_root())
    split = _SPLIT.value or defaults.default_split(kitti_root, part="val")
    models = [Path(model) for model in _MODEL.value or [defaults.default_workdir(kitti_root)]]
    for name in _PROTOCOL.value:
        protocol_named(name)  # a wrong one should not cost the loading of a model
    _check_attached()
    raw = open_recordings(kitti_root)
    whole = resolve_split(raw, split)
    frames = whole[: _LIMIT.value]
    default = None if _SPLIT.value else defaults.default_labels(kitti_root, part="val")
    labels = labels_or_none(_LABELS.value, default=default, kitti_root=kitti_root)
    store = labels and {"path": str(labels.root), **dataclasses.asdict(labels.manifest)}
    shown = ", ".join(map(str, models))
    logging.info("model %s, %d frames of %s below %s", shown, len(frames), split, kitti_root)
    logging.info("labels %s", labels.root if labels else "none: no segmentation score")
    rows, identities = _rows(models, whole, kitti_root, labels)
    protocols = _protocols(identities)
    observers: list[Observer] = []
    if _SAVE_PREDICTIONS.value:
        store_to = PredictionStore(_SAVE_PREDICTIONS.value)
        for folder in {store_to.depth_path(frame).parent for frame in frames}:
            remove_leftovers(folder)
        observers.append(prediction_saver(store_to))
    annotated_root = _ANNOTATED_ROOT.value and Path(_ANNOTATED_ROOT.value)
    evaluation = Evaluation(
        raw=raw,
        truth=TruthReader(raw=raw, annotated_root=annotated_root),
        protocols=protocols,
        rows=rows,
        labels=labels,
        observers=observers,
    )
    settings = {"model": identities[0], "compared_with": identities[1:], "split": split}
    settings |= {"kitti_root": str(kitti_root), "labels": store}
    return _finish(evaluation.run(tqdm(frames, unit="frame")), evaluation, settings)


if __name__ == "__main__":
    program.run(main)
