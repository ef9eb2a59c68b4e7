"""Pixel shuffle as a Keras 3 layer, on any back end."""

from typing import Any

import keras

FACTOR = 2


@keras.saving.register_keras_serializable(package="mtdepth")
class PixelShuffle(keras.layers.Layer):
    """`[B, H, W, 4*C]` to `[B, 2*H, 2*W, C]`; see `mtdepth.models.layers.pixel_shuffle`.

    On TensorFlow it is the operation that TFLite has as a builtin; elsewhere the same by reshaping.
    """

    def call(self, inputs: Any) -> Any:
        """Moves channels into space."""
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            return tf.nn.depth_to_space(inputs, FACTOR)
        return depth_to_space(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of `call`'s result; sizes that are not known stay so."""
        batch, height, width, num_channels = input_shape
        return (
            batch,
            None if height is None else FACTOR * height,
            None if width is None else FACTOR * width,
            None if num_channels is None else num_channels // FACTOR**2,
        )


def depth_to_space(features: Any) -> Any:
    """TensorFlow's `depth_to_space` of factor 2 in back-end independent operations.

    Args:
      features: `[B, H, W, 4*C]` with H, W and C known.
    """
    _, height, width, num_channels = features.shape
    depth = num_channels // FACTOR**2
    split = keras.ops.reshape(features, (-1, height, width, FACTOR, FACTOR, depth))
    interleaved = keras.ops.transpose(split, (0, 1, 3, 2, 4, 5))
    return keras.ops.reshape(interleaved, (-1, FACTOR * height, FACTOR * width, depth))
