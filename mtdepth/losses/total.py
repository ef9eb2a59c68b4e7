"""The student's training loss: both tasks at every scale."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from mtdepth.files import UserError
from mtdepth.geometry.depth_codec import LogDepthCodec, StudentCodec
from mtdepth.losses.depth import (
    berhu_depth_loss,
    gradient_matching_loss,
    scale_invariant_loss,
)
from mtdepth.losses.segmentation import segmentation_loss
from mtdepth.losses.targets import depth_target, train_id_target

_PARTS = {"depth_code": "depth", "class_scores": "segmentation"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudentLossWeights:
    """What counts how much; at its default a term is not there.

    Attributes:
      depth, segmentation: Of each task at every scale, also when it is the only one.
      rule: How depth labels reach the coarser scales; see `mtdepth.losses.targets`.
      near: Of near pixels in BerHu; see `mtdepth.losses.depth`.
      scale_invariant, gradient: Of these terms beside BerHu, within the depth task.
      hard_share, class_weights: See `mtdepth.losses.segmentation`.
    """

    depth: float
    segmentation: float
    rule: str
    near: float = 0.0
    scale_invariant: float = 0.0
    gradient: float = 0.0
    hard_share: float = 1.0
    class_weights: Sequence[float] = ()


def total_loss(
    outputs: Mapping[str, Any],
    depth_m: Any,
    train_id: Any | None,
    *,
    codec: StudentCodec,
    weights: StudentLossWeights,
) -> tuple[Any, dict[str, Any]]:
    """Sum over the scales of `weights.depth * depth + weights.segmentation * segmentation`.

    The depth task is BerHu, plus the scale-invariant and the gradient term by their weights.

    Args:
      outputs: Of a training graph (`depth_code_1`, `class_scores_1`, ...) or of a detached one
        (`depth_code`, `class_scores`).
      depth_m: `[B, H, W, 1]` at the network's input size; 0 is not measured.
      train_id: `[B, H, W, 1]` at that size, 255 ignored; None for a network without segmentation.
      codec: Of the depth code.
      weights: Of the terms.

    Returns:
      The loss, a float32 scalar, and its unweighted parts by name: `depth_1`, `segmentation_1`,
      ... in the order of `outputs`; `depth` and `segmentation` for a detached network. Where they
      are weighed, `scale_invariant_1`, `gradient_1`, ... likewise.

    Raises:
      ValueError: If an output is of no known kind, or its size does not divide the labels'.
      UserError: If there are class scores and no `train_id`.
    """
    total: Any = 0.0
    parts: dict[str, Any] = {}
    for name, output in outputs.items():
        task, number = _part_of(name)
        factor = _shrinking_factor(name, labels=depth_m, output=output)
        if task == "depth":
            target = depth_target(depth_m, factor=factor, rule=weights.rule)
            berhu = berhu_depth_loss(target, output, codec, near_weight=weights.near)
            parts[f"depth{number}"] = loss = berhu
            for term, weight, function in (
                ("scale_invariant", weights.scale_invariant, scale_invariant_loss),
                ("gradient", weights.gradient, gradient_matching_loss),
            ):
                if weight and isinstance(codec, LogDepthCodec):  # the recipe refuses others
                    parts[f"{term}{number}"] = value = function(target, output, codec)
                    loss = loss + weight * value
            total = total + weights.depth * loss
        elif train_id is None:
            raise UserError(
                f"the network's output {name!r} needs train_id labels and this batch has none; "
                'train with tasks ("depth",) or make labels with a segmentation teacher'
            )
        else:
            target = train_id_target(train_id, factor=factor)
            parts[f"segmentation{number}"] = loss = segmentation_loss(
                target,
                output,
                hard_share=weights.hard_share,
                class_weights=weights.class_weights,
            )
            total = total + weights.segmentation * loss
    return total, parts


def _part_of(name: str) -> tuple[str, str]:
    """The task of an output, and how the names of its parts end."""
    for output, task in _PARTS.items():
        if name == output or name.startswith(f"{output}_"):
            return task, name.removeprefix(output)
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
