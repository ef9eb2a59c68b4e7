"""What is left of a signal after MiniNet's five halvings, before any training.

Without normalisation nothing restores a feature map that an initialisation made too small: with the
libraries' stock one the deepest features are a millionth of the first, and no gradient gets through
them.
"""

import keras
import numpy as np

from mtdepth.models import mininet
from mtdepth.models.input_law import MININET_INPUT
from mtdepth.models.mininet_spec import MiniNetSpec

STRIDES = (2, 4, 8, 16, 32)


def signal_stds(
    spec: MiniNetSpec, *, input_size: tuple[int, int], seed: int = 0
) -> dict[int, float]:
    """Standard deviation of the encoder's features at every stride, freshly initialised.

    The picture is uniform noise. Sets Keras's global seed.

    Args:
      spec: The network.
      input_size: Height and width in pixels, multiples of 32.
      seed: Of the kernels and the picture.

    Returns:
      By stride, 2 to 32.
    """
    height_px, width_px = input_size
    keras.utils.set_random_seed(seed)
    image = keras.Input((height_px, width_px, 3))
    encoder = keras.Model(image, mininet.build_encoder(keras, image, spec))
    noise = np.random.default_rng(seed).integers(0, 256, (1, height_px, width_px, 3))
    taps = encoder(MININET_INPUT(noise.astype(np.float32)))
    return {
        stride: float(keras.ops.convert_to_numpy(keras.ops.std(tap)))
        for stride, tap in zip(STRIDES, taps, strict=True)
    }
