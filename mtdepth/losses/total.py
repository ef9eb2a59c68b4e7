"""The student's training loss: both tasks at every scale."""

from collections.abc import Mapping
from typing import Any

from mtdepth.files import UserError
from mtdepth.geometry.depth_codec import LogDepthCodec
from mtdepth.losses.depth import berhu_log_depth_loss
from mtdepth.losses.segmentation import segmentation_loss
from mtdepth.losses.targets import depth_target, train_id_target

_PARTS = {"depth_code": "depth", "class_scores": "segmentation"}


def total_loss(
    outputs: Mapping[str, Any],
    depth_m: Any,
    train_id: Any | None,
    *,
    codec: LogDepthCodec,
    depth_weight: float,
    segmentation_weight: float,
    rule: str,
) -> tuple[Any, dict[str, Any]]:
    """Sum over the scales of `depth_weight * depth + segmentation_weight * segmentation`.

    Args:
      outputs: Of a training graph (`depth_code_1`, `class_scores_1`, ...) or of a detached one
        (`depth_code`, `class_scores`).
      depth_m: `[B, H, W, 1]` at the network's input size; 0 is not measured.
      train_id: `[B, H, W, 1]` at that size, 255 ignored; None for a network without segmentation.
      codec: Of the depth code.
      depth_weight: Of every depth part, also when depth is the only task.
      segmentation_weight: Of every segmentation part.
      rule: How depth labels reach the coarser scales; see `mtdepth.losses.targets`.

    Returns:
      The loss, a float32 scalar, and its unweighted parts by name: `depth_1`, `segmentation_1`,
      ... in the order of `outputs`; `depth` and `segmentation` for a detached network.

    Raises:
      ValueError: If an output is of no known kind, or its size does not divide the labels'.
      UserError: If there are class scores and no `train_id`.
    """
    weights = {"depth": depth_weight, "segmentation": segmentation_weight}
    total: Any = 0.0
    parts: dict[str, Any] = {}
    for name, output in outputs.items():
        task, part = _part_of(name)
        factor = _shrinking_factor(name, labels=depth_m, output=output)
        if task == "depth":
            target = depth_target(depth_m, factor=factor, rule=rule)
            parts[part] = berhu_log_depth_loss(target, output, codec)
        elif train_id is None:
            raise UserError(
                f"the network's output {name!r} needs train_id labels and this batch has none; "
                'train with tasks ("depth",) or make labels with a segmentation teacher'
            )
        else:
            target = train_id_target(train_id, factor=factor)
            parts[part] = segmentation_loss(target, output)
        total = total + weights[task] * parts[part]
    return total, parts


def _part_of(name: str) -> tuple[str, str]:
    for output, task in _PARTS.items():
        if name == output:
            return task, task
        if name.startswith(f"{output}_"):
            return task, f"{task}_{name.removeprefix(f'{output}_')}"
    raise ValueError(f"no loss belongs to output {name!r}; outputs are {', '.join(_PARTS)}")


def _shrinking_factor(name: str, *, labels: Any, output: Any) -> int:
    height, width = (int(side) for side in labels.shape[1:3])
    out_height, out_width = (int(side) for side in output.shape[1:3])
    factor = max(1, height // out_height)
    if (height, width) != (factor * out_height, factor * out_width):
        raise ValueError(
            f"labels of {height}x{width} are no multiple of output {name!r} of "
            f"{out_height}x{out_width}; labels must have the network's input size"
        )
    return factor
