"""Rebuilding a picture from its neighbour in a video: rigid motion, projection, sampling.

MiniNet, eq. 1 and 2: the pixel p of the target is seen in the source at `K T D(p) K^-1 p`. Column u
and row v of a pixel's centre are whole numbers, so the corners of a picture are the centres of its
corner pixels.
"""

from typing import Any

from keras import ops

from mtdepth.geometry.depth_codec import SigmoidDisparityCodec

Tensor = Any

# Below this squared angle the series of sin and cos are exact in float32, and their quotients are
# not; it also keeps the gradient at no rotation finite.
_SMALL_SQUARED_RAD2 = 1e-4
# ours: what a motion takes behind the source's camera is seen at its border, not mirrored.
_MIN_SCALED_Z = 1e-6


def inverse_depth(unit_inverse_depth: Tensor) -> Tensor:
    """Turns the network's sigmoid output into 1 / depth, as `SigmoidDisparityCodec` does.

    Args:
      unit_inverse_depth: Any shape, 0..1.

    Returns:
      The same shape, 0.01 to 10.01, in the network's own unit.
    """
    return SigmoidDisparityCodec.gain * unit_inverse_depth + SigmoidDisparityCodec.bias


def rotation(axis_angle: Tensor) -> Tensor:
    """Rodrigues' formula, with a gradient at no rotation too.

    Args:
      axis_angle: `[B, 3]`, rad: the axis times the angle.

    Returns:
      `[B, 3, 3]`.
    """
    squared = ops.sum(ops.square(axis_angle), axis=-1)[:, None, None]
    is_small = squared < _SMALL_SQUARED_RAD2
    # Substituted before, so that no branch gives a NaN gradient.
    angle = ops.sqrt(ops.where(is_small, 1.0, squared))
    sine = ops.where(is_small, 1 - squared / 6, ops.sin(angle) / angle)
    # 1 - cos loses digits; half angles do not.
    half = ops.sin(angle / 2) / angle
    cosine = ops.where(is_small, 0.5 - squared / 24, 2 * half * half)
    cross = _cross_matrix(axis_angle)
    identity = ops.eye(3, dtype=axis_angle.dtype)
    return identity + sine * cross + cosine * ops.matmul(cross, cross)


def transform(axis_angle: Tensor, translation: Tensor) -> Tensor:
    """A rigid motion `X -> R X + t`.

    Args:
      axis_angle: `[B, 3]`, rad.
      translation: `[B, 3]`, in units of depth.

    Returns:
      `[B, 4, 4]`.
    """
    return _homogeneous(rotation(axis_angle), translation[..., None])


def inverse_transform(axis_angle: Tensor, translation: Tensor) -> Tensor:
    """The motion that undoes `transform` of the same numbers.

    Args:
      axis_angle: `[B, 3]`, rad.
      translation: `[B, 3]`, in units of depth.

    Returns:
      `[B, 4, 4]`.
    """
    R_inverse = ops.swapaxes(rotation(axis_angle), -1, -2)
    return _homogeneous(R_inverse, -ops.matmul(R_inverse, translation[..., None]))


def project(inverse_depth: Tensor, K: Tensor, T_target_to_source: Tensor) -> tuple[Tensor, Tensor]:
    """Says where each pixel of the target is seen in the source (MiniNet, eq. 1).

    Divided by its depth, `K (R D K^-1 p + t)` needs neither depth nor points:
    `K R K^-1 p + K t / D`.

    Args:
      inverse_depth: `[..., H, W]`, of the target. Its leading sides, and those of the others, are
        the same or 1 from the right, as numpy's.
      K: `[..., 3, 3]`, pixels, of both pictures; without skew.
      T_target_to_source: `[..., 4, 4]`.

    Returns:
      Column u and row v, each `[..., H, W]`, pixels; may lie outside the picture. What lies behind
      the source's camera goes far outside.
    """
    height_px, width_px = inverse_depth.shape[-2:]
    turned = ops.matmul(ops.matmul(K, T_target_to_source[..., :3, :3]), _inverse_camera(K))
    moved = ops.matmul(K, T_target_to_source[..., :3, 3:])
    u = ops.arange(width_px, dtype="float32")
    v = ops.arange(height_px, dtype="float32")[:, None]

    def coordinate(row: int) -> Tensor:
        per_u, per_v, rest = (turned[..., row, i, None, None] for i in range(3))
        return (per_u * u + (per_v * v + rest)) + moved[..., row, :, None] * inverse_depth

    per_z = 1 / ops.maximum(coordinate(2), _MIN_SCALED_Z)
    return coordinate(0) * per_z, coordinate(1) * per_z


