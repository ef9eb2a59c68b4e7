"""A student traced in a second: one bottleneck where the real one has several."""

from typing import Any

import keras

from mtdepth.recipes.base import TrainRecipe
from mtdepth.specs.student import BlockSpec, StageSpec, StudentSpec

TINY_STUDENT = StudentSpec(
    stages=tuple(StageSpec(width=width, num_bottlenecks=1, stride=2) for width in (16, 24, 32, 64)),
    blocks=tuple(
        BlockSpec(skip=f"block_{tap}", width=8, num_bottlenecks=1) for tap in (3, 2, 1, 0)
    ),
    tasks=("depth", "segmentation"),
)


def tiny_recipe() -> TrainRecipe:
    """Two epochs of three steps of two pictures of 64x96, one decoder block."""
    return TrainRecipe(
        name="tiny",
        decoder="XS",
        student=TINY_STUDENT,
        input_size_px=(64, 96),
        near_m=1.0,
        far_m=80.0,
        sky_is_far=True,
        depth_target="valid_mean",
        depth_weight=0.25,
        segmentation_weight=0.75,
        batch_size=2,
        num_epochs=2,
        steps_per_epoch=3,
        learning_rate=0.004,
        schedule="cosine",
        statistics_batches=2,
    )


def tiny_graph(spec: StudentSpec, *, input_size: tuple[int, int]) -> Any:
    """With the ends of `build_training_graph(spec)`, and next to nothing between them."""
    image = keras.Input((*input_size, 3), name="image")
    stem = keras.layers.Conv2D(8, 3, strides=4, padding="same", activation="relu", name="stem")
    features = keras.layers.BatchNormalization(name="norm")(stem(image))
    outputs = {}
    for number in range(1, len(spec.blocks) + 1):
        way = {"kernel_size": 5, "strides": 2 ** (5 - number) // 4 or 1, "padding": "same"}
        name = f"depth_code_{number}"
        outputs[name] = keras.layers.Conv2D(1, bias_initializer="ones", name=name, **way)(features)
        if "segmentation" in spec.tasks:
            name = f"class_scores_{number}"
            outputs[name] = keras.layers.Conv2D(spec.num_classes, name=name, **way)(features)
    return keras.Model(image, outputs, name="student")
