"""Assembles the student's training graph and cuts inference graphs out of it."""

from types import ModuleType
from typing import Any

import numpy as np

from mtdepth.models import backbone, decoder, heads
from mtdepth.models.specs import (
    SIZE_MULTIPLE_PX,
    DecoderSize,
    StudentSpec,
    Task,
    checked_num_blocks,
)

INPUT_NAME = "image"
OUTPUT_NAMES: dict[Task, str] = {"depth": "depth_code", "segmentation": "class_scores"}


def build_training_graph(
    spec: StudentSpec,
    *,
    input_size: tuple[int, int],
    nn: ModuleType | None = None,
    batch_size: int | None = None,
) -> Any:
    """Builds the network with the heads of every decoder block.

    Args:
      spec: The network.
      input_size: Height and width in pixels, multiples of 32.
      nn: `keras` (also for None) or `tf_keras`.
      batch_size: A fixed one, or None for any.

    Returns:
      A model named `student`. Input `image`: `[B, H, W, 3]` float32, RGB in [-1, 1]. Outputs, a
      dict: `depth_code_1` `[B, H/16, W/16, 1]` to `depth_code_4` `[B, H/2, W/2, 1]`, and with
      segmentation `class_scores_1` ... `[B, h, w, num_classes]` (logits). All float32.

    Raises:
      ValueError: If a side is not a positive multiple of 32; names the nearest legal size.
    """
    height_px, width_px = checked_input_size(input_size)
    nn = namespace(nn)
    image = nn.Input(shape=(height_px, width_px, 3), batch_size=batch_size, name=INPUT_NAME)
    taps = backbone.build_encoder(nn, image, spec)
    features = list(taps.values())[-1]
    outputs: dict[str, Any] = {}
    for number in range(1, len(spec.blocks) + 1):
        branches = decoder.build_block(nn, features, taps, spec, number=number)
        name = f"depth_code_{number}"
        outputs[name] = heads.depth_head(
            nn, branches["depth"], initial_code=spec.initial_depth_code, name=name
        )
        if "segmentation" in spec.tasks:
            name = f"class_scores_{number}"
            outputs[name] = heads.segmentation_head(
                nn, branches["segmentation"], num_classes=spec.num_classes, name=name
            )
        features = branches["depth"]
    return nn.Model(image, outputs, name="student")


def detach(
    training_graph: Any,
    spec: StudentSpec,
    *,
    decoder: DecoderSize,
    tasks: tuple[Task, ...] | None = None,
    nn: ModuleType | None = None,
) -> Any:
    """Cuts the inference network of a decoder size out of a training graph.

    It shares the training graph's layers, so nothing is copied or trained: later training moves
    both. Its outputs are exactly those of the training graph at the last block kept.

    Args:
      training_graph: Of `build_training_graph`.
      spec: What it was built from.
      decoder: The number of blocks to keep.
      tasks: Tasks to keep, in any order; None keeps the spec's.
      nn: The namespace that the graph was built with.

    Returns:
      A model with the same input and a dict of outputs: `depth_code` and/or `class_scores`.

    Raises:
      ValueError: If the network has too few blocks or lacks a task.
    """
    nn = namespace(nn)
    number = checked_num_blocks(spec, decoder)
    kept = spec.tasks if tasks is None else tasks
    missing = [task for task in kept if task not in spec.tasks]
    if missing or not kept:
        raise ValueError(
            f"tasks must be some of {', '.join(spec.tasks)}, which this network was built for, "
            f"got {kept}"
        )
    outputs = {
        OUTPUT_NAMES[task]: training_graph.get_layer(f"{OUTPUT_NAMES[task]}_{number}").output
        for task in spec.tasks
        if task in kept
    }
    return nn.Model(training_graph.inputs[0], outputs, name=f"student_{decoder.lower()}")


def resized(
    training_graph: Any,
    spec: StudentSpec,
    *,
    input_size: tuple[int, int],
    nn: ModuleType | None = None,
    batch_size: int | None = None,
) -> Any:
    """The same weights, copied into a training graph of another input size or namespace.

    Raises:
      ValueError: If the graph was not built from `spec`, or the size is not legal.
    """
    graph = build_training_graph(spec, input_size=input_size, nn=nn, batch_size=batch_size)
    copy_weights(source=training_graph, target=graph)
    return graph


def copy_weights(*, source: Any, target: Any) -> None:
    """Copies every weight of `target` from the layer of the same name in `source`.

    The two may come from different layer namespaces. Layers that only `source` has are left.

    Raises:
      ValueError: If a layer is missing or a weight has another shape; names it.
    """
    layers = {layer.name: layer for layer in source.layers}
    for layer in target.layers:
        if not layer.weights:
            continue
        if layer.name not in layers:
            raise ValueError(f"the source network has no layer {layer.name!r}")
        values = layers[layer.name].get_weights()
        shapes = [np.shape(value) for value in values]
        wanted = [tuple(weight.shape) for weight in layer.weights]
        if shapes != wanted:
            raise ValueError(
                f"layer {layer.name!r} has weights of shapes {shapes} in the source network and "
                f"{wanted} in the target"
            )
        layer.set_weights(values)


def checked_input_size(input_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width as integers, checked.

    Raises:
      ValueError: If a side is not a positive multiple of 32; names the nearest legal sizes.
    """
    height_px, width_px = input_size
    if any(side_px < 1 or side_px % SIZE_MULTIPLE_PX for side_px in (height_px, width_px)):
        raise ValueError(
            f"input height and width must be multiples of {SIZE_MULTIPLE_PX}, got height "
            f"{height_px} (nearest: {_nearest_sides(height_px)}) and width {width_px} "
            f"(nearest: {_nearest_sides(width_px)})"
        )
    return int(height_px), int(width_px)


def _nearest_sides(side_px: int) -> str:
    below = side_px // SIZE_MULTIPLE_PX * SIZE_MULTIPLE_PX
    if side_px >= 1 and below == side_px:
        return f"{side_px}"
    if below < SIZE_MULTIPLE_PX:
        return f"{SIZE_MULTIPLE_PX}"
    return f"{below} or {below + SIZE_MULTIPLE_PX}"


def namespace(nn: ModuleType | None) -> ModuleType:
    """The layer namespace that was asked for: `keras` for None."""
    if nn is not None:
        return nn
    import keras

    return keras
