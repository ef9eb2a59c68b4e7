"""The steps of PSMNet that Keras has no layer for: resize, pyramid pool, cost volume, soft argmin.

All by `keras.ops`, so that every backend runs them. Height and width must be known when a graph is
traced, that is one graph a picture size; the batch size may stay open.
"""

import math
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

Shape = tuple[int | None, ...]

_ROWS_AT_ONCE = 16  # 15 MB at KITTI size; 4 and 32 are as fast


def interpolation_matrix(
    num_out: int, num_in: int, *, align_corners: bool
) -> npt.NDArray[np.float32]:
    """Linear interpolation along one axis, as a matrix.

    With `align_corners` the first and last samples of both grids coincide; without, the grids'
    outer borders do, and samples beyond the outermost input repeat it. PyTorch's two rules.

    Args:
      num_out: Samples out.
      num_in: Samples in.
      align_corners: Which rule.

    Returns:
      `[num_out, num_in]`; rows sum to 1.
    """
    index = np.arange(num_out, dtype=np.float64)
    if align_corners:
        position = index * ((num_in - 1) / max(num_out - 1, 1))
    else:
        position = np.maximum((index + 0.5) * (num_in / num_out) - 0.5, 0.0)
    lower = np.minimum(np.floor(position).astype(np.intp), num_in - 1)
    upper = np.minimum(lower + 1, num_in - 1)
    share = position - lower
    matrix = np.zeros((num_out, num_in))
    rows = np.arange(num_out)
    np.add.at(matrix, (rows, lower), 1 - share)
    np.add.at(matrix, (rows, upper), share)
    return matrix.astype(np.float32)


def _interpolate(values: Any, equation: str, num_out: int, num_in: int, align: bool) -> Any:
    matrix = interpolation_matrix(num_out, num_in, align_corners=align)
    return ops.einsum(equation, ops.convert_to_tensor(matrix, dtype=values.dtype), values)


def known_size(values: Any, axis: int) -> int:
    """An axis's length.

    Raises:
      ValueError: If it is open in the graph that is traced.
    """
    size = values.shape[axis]
    if not isinstance(size, int):
        raise ValueError(
            f"PSMNet needs a known height and width in every traced graph, got {values.shape}; "
            "trace one graph for each picture size (only the batch size may be open)"
        )
    return size


