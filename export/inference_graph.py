"""From a detached Keras network to the graph that a device runs: bytes in, metres and classes out.

The graph is a plain TensorFlow function of one fixed size with its weights as constants. That
matters twice: an unfrozen function of a Keras 3 model converts without an error to a file that
answers NaN, and a SavedModel with Keras's own bookkeeping takes five times as long.
"""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf
from absl import logging
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from export.graph import ClassOutput
from mtdepth.geometry.depth_codec import (
    MIN_DEPTH_M,
    DepthCodec,
    LinearDepthCodec,
    LogDepthCodec,
    SigmoidDisparityCodec,
)
from mtdepth.models.normalisation import InputNormalisation
from mtdepth.trained import InferenceNetwork

SIGNATURE = "serving_default"
INPUT_NAME = "image"

DepthOutput = Literal["depth_m", "depth_code"]


def write_inference_graph(
    network: InferenceNetwork,
    folder: Path,
    *,
    image_dtype: tf.DType,
    depth_output: DepthOutput,
    class_output: ClassOutput,
    is_rounded: bool = False,
) -> None:
    """Writes a SavedModel of batch 1 with one signature and no Keras inside.

    Its input `image` is `[1, height, width, 3]` RGB in 0..255; its outputs are named by their kind
    (`mtdepth.contract.TensorKind`).

    Args:
      network: With its codec and normalisation.
      folder: Where the SavedModel goes.
      image_dtype: `tf.uint8`, or `tf.float32` for the same numbers (which quantisation needs).
      depth_output: Metres, or the code that the network gives.
      class_output: A score for each class, or the index of the largest (int32).
      is_rounded: Whether the network rounds its numbers itself, so that the picture has to say
        that it is made of bytes.
    """
    height_px, width_px = network.input_size
    image = tf.TensorSpec((1, height_px, width_px, 3), image_dtype, name=INPUT_NAME)

    @tf.function(input_signature=[image], autograph=False)
    def infer(image: Any) -> dict[str, Any]:
        if is_rounded:
            image = tf.quantization.fake_quant_with_min_max_args(image, 0.0, 255.0)
        outputs = network.network(_fed(image, network.normalisation), training=False)
        code, scores = outputs["depth_code"], outputs.get("class_scores")
        is_code = depth_output == "depth_code"
        given: dict[str, Any] = {depth_output: code if is_code else decoded(code, network.codec)}
        if scores is not None and class_output == "scores":
            given["class_scores"] = scores
        elif scores is not None:
            given["train_id"] = tf.argmax(scores, axis=-1, output_type=tf.int32)
        return given

    traced = infer.get_concrete_function()
    frozen = convert_variables_to_constants_v2(traced)

    @tf.function(input_signature=[image], autograph=False)
    def serve(image: Any) -> Any:
        # Freezing flattens the outputs; this gives them their names back.
        return tf.nest.pack_sequence_as(traced.structured_outputs, frozen(image))

    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: serve})


def _fed(image: Any, normalisation: InputNormalisation) -> Any:
    """What the network is fed with."""
    if image.dtype != tf.float32:
        return normalisation(tf.cast(image, tf.float32))
    # To be quantised: a whole grey level is subtracted, so that the difference is exact in integers
    # and the factor goes into the first convolution. As a product and a sum, every byte would be
    # rounded twice.
    return (image - normalisation.centre) * normalisation.scale


def decoded(code: Any, codec: DepthCodec) -> Any:
    """The codec's `decode` as TensorFlow operators.

    Raises:
      TypeError: For a codec that this module does not know.
    """
    if isinstance(codec, LogDepthCodec):
        # Clipped after the exponential, so that no rounding of it passes a limit.
        depth_m = tf.exp((code - codec.offset) / codec.slope)
        return tf.maximum(tf.minimum(depth_m, codec.far_m), MIN_DEPTH_M)
    if isinstance(codec, LinearDepthCodec):
        return tf.maximum(tf.minimum(code, codec.far_m), MIN_DEPTH_M)
    if isinstance(codec, SigmoidDisparityCodec):
        return codec.scale / (codec.gain * tf.sigmoid(code) + codec.bias)
    raise TypeError(f"no operators for the depth codec {type(codec).__name__}")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """TensorFlow's notes on its own doings would bury what the program has to say."""
    logger = tf.get_logger()
    level, verbosity = logger.level, logging.get_verbosity()
    logger.setLevel("ERROR")
    logging.set_verbosity(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Calibration opens TensorFlow's own interpreter.
            warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated")
            # A network that brings its ranges needs no statistics.
            warnings.filterwarnings(
                "ignore", message="Statistics for quantized inputs were expected"
            )
            yield
    finally:
        logger.setLevel(level)
        logging.set_verbosity(verbosity)
