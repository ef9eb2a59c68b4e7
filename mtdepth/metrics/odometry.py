"""The error of a camera's estimated motion: absolute trajectory error over short snippets.

Motions are `next_from_this` transforms: `X_next = T @ X_this` takes a point from one frame's camera
to the next one's.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.floating[Any]]

SNIPPET_FRAMES = 5  # Zhou et al. 2017, section 4.3


@dataclasses.dataclass(frozen=True)
class SnippetErrors:
    """Absolute trajectory errors of all snippets of a video.

    Attributes:
      errors_m: `[snippets]`.
    """

    errors_m: npt.NDArray[np.float64]

    @property
    def mean_m(self) -> float:
        """Their mean."""
        return float(np.mean(self.errors_m))

    @property
    def std_m(self) -> float:
        """Their standard deviation, over all of them."""
        return float(np.std(self.errors_m))


def motions_of(world_from_camera: Matrix) -> npt.NDArray[np.float64]:
    """`next_from_this` of each pair of neighbours.

    Args:
      world_from_camera: `[frames, 4, 4]`, rigid.

    Returns:
      `[frames - 1, 4, 4]`.
    """
    poses = np.asarray(world_from_camera, np.float64)
    return np.asarray(np.linalg.inv(poses[1:]) @ poses[:-1])


def poses_of(next_from_this: Matrix) -> npt.NDArray[np.float64]:
    """World_from_camera poses, the world being the first frame's camera.

    Args:
      next_from_this: `[frames - 1, 4, 4]`.

    Returns:
      `[frames, 4, 4]`, the first the identity.
    """
    poses = [np.eye(4)]
    for motion in np.linalg.inv(np.asarray(next_from_this, np.float64)):
        poses.append(poses[-1] @ motion)
    return np.stack(poses)


def snippet_errors(
    true_next_from_this: Matrix, predicted_next_from_this: Matrix, *, frames: int = SNIPPET_FRAMES
) -> SnippetErrors:
    """Computes the absolute trajectory error of every snippet, as it is published for KITTI.

    A snippet's positions are chained from its motions as the published evaluations do it
    (Zhou et al. 2017, Godard et al. 2019): `next_from_this` in place of its inverse, for truth and
    prediction alike. The prediction is scaled by the factor of least squares. The error is the root
    of the summed squares of the distances, *divided by the number of frames*, which is smaller than
    a root mean square by the root of that number.

    Args:
      true_next_from_this: `[pairs, 4, 4]`, metres.
      predicted_next_from_this: `[pairs, 4, 4]`, of any scale.
      frames: Of a snippet; only whole snippets count, each frame but the last few begins one.

    Raises:
      ValueError: If the numbers differ, or there is no whole snippet.
    """
    if len(true_next_from_this) != len(predicted_next_from_this):
        raise ValueError(
            f"{len(true_next_from_this)} true motions but {len(predicted_next_from_this)} predicted"
        )
    num_pairs = frames - 1
    num_snippets = len(true_next_from_this) - num_pairs + 1
    if num_snippets < 1:
        raise ValueError(
            f"a snippet has {frames} frames, the video only {len(true_next_from_this) + 1}"
        )
    errors = [
        _snippet_error(
            _positions(true_next_from_this[first : first + num_pairs]),
            _positions(predicted_next_from_this[first : first + num_pairs]),
        )
        for first in range(num_snippets)
    ]
    return SnippetErrors(np.array(errors))


def least_squares_scale(true_m: Matrix, predicted: Matrix) -> float:
    """The factor on `predicted` that brings it nearest to `true_m`; 0 where nothing moves."""
    squares = float(np.sum(predicted * predicted))
    return float(np.sum(true_m * predicted)) / squares if squares else 0.0


def _positions(motions: Matrix) -> npt.NDArray[np.float64]:
    chained = [np.eye(4)]
    for motion in motions:
        chained.append(chained[-1] @ motion)
    return np.stack([each[:3, 3] for each in chained])


def _snippet_error(true_m: Matrix, predicted: Matrix) -> float:
    scaled = predicted * least_squares_scale(true_m, predicted)
    return float(np.sqrt(np.sum((scaled - true_m) ** 2)) / len(true_m))
