"""The network that says how the camera moved between two frames; it is needed for training only.

Source: Liu et al. 2020, section III: a ResNet-18 that takes two pictures, four convolutions, six
numbers averaged over the picture, times 0.01. On any of Keras's back ends.
"""

from typing import Any, Literal

import keras
import numpy as np

from mtdepth.files import UserError
from mtdepth.models import resnet18

Encoder = Literal["resnet18", "light"]

NUM_INPUT_CHANNELS = 6  # two RGB pictures
NUM_POSE_VALUES = 6  # axis-angle, translation
POSE_SCALE = 0.01  # of the paper: at the start the camera hardly moves
# (channels, kernel) of seven convolutions of stride 2: Zhou et al. 2017 (SfMLearner), section 3.4.
LIGHT_CONVS = ((16, 7), (32, 5), (64, 3), (128, 3), (256, 3), (256, 3), (256, 3))
HEAD_CHANNELS = 256


def build_pose_net(
    *,
    input_size: tuple[int, int],
    weights: str = "none",
    encoder: Encoder = "resnet18",
) -> keras.Model:
    """Builds the pose network.

    | encoder | parameters | what for |
    | --- | --- | --- |
    | resnet18 | 12.5 M | the paper's |
    | light (ours: SfMLearner's seven convolutions of stride 2) | 1.6 M | without a GPU |

    Args:
      input_size: Height and width in pixels.
      weights: Start of the ResNet-18: see `resnet18.load_weights`. The first convolution is
        doubled from three channels to six and halved, so that two equal pictures give what one
        gave. `"none"`, the only choice of the light encoder, starts it from random numbers.
      encoder: Which.

    Returns:
      A model named `pose_net`. Input: `[B, H, W, 6]`, two frames in temporal order, each RGB
      through `mtdepth.models.normalisation.MININET_INPUT`. Output: `[B, 6]` float32: axis-angle in
      radians, then translation in the depth network's unit of length.

    Raises:
      UserError: If the encoder is unknown, or has no such weights.
      ConnectionError, FileNotFoundError, ImportError, DataError: As `resnet18.load_weights`.
    """
    frames = keras.Input((*input_size, NUM_INPUT_CHANNELS), name="frames")
    if encoder == "resnet18":
        features = _resnet18_features(frames, weights)
        for name, kernel_px in (("squeeze", 1), ("pose_1", 3), ("pose_2", 3)):
            features = _conv(features, HEAD_CHANNELS, kernel_px, name=name)
    elif encoder == "light":
        if weights != "none":
            raise UserError(f'the light encoder has no published weights, got "{weights}"')
        features = frames
        for number, (num_channels, kernel_px) in enumerate(LIGHT_CONVS, start=1):
            features = _conv(features, num_channels, kernel_px, stride=2, name=f"light_{number}")
    else:
        raise UserError(f"encoder must be resnet18 or light, got {encoder!r}")
    # In float32 under any policy: a thousandth of a radian matters.
    six = keras.layers.Conv2D(NUM_POSE_VALUES, 1, dtype="float32", name="pose_3")(features)
    mean = keras.layers.GlobalAveragePooling2D(dtype="float32", name="pose_mean")(six)
    pose = keras.layers.Rescaling(POSE_SCALE, dtype="float32", name="pose")(mean)
    return keras.Model(frames, pose, name="pose_net")


def _resnet18_features(frames: Any, weights: str) -> Any:
    backbone = resnet18.build_backbone(num_channels=NUM_INPUT_CHANNELS)
    if weights != "none":
        single = resnet18.build_backbone(num_channels=3)
        resnet18.load_weights(single, weights)
        for layer in backbone.layers:
            values = single.get_layer(layer.name).get_weights() if layer.weights else []
            if layer.name == resnet18.FIRST_CONV:
                # `[7, 7, 3, C]` to `[7, 7, 6, C]`: each half sees one picture, half as strongly.
                values = [np.concatenate([value, value], axis=2) / 2 for value in values]
            layer.set_weights(values)
    return resnet18.applied(backbone, frames)


def _conv(features: Any, num_channels: int, kernel_px: int, *, name: str, stride: int = 1) -> Any:
    return keras.layers.Conv2D(
        num_channels,
        kernel_px,
        strides=stride,
        padding="same",
        activation="relu",
        kernel_initializer="he_uniform",
        name=name,
    )(features)
