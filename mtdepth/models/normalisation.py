"""How the bytes of a picture become the numbers that a network takes: one rule per network."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class InputNormalisation:
    """An affine map of RGB values 0..255 to a network's input, the same for all three colours.

    Attributes:
      scale: Factor of the value.
      offset: Added after it.
    """

    scale: float
    offset: float

    @property
    def centre(self) -> int:
        """The whole grey level nearest to what becomes zero.

        Integers subtract it exactly. It is off by at most half a level, which is below the rounding
        of a quantised network's first layer.
        """
        return round(-self.offset / self.scale)

    def __call__(self, image: Any) -> Any:
        """Maps an array or tensor of any shape; a float32 one stays float32.

        An integer array becomes floating as numpy has it; a tensor must be floating already.
        """
        return image * self.scale + self.offset


# [-1, 1], as the published weights of MobileNetV2 expect it.
STUDENT_INPUT = InputNormalisation(scale=1 / 127.5, offset=-1.0)
# (x / 255 - 0.45) / 0.225: Liu et al. 2020, section IV; close to ImageNet's mean and deviation.
MININET_INPUT = InputNormalisation(scale=1 / (255 * 0.225), offset=-0.45 / 0.225)
