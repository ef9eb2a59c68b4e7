"""Pixel shuffle as a `tf_keras` layer, for quantisation-aware training and pruning."""

from typing import Any

import tensorflow as tf
import tf_keras

FACTOR = 2


@tf_keras.saving.register_keras_serializable(package="mtdepth")
class PixelShuffle(tf_keras.layers.Layer):
    """`[B, H, W, 4*C]` to `[B, 2*H, 2*W, C]`; see `mtdepth.models.layers.pixel_shuffle`."""

    def call(self, inputs: Any) -> Any:
        """Moves channels into space."""
        return tf.nn.depth_to_space(inputs, FACTOR)
