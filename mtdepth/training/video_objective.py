"""What MiniNet and its pose network learn: their losses on triplets of frames."""

from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from mtdepth.data.video_batches import FRAMES, INTRINSICS, JITTERED
from mtdepth.losses.video import VideoLossWeights, Views, target_to_sources, video_loss
from mtdepth.losses.view_synthesis import inverse_depth
from mtdepth.recipes.video import VideoRecipe
from mtdepth.specs.mininet import OUTPUT_STRIDE
from mtdepth.trained import graph_function
from mtdepth.training.step import Tensors
from mtdepth.training.video_networks import VideoNetworks

Tensor = Any
Arrays = dict[str, npt.NDArray[Any]]

# What a step tells beside the loss's parts; `mtdepth.training.video_health` watches them.
LOG_DEPTH_STD = "log_depth_std"  # mean over the batch of each depth's deviation
ROTATION_RAD = "rotation_rad"  # the batch's largest
TRANSLATION_PER_DEPTH = "translation_per_depth"  # the batch's largest, of the scene's typical depth

_EVERY_PX = 4  # pixels that the deviation of depth is taken from


class VideoObjective:
    """The losses of both networks on batches of triplets (see `mtdepth.data.video_batches`).

    Args:
      networks: Trained together.
      recipe: Of the loss.
    """

    def __init__(self, networks: VideoNetworks, recipe: VideoRecipe) -> None:
        self._networks = networks
        self._scale = list(OUTPUT_STRIDE).index(recipe.output)
        self._weights = VideoLossWeights(
            ssim=recipe.ssim_weight,
            smoothness=recipe.smoothness_weight,
            sharpness=recipe.smoothness_sharpness,
            scale_decay=recipe.smoothness_scale_decay,
            auto_mask=recipe.auto_mask,
        )
        self._evaluation = graph_function(self._losses_and_pictures)

    def losses(self, batch: Tensors) -> Tensors:
        """Runs both networks in training mode; returns `total`, its parts and health, scalars."""
        return self._losses_and_views(batch, training=True)[0]

    def evaluate(self, batch: Tensors) -> tuple[dict[str, float], Arrays]:
        """Judges both networks as they are; changes nothing.

        Returns:
          The losses, and of the recipe's output at the frames' size: `unit_inverse_depth` and
          `error` `[B, H, W]`, `warped_0` and `warped_1` `[B, H, W, 3]` (0..1, from t-1 and t+1)
          and, with auto-masking, `is_moving` `[B, H, W]`.
        """
        losses, pictures = self._evaluation(batch)
        return (
            {name: float(value) for name, value in losses.items()},
            {name: np.asarray(ops.convert_to_numpy(value)) for name, value in pictures.items()},
        )

    def _losses_and_pictures(self, batch: Tensors) -> tuple[Tensors, Tensors]:
        losses, views = self._losses_and_views(batch, training=False)
        scale = self._scale
        pictures = {
            "unit_inverse_depth": views.unit_inverse_depth[scale],
            "error": views.error[scale],
            "warped_0": views.warped[0][scale],
            "warped_1": views.warped[1][scale],
        }
        if views.is_moving is not None:
            pictures["is_moving"] = views.is_moving[scale]
        return losses, pictures

    def _losses_and_views(self, batch: Tensors, *, training: bool) -> tuple[Tensors, Views]:
        codes, next_from_this = self._networks(batch[JITTERED], training=training)
        total, parts, views = video_loss(
            [codes[size] for size in OUTPUT_STRIDE],
            ops.cast(batch[FRAMES], "float32") / 255,
            batch[INTRINSICS],
            target_to_sources(next_from_this),
            self._weights,
        )
        losses = {"total": total, "smoothness": ops.sum(parts["smoothness"])}
        for scale, size in enumerate(OUTPUT_STRIDE):
            losses[f"photometric_{size}"] = parts["photometric"][scale]
        return losses | _state(views.unit_inverse_depth[self._scale], next_from_this), views


def _state(unit_inverse_depth: Tensor, next_from_this: Tensor) -> Tensors:
    # No part of the loss; and what is sliced from it must not cost a gradient.
    unit = ops.stop_gradient(unit_inverse_depth)[:, ::_EVERY_PX, ::_EVERY_PX]
    motion = ops.stop_gradient(next_from_this)
    log_depth = -ops.log(inverse_depth(unit))
    typical_depth = ops.exp(ops.mean(log_depth, axis=(1, 2)))
    angles, lengths = (
        ops.sqrt(ops.sum(ops.square(part), axis=-1)) for part in (motion[..., :3], motion[..., 3:])
    )
    return {
        LOG_DEPTH_STD: ops.mean(ops.std(log_depth, axis=(1, 2))),
        ROTATION_RAD: ops.max(angles),
        TRANSLATION_PER_DEPTH: ops.max(lengths / typical_depth[:, None]),
    }