def sample(image: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Reads a picture between its pixels, bilinearly; outside is what the border shows.

    The gradient reaches the coordinates, where they lie inside, and never the picture.

    Args:
      image: `[B, H, W, C]`, at least 2x2.
      u: `[B, h, w]`, columns, 0 .. W - 1.
      v: `[B, h, w]`, rows.

    Returns:
      `[B, h, w, C]`; NaN where a coordinate is.
    """
    return sample_cells(cells(image), u, v)


def cells(image: Tensor) -> Tensor:
    """Prepares a picture for several calls of `sample_cells`.

    Between four neighbours the picture is `a + b x + c y + d x y`. With the four numbers side by
    side a sample is one read instead of four.

    Args:
      image: `[B, H, W, C]`.

    Returns:
      `[B, H - 1, W - 1, 4 C]`: a, b, c, d.
    """
    image = ops.stop_gradient(image)
    corner = image[:, :-1, :-1]
    right = image[:, :-1, 1:] - corner
    below = image[:, 1:, :-1] - corner
    twist = image[:, 1:, 1:] - image[:, 1:, :-1] - right
    return ops.concatenate([corner, right, below, twist], axis=-1)


def sample_cells(cells: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Does what `sample` says, on prepared `cells`.

    Args:
      cells: `[B, H - 1, W - 1, 4 C]`.
      u: `[..., B, h, w]`, columns; every leading index reads the same B pictures.
      v: `[..., B, h, w]`, rows.

    Returns:
      `[..., B, h, w, C]`.
    """
    num_rows, num_columns, num_values = cells.shape[1:]
    column, x = _cell_and_rest(u, num_columns)
    row, y = _cell_and_rest(v, num_rows)
    picture = ops.arange(ops.shape(cells)[0], dtype="int32")[:, None, None]
    index = (picture * num_rows + row) * num_columns + column
    found = ops.take(ops.reshape(cells, (-1, num_values)), index, axis=0)
    corner, right, below, twist = ops.split(found, 4, axis=-1)
    return corner + x * right + y * (below + x * twist)


def _cell_and_rest(position: Tensor, num_cells: int) -> tuple[Tensor, Tensor]:
    position = ops.clip(position, 0.0, float(num_cells))
    # Cut again as a whole number: NaN becomes any number, and must not be read at.
    cell = ops.clip(ops.cast(ops.stop_gradient(position), "int32"), 0, num_cells - 1)
    return cell, (position - ops.cast(cell, position.dtype))[..., None]


def _cross_matrix(vector: Tensor) -> Tensor:
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    zero = ops.zeros_like(x)
    return _matrix([zero, -z, y], [z, zero, -x], [-y, x, zero])


def _homogeneous(R_: Tensor, t: Tensor) -> Tensor:
    top = ops.concatenate([R_, t], axis=-1)
    bottom = ops.concatenate([ops.zeros_like(t), ops.ones_like(t[:, :1])], axis=1)
    return ops.concatenate([top, ops.swapaxes(bottom, -1, -2)], axis=1)


def _inverse_camera(K: Tensor) -> Tensor:
    fx, fy, cx, cy = K[..., 0, 0], K[..., 1, 1], K[..., 0, 2], K[..., 1, 2]
    zero, one = ops.zeros_like(fx), ops.ones_like(fx)
    return _matrix([1 / fx, zero, -cx / fx], [zero, 1 / fy, -cy / fy], [zero, zero, one])


def _matrix(*rows: list[Tensor]) -> Tensor:
    values = ops.stack([value for row in rows for value in row], axis=-1)
    return ops.reshape(values, (*rows[0][0].shape, len(rows), len(rows)))
