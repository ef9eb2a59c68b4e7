"""Assembles the student's training graph and cuts inference graphs out of it."""

import re
from typing import Any

import keras
import numpy as np
from keras import layers

from mtdepth.files import UserError
from mtdepth.models.layers import PixelShuffle, batch_norm, bottleneck, fan_in_normal, relu6
from mtdepth.specs.student import (
    SIZE_MULTIPLE_PX,
    DecoderSize,
    StudentSpec,
    Task,
    checked_num_blocks,
    scaled_width,
)

INPUT_NAME = "image"
OUTPUT_NAMES: dict[Task, str] = {"depth": "depth_code", "segmentation": "class_scores"}

_ENCODER_LAYER = re.compile(r"Conv1$|bn_Conv1$|Conv1_relu$|expanded_conv_|block_\d+_")


def build_training_graph(spec: StudentSpec, *, input_size: tuple[int, int]) -> keras.Model:
    """Builds the network with the heads of every decoder block.

    Args:
      spec: The network.
      input_size: Height and width in pixels, multiples of 32.

    Returns:
      A model named `student`. Input `image`: `[B, H, W, 3]` float32, RGB in [-1, 1]. Outputs, a
      dict: `depth_code_1` `[B, H/16, W/16, 1]` to `depth_code_4` `[B, H/2, W/2, 1]`, and with
      segmentation `class_scores_1` ... `[B, h, w, num_classes]` (logits). All float32.

    Raises:
      UserError: If a side is not a positive multiple of 32; names the nearest legal size.
    """
    image = keras.Input((*checked_input_size(input_size), 3), name=INPUT_NAME)
    taps = _encoder(image, spec)
    features = list(taps.values())[-1]
    outputs: dict[str, Any] = {}
    for number in range(1, len(spec.blocks) + 1):
        branches = _decoder_block(features, taps, spec, number=number)
        for task, branch in branches.items():
            name = f"{OUTPUT_NAMES[task]}_{number}"
            outputs[name] = _head(branch, spec, task, name=name)
        features = branches["depth"]
    return keras.Model(image, outputs, name="student")


def detach(
    training_graph: keras.Model,
    spec: StudentSpec,
    *,
    decoder: DecoderSize,
    tasks: tuple[Task, ...] | None = None,
) -> keras.Model:
    """Cuts the inference network of a decoder size out of a training graph.

    It shares the training graph's layers, so nothing is copied or trained: later training moves
    both. Its outputs are exactly those of the training graph at the last block kept.

    Args:
      training_graph: Of `build_training_graph`.
      spec: What it was built from.
      decoder: The number of blocks to keep.
      tasks: Tasks to keep, in any order; None keeps the spec's.

    Returns:
      A model with the same input and a dict of outputs: `depth_code` and/or `class_scores`.

    Raises:
      UserError: If the network has too few blocks or lacks a task.
    """
    number = checked_num_blocks(spec, decoder)
    kept = spec.tasks if tasks is None else tasks
    missing = [task for task in kept if task not in spec.tasks]
    if missing or not kept:
        raise UserError(
            f"tasks must be some of {', '.join(spec.tasks)}, which this network was built for, "
            f"got {kept}"
        )
    outputs = {
        OUTPUT_NAMES[task]: training_graph.get_layer(f"{OUTPUT_NAMES[task]}_{number}").output
        for task in spec.tasks
        if task in kept
    }
    return keras.Model(training_graph.inputs[0], outputs, name=f"student_{decoder.lower()}")


def copy_weights(*, source: keras.Model, target: keras.Model) -> None:
    """Copies every weight of `target` from the layer of the same name in `source`.

    The two may have different input sizes. Layers that only `source` has are left.

    Raises:
      UserError: If a layer is missing or a weight has another shape; names it.
    """
    layer_of = {layer.name: layer for layer in source.layers}
    for layer in target.layers:
        if not layer.weights:
            continue
        if layer.name not in layer_of:
            raise UserError(f"the source network has no layer {layer.name!r}")
        values = layer_of[layer.name].get_weights()
        shapes = [np.shape(value) for value in values]
        wanted = [tuple(weight.shape) for weight in layer.weights]
        if shapes != wanted:
            raise UserError(
                f"layer {layer.name!r} has weights of shapes {shapes} in the source network and "
                f"{wanted} in the target"
            )
        layer.set_weights(values)


