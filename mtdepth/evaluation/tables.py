"""What an evaluation found, as text for the terminal and as JSON for everything else."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtdepth.datasets.label_map import CLASS_NAMES, SCORED_OBSTACLES
from mtdepth.evaluation.scoring import Evaluation, RowScores, Scores
from mtdepth.evaluation.verdicts import verdicts
from mtdepth.metrics.depth import ERROR_NAMES, ErrorSums, GroupSums, added, per_image_mean
from mtdepth.metrics.obstacles import NEAR_M, TOO_FAR
from mtdepth.metrics.protocols import ImageScore, Protocol
from mtdepth.metrics.segmentation import Confusion
from mtdepth.metrics.steadiness import STILL_SHARE
from mtdepth.versions import package_versions
from mtdepth.workdir import Workdir

FORMAT_VERSION = 1
HEADINGS = ("Abs Rel", "Sq Rel m", "RMSE m", "RMSE log", "d1", "d2", "d3")

NEAR_OBSTACLES = (
    f"pixels of {', '.join(SCORED_OBSTACLES)} nearer than {NEAR_M:g} m by the label store, and "
    f"those told farther than {TOO_FAR:g} times that; pixels of road, and those told nearer than "
    f"{NEAR_M:g} m and than the truth over {TOO_FAR:g}"
)
STEADINESS = (
    "points that stand still, followed from a frame to the next by the camera's true motion (found "
    f"there within {100 * STILL_SHARE:g} % of the depth that it gives): mean change of predicted "
    "over true depth"
)

TextRow = Sequence[str]


def results_dict(
    scores: Scores, protocols: Sequence[Protocol], *, settings: dict[str, Any]
) -> dict[str, Any]:
    """Collects everything for `results.json`.

    Args:
      scores: Of at least one frame.
      protocols: That were scored.
      settings: Model, split, labels: whatever says what was compared; stored as it is.

    Returns:
      Plain JSON values. `verdict` is in sentences, by the first protocol;
      `depth[protocol].rows[row]` holds `per_image_mean` (the published convention), `all_pixels`,
      `coverage`, `by_distance`, `by_row`, `by_class` and `per_image`;
      `segmentation.rows` the class scores.
    """
    return {
        "format_version": FORMAT_VERSION,
        **settings,
        "verdict": verdicts(scores, protocols[0]),
        "frames": [str(frame) for frame in scores.frames],
        "failures": [{"frame": str(frame), "why": why} for frame, why in scores.failures],
        "depth": {
            protocol.name: {
                "protocol": protocol.to_dict(),
                "rows": {
                    name: {
                        "title": row.title,
                        **({"cost": dataclasses.asdict(row.cost)} if row.cost else {}),
                        **_depth_dict(row, protocol),
                    }
                    for name, row in scores.rows.items()
                    if protocol.name in row.depth
                },
            }
            for protocol in protocols
        },
        "segmentation": {
            "truth": "train ids of the label store: agreement with its teacher",
            "rows": {
                name: {"title": row.title, **_class_dict(row.classes)}
                for name, row in scores.rows.items()
                if row.classes is not None
            },
        },
        "near_obstacles": {
            "what": NEAR_OBSTACLES,
            "rows": {
                name: {"title": row.title, **dataclasses.asdict(row.near_obstacles)}
                for name, row in scores.rows.items()
                if row.near_obstacles.num_pixels or row.near_obstacles.num_road
            },
        },
        "steadiness": {
            "what": STEADINESS,
            "rows": {
                name: {
                    "title": row.title,
                    **dataclasses.asdict(row.flicker),
                    "mean": row.flicker.mean,
                }
                for name, row in scores.rows.items()
                if row.flicker.num_points
            },
        },
        "versions": package_versions(),
    }


def depth_table(scores: Scores, protocol: Protocol) -> str:
    """The seven errors of every row under one protocol."""
    lines: list[TextRow] = [("", "frames", "coverage", *HEADINGS)]
    for row in scores.rows.values():
        images = [score for _, score in row.depth.get(protocol.name, [])]
        if not images:
            continue
        errors = dataclasses.asdict(per_image_mean([image.sums for image in images]))
        lines.append(
            (
                row.title,
                str(len(images)),
                f"{_coverage(images):.4f}",
                *(f"{errors[name]:.3f}" for name in ERROR_NAMES),
            )
        )
    title = f"Depth, protocol {protocol.name}, mean over images\n{protocol.description}"
    return f"{title}\n{aligned(lines)}"


def group_tables(scores: Scores, protocol: Protocol, *, row: str) -> str:
    """The error of one row by distance, by height in the picture, and by class where known."""
    found = scores.rows[row]
    images = [score for _, score in found.depth[protocol.name]]
    kinds: list[tuple[str, GroupSums, Callable[[dict[str, Any]], str]]] = [
        ("distance", by_distance(images), lambda each: f"{each['from_m']:g}-{each['to_m']:g} m"),
        (
            "height in the picture (top is 0 %)",
            added(image.by_row for image in images),
            lambda each: f"{100 * each['from_height']:.0f}-{100 * each['to_height']:.0f} %",
        ),
        ("class", added(image.by_class for image in images), lambda each: each["class"]),
    ]
    tables = []
    for kind, sums, name in kinds:
        lines: list[TextRow] = [
            (kind, "pixels", "mean error m", "mean |error| m", "mean |error|/d")
        ]
        for each in sums.rows():
            means = (each["mean_error_m"], each["mean_abs_error_m"], each["mean_abs_rel"])
            if each["num_pixels"]:
                lines.append(
                    (name(each), str(each["num_pixels"]), *(f"{mean:.3f}" for mean in means))
                )
        if len(lines) > 1:
            tables.append(aligned(lines))
    title = f"Error of {found.title}, protocol {protocol.name}, all pixels together"
    return "\n\n".join([f"{title}\n{tables[0]}", *tables[1:]])


def class_table(scores: Scores, *, truth_name: str) -> str:
    """mIoU, pixel accuracy and the IoU of each class that occurs; empty without any."""
    rows = [row for row in scores.rows.values() if row.classes is not None]
    matrices = [row.classes for row in rows if row.classes is not None]
    if not rows:
        return ""
    ious = [matrix.class_iou() for matrix in matrices]
    lines: list[TextRow] = [
        ("", *(row.title for row in rows)),
        ("mIoU", *(f"{matrix.mean_iou():.3f}" for matrix in matrices)),
        ("pixel accuracy", *(f"{matrix.pixel_accuracy():.3f}" for matrix in matrices)),
        ("coverage", *(f"{matrix.coverage:.4f}" for matrix in matrices)),
    ]
    for train_id, name in enumerate(CLASS_NAMES):
        values = [float(iou[train_id]) for iou in ious]
        if not np.all(np.isnan(values)):
            texts = ("-" if np.isnan(value) else f"{value:.3f}" for value in values)
            lines.append((f"  IoU {name}", *texts))
    title = f"Segmentation: agreement with the teacher {truth_name} (not with a human's labels)"
    return f"{title}\n{aligned(lines)}"


def obstacle_table(scores: Scores) -> str:
    """What each row tells wrong of near obstacles and of the road; empty without any."""
    found = [(row.title, row.near_obstacles) for row in scores.rows.values()]
    lines: list[TextRow] = [("", "obstacle pixels", "told too far", "road pixels", "told near")]
    for title, near in found:
        if near.num_pixels or near.num_road:
            cells = (
                (str(pixels), "-" if share is None else f"{100 * share:.1f} %")
                for pixels, share in (
                    (near.num_pixels, near.missed_share),
                    (near.num_road, near.false_share),
                )
            )
            lines.append((title, *itertools.chain.from_iterable(cells)))
    return f"Near obstacles: {NEAR_OBSTACLES}\n{aligned(lines)}" if len(lines) > 1 else ""


def steadiness_table(scores: Scores) -> str:
    """How much each row changes from a frame to the next; empty where no motion is known."""
    lines: list[TextRow] = [("", "pairs of frames", "points", "change")]
    for row in scores.rows.values():
        found = row.flicker
        if found.mean is not None:
            change = f"{100 * found.mean:.1f} %"
            lines.append((row.title, str(found.num_pairs), str(found.num_points), change))
    return f"Steadiness in video: {STEADINESS}\n{aligned(lines)}" if len(lines) > 1 else ""


def by_distance(images: Sequence[ImageScore]) -> GroupSums:
    """Adds up the error by distance of at least one image."""
    return added(image.by_distance for image in images)


def cost_table(scores: Scores, protocol: Protocol) -> str:
    """What each of several networks costs, in error, bytes and time; empty for fewer than two."""
    rows = [
        (row, row.cost, errors)
        for row in scores.rows.values()
        if row.cost and (errors := row.errors(protocol))
    ]
    if len(rows) < 2:
        return ""
    lines: list[TextRow] = [("", "Abs Rel", "RMSE m", "mIoU", "bytes", "network ms")]
    for row, cost, errors in rows:
        mean_iou = "-" if row.classes is None else f"{row.classes.mean_iou():.4f}"
        numbers = (f"{errors.abs_rel:.4f}", f"{errors.rmse:.3f}", mean_iou)
        lines.append((row.title, *numbers, f"{cost.num_bytes:,}", f"{cost.network_ms:.1f}"))
    title = (
        f"What each costs, protocol {protocol.name}; median time of the network alone on this "
        "machine, all in this one run"
    )
    return f"{title}\n{aligned(lines)}"


def failure_table(scores: Scores) -> str:
    """The frames that could not be scored and why; empty if there are none."""
    if not scores.failures:
        return ""
    lines = [f"  {frame}: {why}" for frame, why in scores.failures]
    return "\n".join(
        [f"NOT scored, {len(lines)} of {len(lines) + len(scores.frames)} frames:", *lines]
    )


def all_tables(scores: Scores, evaluation: Evaluation) -> str:
    """Depth and error by distance under each protocol, segmentation, and what it all means."""
    parts = []
    for protocol in evaluation.protocols:
        parts.append(depth_table(scores, protocol))
        parts.append(group_tables(scores, protocol, row="model"))
    if evaluation.labels is not None:
        parts.append(class_table(scores, truth_name=evaluation.labels.manifest.seg_teacher))
    parts.append(obstacle_table(scores))
    parts.append(steadiness_table(scores))
    parts.append(cost_table(scores, evaluation.protocols[0]))
    parts.append("\n".join(verdicts(scores, evaluation.protocols[0])))
    return "\n\n".join(part for part in parts if part)


def results_path(settings: dict[str, Any], protocols: Sequence[Protocol]) -> Path | None:
    """Where results go unasked: a workdir's results folder; other models have no such place.

    Args:
      settings: As for `results_dict`, with `model` (a back end's `identity`) and `split`.
      protocols: That were scored; all stand in the name, so that none overwrites another's.
    """
    model = settings["model"]
    if model["kind"] != "keras":
        return None
    scored = "+".join(protocol.name for protocol in protocols)
    what = f"{Path(settings['split']).stem}_{model['decoder']}_{model['checkpoint']}"
    return Workdir(Path(model["path"])).results_path / f"{what}_{scored}.json"


def aligned(lines: Sequence[TextRow]) -> str:
    """Sets rows of equal length in columns, the first to the left and the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _depth_dict(row: RowScores, protocol: Protocol) -> dict[str, Any]:
    scored = row.depth[protocol.name]
    images = [score for _, score in scored]
    total = sum((image.sums for image in images), ErrorSums.zero())
    return {
        "per_image_mean": dataclasses.asdict(per_image_mean([image.sums for image in images])),
        "all_pixels": dataclasses.asdict(total.errors()),
        "num_frames": len(images),
        "num_valid_pixels": sum(image.num_valid for image in images),
        "coverage": _coverage(images),
        "by_distance": by_distance(images).rows(),
        "by_row": added(image.by_row for image in images).rows(),
        "by_class": [
            each for each in added(image.by_class for image in images).rows() if each["num_pixels"]
        ],
        "per_image": [
            {
                "frame": str(frame),
                **dataclasses.asdict(score.sums.errors()),
                "num_pixels": score.sums.num_pixels,
                "coverage": score.coverage,
                "scale": score.scale,
            }
            for frame, score in scored
        ],
    }


def _class_dict(classes: Confusion | None) -> dict[str, Any]:
    if classes is None:
        return {}
    iou = zip(CLASS_NAMES, classes.class_iou().tolist(), strict=True)
    return {
        "mean_iou": classes.mean_iou(),
        "pixel_accuracy": classes.pixel_accuracy(),
        "coverage": classes.coverage,
        # JSON has no NaN.
        "class_iou": {name: None if np.isnan(value) else value for name, value in iou},
        "confusion": classes.counts.tolist(),
    }


def _coverage(images: Sequence[ImageScore]) -> float:
    used = sum(image.sums.num_pixels for image in images)
    return used / max(sum(image.num_valid for image in images), 1)
