"""TensorFlow 1 graphs with the nodes of the published DeepLab exports, and a network that is known.

The network gives each pixel the class whose Cityscapes colour is nearest, so a picture painted in
those colours has its own classes as the exact answer.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from mtdepth.datasets.label_map import NUM_CLASSES, PALETTE

v1 = tf.compat.v1

# `2018`: one scale, the scores have no name. `2020`: probabilities are a second output.
# `averaged`: 2018's, exported with several scales. `classes_only`: the classes are enlarged, not
# the scores.
Generation = Literal["2018", "2020", "averaged", "classes_only"]

SOFTNESS = 1000.0  # squared grey values that make a logit of one


def palette_logits(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """What the network computes, `[..., 19]`: minus the squared distance, up to a constant."""
    colors = PALETTE[:NUM_CLASSES].astype(np.float64)
    return (2 * image.astype(np.float64) @ colors.T - (colors**2).sum(1)) / SOFTNESS


def write_frozen_graph(
    path: Path,
    *,
    generation: Generation = "2018",
    size: tuple[int, int] = (33, 65),
    num_classes: int = NUM_CLASSES,
    shrink_to: tuple[int, int] | None = None,
    output_name: str = "SemanticPredictions",
) -> Path:
    """Writes a graph that takes pictures up to `size`, shrunk first where that is asked for."""
    with tf.Graph().as_default() as graph:
        image = v1.placeholder(tf.uint8, [1, None, None, 3], name="ImageTensor")
        picture = v1.cast(v1.squeeze(image, axis=0), tf.float32)
        if shrink_to is not None:
            picture = v1.image.resize_bilinear(picture[None], shrink_to, align_corners=True)[0]
        extent = v1.shape(picture)[:2]
        padded = _padded(picture, extent, size)
        logits = _logits(padded, num_classes)
        classes, probabilities = _classes(logits, size, generation)
        original = v1.shape(image)[1:3]
        if generation == "2020":
            valid = v1.identity(probabilities)[:, : extent[0], : extent[1]]
            v1.image.resize_bilinear(
                valid, original, align_corners=True, name="SemanticProbabilities"
            )
            raw = v1.identity(v1.cast(classes, tf.float32), name="RawSemanticPredictions")
            cut = raw[:, : extent[0], : extent[1]]
        else:
            cut = v1.slice(classes, [0, 0, 0], [1, extent[0], extent[1]])
        grown = v1.image.resize_nearest_neighbor(
            v1.expand_dims(cut, 3), original, align_corners=True
        )
        v1.identity(v1.cast(v1.squeeze(grown, 3), tf.int32), name=output_name)
    path.write_bytes(graph.as_graph_def(add_shapes=True).SerializeToString())
    return path


def _padded(picture: Any, extent: Any, size: tuple[int, int]) -> Any:
    mean = tf.constant([127.5, 127.5, 127.5])
    missing = v1.maximum(tf.constant(size) - extent, 0)
    padding = v1.stack([v1.stack([0, missing[0]]), v1.stack([0, missing[1]]), [0, 0]])
    padded = v1.pad(picture - mean, padding) + mean
    return padded[None] * (2.0 / 255.0) - 1.0


def _logits(normalised: Any, num_classes: int) -> Any:
    colors = np.resize(PALETTE[:NUM_CLASSES], (num_classes, 3)).astype(np.float64)
    kernel = (255.0 * colors / SOFTNESS).T[None, None]
    bias = (255.0 * colors.sum(1) - (colors**2).sum(1)) / SOFTNESS
    logits = v1.nn.conv2d(normalised, tf.constant(kernel, tf.float32), padding="SAME")
    return v1.nn.bias_add(logits, tf.constant(bias, tf.float32))


def _classes(logits: Any, size: tuple[int, int], generation: Generation) -> tuple[Any, Any]:
    if generation == "classes_only":
        small = v1.expand_dims(v1.argmax(logits, 3), 3)
        large = v1.image.resize_nearest_neighbor(v1.cast(small, tf.int32), size, align_corners=True)
        return v1.squeeze(large, 3), None
    resized = v1.image.resize_bilinear(logits, size, align_corners=True)
    if generation == "averaged":
        views = [v1.expand_dims(v1.nn.softmax(resized), 4) for _ in range(2)]
        return v1.argmax(v1.reduce_mean(v1.concat(views, 4), axis=4), 3), None
    return v1.argmax(resized, 3), v1.nn.softmax(resized)
