"""The error of a camera's estimated motion: absolute trajectory error over short snippets.

Motions are `next_from_this` transforms: `X_next = T @ X_this` takes a point from one frame's camera
to the next one's.
"""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.floating[Any]]

SnippetConvention = Literal["sfmlearner", "monodepth2"]
CONVENTIONS: tuple[SnippetConvention, ...] = ("sfmlearner", "monodepth2")

SNIPPET_FRAMES = 5  # Zhou et al. 2017, section 4.3


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
    true_next_from_this: Matrix,
    predicted_next_from_this: Matrix,
    *,
    convention: SnippetConvention,
    frames: int = SNIPPET_FRAMES,
) -> npt.NDArray[np.float64]:
    """The absolute trajectory error of every snippet, as published for KITTI's odometry.

    Snippets of five frames, each scaled to the truth by the factor of least squares, are Zhou's
    (SfMLearner, 2017, section 4.3). How the positions come about differs from code to code, and
    gives different figures for one and the same prediction, so a table must not mix them:

    - `sfmlearner` (Zhou et al. 2017): where the camera truly is, in the snippet's first frame;
    - `monodepth2` (Godard et al. 2019, `evaluate_pose.py`): the motions of neighbours are chained,
      `next_from_this` in place of its inverse, for truth and prediction alike.

    The error is the root of the summed squares of the distances, *divided by the number of frames*,
    which is smaller than a root mean square by the root of that number.

    Args:
      true_next_from_this: `[pairs, 4, 4]`, metres.
      predicted_next_from_this: `[pairs, 4, 4]`, of any scale.
      convention: Whose positions.
      frames: Of a snippet; only whole snippets count, each frame but the last few begins one.

    Returns:
      `[snippets]`, metres; empty without a whole one.

    Raises:
      ValueError: If the numbers differ.
    """
    if len(true_next_from_this) != len(predicted_next_from_this):
        raise ValueError(
            f"{len(true_next_from_this)} true motions but {len(predicted_next_from_this)} predicted"
        )
    num_pairs = frames - 1
    num_snippets = len(true_next_from_this) - num_pairs + 1
    errors_m = []
    for first in range(num_snippets):
        true_m, predicted = (
            _positions(motions[first : first + num_pairs], convention)
            for motions in (true_next_from_this, predicted_next_from_this)
        )
        scaled_m = predicted * least_squares_scale(true_m, predicted)
        errors_m.append(np.sqrt(np.sum((scaled_m - true_m) ** 2)) / frames)
    return np.array(errors_m)


def least_squares_scale(true_m: Matrix, predicted: Matrix) -> float:
    """The factor on `predicted` that brings it nearest to `true_m`; 0 where nothing moves.

    Args:
      true_m: `[frames, 3]` positions, metres.
      predicted: `[frames, 3]` positions, of any scale.
    """
    squares = float(np.sum(predicted * predicted))
    return float(np.sum(true_m * predicted)) / squares if squares else 0.0


def _positions(motions: Matrix, convention: SnippetConvention) -> npt.NDArray[np.float64]:
    if convention == "sfmlearner":
        return poses_of(motions)[:, :3, 3]
    # Chained as they are: the poses of the motions' inverses.
    return poses_of(np.linalg.inv(motions))[:, :3, 3]
