"""Networks with MiniNet's and the pose network's ends, and next to nothing between them."""

import dataclasses

import keras

from mtdepth.recipes.base import Augmentation
from mtdepth.recipes.registry import find_video_recipe
from mtdepth.recipes.video import VideoRecipe
from mtdepth.specs.mininet import OUTPUT_STRIDE
from mtdepth.training.video_networks import VideoNetworks


def tiny_networks(recipe: VideoRecipe) -> VideoNetworks:
    """Traced in a second; its depth net has four outputs, its pose net batch normalisation."""
    layers = keras.layers
    image = keras.Input((*recipe.input_size_px, 3), name="image")
    features = layers.Conv2D(8, 3, padding="same", activation="relu", name="stem")(image)
    codes = {
        f"depth_code_{size}": layers.Conv2D(
            1, 5, strides=stride, padding="same", name=f"depth_code_{size}"
        )(features)
        for size, stride in OUTPUT_STRIDE.items()
    }
    frames = keras.Input((*recipe.input_size_px, 6), name="frames")
    squeezed = layers.Conv2D(8, 5, strides=4, padding="same", name="squeeze")(frames)
    normed = layers.BatchNormalization(name="norm", momentum=0.9)(squeezed)
    six = layers.Dense(6, name="six")(layers.GlobalAveragePooling2D(name="mean")(normed))
    pose = layers.Rescaling(0.01, name="pose")(six)
    return VideoNetworks(
        keras.Model(image, codes, name="mininet"), keras.Model(frames, pose, name="pose_net")
    )


def tiny_video_recipe() -> VideoRecipe:
    """Two epochs of three steps of two triplets of 32x64."""
    return dataclasses.replace(
        find_video_recipe("mininet_kitti"),
        name="tiny_video",
        input_size_px=(32, 64),
        pose_encoder="light",
        pose_weights="none",
        batch_size=2,
        num_epochs=2,
        steps_per_epoch=3,
        learning_rate=1e-3,
        clip_norm=1.0,
        min_flow_px=0.0,
        augmentation=Augmentation(),
    )