@keras.saving.register_keras_serializable(package="mtdepth.psmnet")
class PyramidLevel(keras.layers.Layer):
    """Averages squares of `side` pixels: the pooling of one branch of the feature pyramid.

    A side that the map does not reach is the map's own, so that pictures below 256 px run as well;
    the authors' network refuses those. What does not fill a square at the far borders is left out.
    """

    def __init__(self, *, side: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.side = side

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """`[b, h // side, w // side, c]`."""
        batch, height, width, channels = input_shape
        pooled = [None if n is None else max(n // self.side, 1) for n in (height, width)]
        return (batch, *pooled, channels)

    def call(self, features: Any) -> Any:
        """`[b, h, w, c]` to `[b, h // side, w // side, c]`."""
        pool = tuple(min(self.side, known_size(features, axis)) for axis in (1, 2))
        return ops.average_pool(features, pool, strides=pool, padding="valid")

    def get_config(self) -> dict[str, Any]:
        """What `__init__` takes."""
        return {**super().get_config(), "side": self.side}


@keras.saving.register_keras_serializable(package="mtdepth.psmnet")
class ResizeLike(keras.layers.Layer):
    """Resizes a map bilinearly to another map's height and width."""

    def __init__(self, *, align_corners: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.align_corners = align_corners

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """The first's batch and channels, the second's height and width."""
        (batch, _, _, channels), (_, height, width, _) = input_shape
        return (batch, height, width, channels)

    def call(self, inputs: list[Any]) -> Any:
        """`[b, h, w, c]` and `[b, H, W, _]` to `[b, H, W, c]`."""
        features, like = inputs
        for axis, equation in ((2, "ow,bhwc->bhoc"), (1, "oh,bhwc->bowc")):
            num_out, num_in = known_size(like, axis), known_size(features, axis)
            features = _interpolate(features, equation, num_out, num_in, self.align_corners)
        return features

    def get_config(self) -> dict[str, Any]:
        """What `__init__` takes."""
        return {**super().get_config(), "align_corners": self.align_corners}


@keras.saving.register_keras_serializable(package="mtdepth.psmnet")
class CostVolume(keras.layers.Layer):
    """Sets each left feature beside the right feature at each disparity (Chang & Chen 2018, 3.3).

    Where the right column would lie outside its map, both halves are 0.
    """

    def __init__(self, *, num_disparities: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_disparities = num_disparities

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """`[b, num_disparities, h, w, 2 c]`."""
        batch, height, width, channels = input_shape[0]
        return (batch, self.num_disparities, height, width, None if not channels else 2 * channels)

    def call(self, inputs: list[Any]) -> Any:
        """Left and right `[b, h, w, c]` to `[b, num_disparities, h, w, 2 c]`."""
        left, right = inputs
        width = known_size(right, 2)
        disparity = np.arange(self.num_disparities)[:, None]
        column = np.arange(width)[None, :]
        # One gather of all shifted copies; in front of the map stand zeros, for column < disparity.
        ahead = self.num_disparities - 1
        padded = ops.pad(right, [[0, 0], [0, 0], [ahead, 0], [0, 0]])
        index = (column - disparity + ahead).astype(np.int32)
        shifted = ops.transpose(ops.take(padded, index, axis=2), (0, 2, 1, 3, 4))
        is_inside = (column >= disparity).astype(np.float32)[None, :, None, :, None]
        repeated = left[:, None] * ops.convert_to_tensor(is_inside, dtype=left.dtype)
        return ops.concatenate([repeated, shifted], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """What `__init__` takes."""
        return {**super().get_config(), "num_disparities": self.num_disparities}


@keras.saving.register_keras_serializable(package="mtdepth.psmnet")
class SoftArgmin(keras.layers.Layer):
    """Upsamples matching scores to the picture's size and takes the expected disparity.

    Trilinear; the mean of disparities 0..num_disparities - 1 under the softmax of their scores
    (Kendall et al. 2017, eq. 1; the authors' network learns the negative cost).
    """

    def __init__(
        self, *, num_disparities: int, scale: int, align_corners: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_disparities = num_disparities
        self.scale = scale
        self.align_corners = align_corners

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """`[b, scale h, scale w]`."""
        batch, _, height, width, _ = input_shape
        return (batch, *(None if n is None else n * self.scale for n in (height, width)))

    def call(self, scores: Any) -> Any:
        """`[b, num_disparities / scale, h, w, 1]` to `[b, scale h, scale w]` pixels."""
        scores = ops.squeeze(scores, axis=-1)
        for axis, equation in ((3, "ow,bdhw->bdho"), (2, "oh,bdhw->bdow")):
            num_in = known_size(scores, axis)
            scores = _interpolate(scores, equation, num_in * self.scale, num_in, self.align_corners)
        num_in, height, width = (known_size(scores, axis) for axis in (1, 2, 3))
        matrix = interpolation_matrix(
            self.num_disparities, num_in, align_corners=self.align_corners
        )
        upsample = ops.convert_to_tensor(matrix.T, dtype=scores.dtype)
        disparity_px = ops.arange(self.num_disparities, dtype=scores.dtype)

        def expected(slab: Any) -> Any:
            return ops.matmul(ops.softmax(ops.matmul(slab, upsample), axis=-1), disparity_px)

        # A few rows at once: all disparities of a whole KITTI picture are 368 MB, several times.
        rows = math.gcd(height, _ROWS_AT_ONCE)
        slabs = ops.reshape(
            ops.transpose(scores, (2, 0, 3, 1)), (height // rows, rows, -1, width, num_in)
        )
        result = ops.reshape(ops.map(expected, slabs), (height, -1, width))
        return ops.transpose(result, (1, 0, 2))

    def get_config(self) -> dict[str, Any]:
        """What `__init__` takes."""
        return {
            **super().get_config(),
            "num_disparities": self.num_disparities,
            "scale": self.scale,
            "align_corners": self.align_corners,
        }