def checked_input_size(input_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width as integers, checked.

    Raises:
      UserError: If a side is not a positive multiple of 32; names the nearest legal sizes.
    """
    height_px, width_px = input_size
    if any(side_px < 1 or side_px % SIZE_MULTIPLE_PX for side_px in (height_px, width_px)):
        raise UserError(
            f"input height and width must be multiples of {SIZE_MULTIPLE_PX}, got height "
            f"{height_px} (nearest: {_nearest_sides(height_px)}) and width {width_px} "
            f"(nearest: {_nearest_sides(width_px)})"
        )
    return int(height_px), int(width_px)


def is_encoder_layer(name: str) -> bool:
    """Whether a layer of a training graph belongs to the encoder."""
    return _ENCODER_LAYER.match(name) is not None


def _encoder(image: Any, spec: StudentSpec) -> dict[str, Any]:
    """MobileNetV2 without the library's last 1x1 convolution.

    Layers carry the names that keras.applications.MobileNetV2 gives them, so that its published
    weights fit; with the same weights every tap equals the library's to float32 rounding.

    Args:
      image: `[B, H, W, 3]` in [-1, 1], H and W multiples of 32.
      spec: Widths and repeats.

    Returns:
      The output of every bottleneck by name, `"block_0"` first; the last is the deepest feature.
    """
    features = layers.Conv2D(
        scaled_width(spec.stem_width, alpha=spec.alpha),
        3,
        strides=2,
        padding="same",
        use_bias=False,
        kernel_initializer=fan_in_normal(27),  # 3x3 of 3 colours
        name="Conv1",
    )(image)
    features = batch_norm(features, momentum=spec.batch_norm_momentum, name="bn_Conv1")
    features = relu6(features, name="Conv1_relu")
    taps: dict[str, Any] = {}
    for stage in spec.stages:
        for position in range(stage.num_bottlenecks):
            number = len(taps)
            features = taps[f"block_{number}"] = bottleneck(
                features,
                num_channels=scaled_width(stage.width, alpha=spec.alpha),
                expansion=stage.expansion,
                stride=stage.stride if position == 0 else 1,
                momentum=spec.batch_norm_momentum,
                prefix=f"block_{number}_" if number else "expanded_conv_",
            )
    return taps


def _decoder_block(
    features: Any, taps: dict[str, Any], spec: StudentSpec, *, number: int
) -> dict[Task, Any]:
    """Decoder block `number`; 1 is the coarsest.

    Concatenate the skip at the lower resolution, shuffle up by 2, then N bottlenecks, of which the
    last `spec.num_individual` (at most N) are built once per task.

    Args:
      features: `[B, h, w, C]` of the block before, or the encoder's deepest.
      taps: The encoder's bottlenecks by name.
      spec: The network.
      number: 1 to `len(spec.blocks)`.

    Returns:
      `[B, 2*h, 2*w, width]` per task, one tensor for all where nothing is individual. The depth
      task's feeds the next block.
    """
    block = spec.blocks[number - 1]
    prefix = f"decoder_{number}_"

    def refined(features: Any, positions: range, task: str = "") -> Any:
        for position in positions:
            features = bottleneck(
                features,
                num_channels=block.width,
                expansion=block.expansion,
                momentum=spec.batch_norm_momentum,
                prefix=f"{prefix}{task}bottleneck_{position}_",
                activation=spec.decoder_activation,
            )
        return features

    if block.skip is not None:
        features = layers.Concatenate(name=f"{prefix}concat")([features, taps[block.skip]])
    features = PixelShuffle(name=f"{prefix}shuffle")(features)
    first_individual = 1 + max(block.num_bottlenecks - spec.num_individual, 0)
    features = refined(features, range(1, first_individual))
    individual = range(first_individual, block.num_bottlenecks + 1)
    return {task: refined(features, individual, f"{task}_") for task in spec.tasks}


def _head(features: Any, spec: StudentSpec, task: Task, *, name: str) -> Any:
    """A 1x1 convolution to the depth code, one channel, or to one logit per class.

    The code is that of `mtdepth.geometry.depth_codec`. No softmax: loss and class id need none, and
    it costs a small device more than the head itself. Float32 also under mixed precision: a code
    of 80 has steps of 1/16 in half precision.
    """
    is_depth = task == "depth"
    return layers.Conv2D(
        1 if is_depth else spec.num_classes,
        1,
        padding="same",
        kernel_initializer=fan_in_normal(int(features.shape[-1])),
        bias_initializer=keras.initializers.Constant(spec.initial_depth_code if is_depth else 0.0),
        dtype="float32",
        name=name,
    )(features)


def _nearest_sides(side_px: int) -> str:
    below = side_px // SIZE_MULTIPLE_PX * SIZE_MULTIPLE_PX
    if side_px >= 1 and below == side_px:
        return f"{side_px}"
    if below < SIZE_MULTIPLE_PX:
        return f"{SIZE_MULTIPLE_PX}"
    return f"{below} or {below + SIZE_MULTIPLE_PX}"
