"""From a detached Keras network to the graph that a device runs: bytes in, metres and classes out.

The graph is a plain TensorFlow function of one fixed size with its weights as constants. That
matters twice: an unfrozen function of a Keras 3 model converts without an error to a file that
answers NaN, and a SavedModel with Keras's own bookkeeping takes five times as long.
"""

from pathlib import Path
from typing import Any, Literal

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from mtdepth.geometry.depth_codec import MIN_DEPTH_M, LogDepthCodec
from mtdepth.training.supervised import network_input

SIGNATURE = "serving_default"
INPUT_NAME = "image"

DepthOutput = Literal["depth_m", "depth_code"]
ClassOutput = Literal["scores", "ids"]


def write_inference_graph(
    network: keras.Model,
    folder: Path,
    *,
    codec: LogDepthCodec,
    image_dtype: tf.DType,
    depth_output: DepthOutput,
    class_output: ClassOutput,
) -> None:
    """Writes a SavedModel of batch 1 with one signature and no Keras inside.

    Its input `image` is `[1, height, width, 3]` RGB in 0..255; its outputs are named by their kind
    (`mtdepth.contract.TensorKind`).

    Args:
      network: Of `mtdepth.models.student.detach`.
      folder: Where the SavedModel goes.
      codec: Depth law of the network.
      image_dtype: `tf.uint8`, or `tf.float32` for the same numbers (which quantisation needs).
      depth_output: Metres, or the code that the network gives.
      class_output: A score for each class, or the index of the largest (int32).
    """
    height_px, width_px = network.input_shape[1:3]
    image = tf.TensorSpec((1, height_px, width_px, 3), image_dtype, name=INPUT_NAME)

    @tf.function(input_signature=[image], autograph=False)
    def infer(image: Any) -> dict[str, Any]:
        outputs = network(network_input(image), training=False)
        return {
            **_depth(outputs["depth_code"], codec, depth_output),
            **_classes(outputs.get("class_scores"), class_output),
        }

    traced = infer.get_concrete_function()
    frozen = convert_variables_to_constants_v2(traced)

    @tf.function(input_signature=[image], autograph=False)
    def serve(image: Any) -> Any:
        # Freezing flattens the outputs; this gives them their names back.
        return tf.nest.pack_sequence_as(traced.structured_outputs, frozen(image))

    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: serve})


def _depth(code: Any, codec: LogDepthCodec, output: DepthOutput) -> dict[str, Any]:
    if output == "depth_code":
        return {output: code}
    # Clipped after the exponential, so that no rounding of it passes a limit.
    depth_m = tf.exp((code - codec.offset) / codec.slope)
    return {output: tf.maximum(tf.minimum(depth_m, codec.far_m), MIN_DEPTH_M)}


def _classes(scores: Any | None, output: ClassOutput) -> dict[str, Any]:
    if scores is None:
        return {}
    if output == "scores":
        return {"class_scores": scores}
    return {"train_id": tf.argmax(scores, axis=-1, output_type=tf.int32)}
