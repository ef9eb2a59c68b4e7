"""The two networks that are trained together: depth of one frame, motion between two."""

from typing import Any

import keras
from keras import ops

from mtdepth.losses.video import TARGET
from mtdepth.models.mininet import OUTPUT_NAME, build_training_graph
from mtdepth.models.normalisation import MININET_INPUT
from mtdepth.models.pose_net import build_pose_net
from mtdepth.recipes.video import VideoRecipe
from mtdepth.specs.mininet import OUTPUT_STRIDE

Tensor = Any


class VideoNetworks(keras.Model):
    """Depth and motion of triplets of frames.

    Args:
      depth_net: MiniNet's training graph.
      pose_net: From two frames, the earlier first, to axis-angle (rad) and translation:
        `X_later = T X_earlier`.
    """

    def __init__(self, depth_net: keras.Model, pose_net: keras.Model) -> None:
        super().__init__(name="video_networks")
        self.depth_net = depth_net
        self.pose_net = pose_net
        self.built = True  # both are

    def call(
        self, frames: Tensor, training: bool | None = None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Runs both.

        Args:
          frames: `[B, 3, H, W, 3]`, RGB 0..255 of t-1, t, t+1.
          training: Whether batch normalisation uses, and learns, the batch's statistics.

        Returns:
          The target's depth codes, `[B, h, w, 1]` by output size, the finest first; and
          `next_from_this`, `[B, 2, 6]`.
        """
        frames = MININET_INPUT(ops.cast(frames, "float32"))
        outputs = self.depth_net(frames[:, TARGET], training=training)
        codes: dict[str, Tensor] = {
            size: outputs[f"{OUTPUT_NAME}_{size}"] for size in OUTPUT_STRIDE
        }
        # Both pairs at once: they share the network, and the statistics of its normalisation.
        pairs = ops.concatenate([frames[:, :-1], frames[:, 1:]], axis=-1)
        flat = ops.reshape(pairs, (-1, *pairs.shape[2:]))
        poses = self.pose_net(flat, training=training)
        return codes, ops.reshape(poses, (-1, 2, poses.shape[-1]))


def build_networks(recipe: VideoRecipe) -> VideoNetworks:
    """Builds both as a recipe says, with the weights that the training begins with."""
    return VideoNetworks(
        build_training_graph(recipe.mininet, input_size=recipe.input_size_px),
        build_pose_net(
            input_size=recipe.input_size_px,
            weights=recipe.pose_weights,
            encoder=recipe.pose_encoder,
        ),
    )
