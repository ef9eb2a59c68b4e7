"""What MiniNet learns from: three frames of a video that must explain one another."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras import ops

from mtdepth.losses import photometric, smoothness, view_synthesis

Tensor = Any
Tensors = dict[str, Any]

TARGET = 1  # of the frames t-1, t, t+1
SOURCES = (0, 2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoLossWeights:
    """The numbers of the loss, which `mtdepth.recipes.video` explains.

    Attributes:
      ssim: Of structure in the photometric error.
      smoothness: Weight of smoothness beside the photometric error.
      sharpness: See `smoothness.model_driven_weight`.
      scale_decay: Factor of smoothness from each scale to the next coarser one.
      auto_mask: Whether pixels that an unmoved source explains better than the warped one teach
        nothing (Godard et al. 2019, "Digging into self-supervised monocular depth", eq. 5).
    """

    ssim: float
    smoothness: float
    sharpness: float
    scale_decay: float
    auto_mask: bool


@dataclasses.dataclass(frozen=True)
class Views:
    """How well the depths of S scales explain a batch of targets.

    Attributes:
      unit_inverse_depth: `[S, B, H, W]`, at the frames' size.
      warped: `[S, B, H, W, 3]` each, the target rebuilt from t-1 and from t+1.
      error: `[S, B, H, W]`, photometric, of the better source.
      colour_error: `[S, B, H, W]`, colours alone, of the same source.
      counted: `[S, B, H, W]`, the error that is learned from; with auto-masking that of the unmoved
        source, a constant, where a pixel does not count.
      is_moving: `[S, B, H, W]`, whether the pixel counts; None without auto-masking.
    """

    unit_inverse_depth: Tensor
    warped: tuple[Tensor, ...]
    error: Tensor
    colour_error: Tensor
    counted: Tensor
    is_moving: Tensor | None


def video_loss(
    depth_codes: Sequence[Tensor],
    frames: Tensor,
    K: Tensor,
    T_target_to_sources: Sequence[Tensor],
    weights: VideoLossWeights,
) -> tuple[Tensor, Tensors, Views]:
    """Sum over the scales of photometric error and model-driven smoothness (MiniNet, eq. 7 to 11).

    Args:
      depth_codes: Logits `[B, h, w, 1]` of each scale, the finest first.
      frames: `[B, 3, H, W, 3]`, values 0..1, uncoloured: not what the jitter made of them.
      K: `[B, 3, 3]`, pixels at the frames' size.
      T_target_to_sources: Two `[B, 4, 4]`; see `target_to_sources`.
      weights: See `VideoLossWeights`.

    Returns:
      The loss; its parts, `photometric` and `smoothness` of each scale, `[S]`; the views.
    """
    size = tuple(frames.shape[2:4])
    disparity = ops.stack([_enlarged(ops.sigmoid(code), size) for code in depth_codes])
    views = explain(disparity, frames, K, T_target_to_sources, weights)
    target = frames[:, TARGET]
    trust = smoothness.model_driven_weight(views.colour_error, sharpness=weights.sharpness)
    parts = {
        "photometric": ops.mean(views.counted, axis=(1, 2, 3)),
        "smoothness": smoothness.smoothness(disparity, target, trust),
    }
    falling = [weights.smoothness * weights.scale_decay**s for s in range(len(depth_codes))]
    total = ops.sum(parts["photometric"]) + ops.sum(
        parts["smoothness"] * ops.convert_to_tensor(falling, dtype="float32")
    )
    return total, parts, views


def explain(
    unit_inverse_depth: Tensor,
    frames: Tensor,
    K: Tensor,
    T_target_to_sources: Sequence[Tensor],
    weights: VideoLossWeights,
) -> Views:
    """Rebuilds the targets from both sources with each scale's depth, all at once.

    Args:
      unit_inverse_depth: `[S, B, H, W]`.
      frames: See `video_loss`.
      K: See `video_loss`.
      T_target_to_sources: See `video_loss`.
      weights: `ssim` and `auto_mask` of `VideoLossWeights`.

    Returns:
      Of every scale.
    """
    target = frames[:, TARGET]
    inverse_depth = view_synthesis.inverse_depth(unit_inverse_depth)
    warped, errors, colour_errors = [], [], []
    # All scales at once, but a source at a time: the gradient of a slice writes out all of it.
    for frame, T_target_to_source in zip(SOURCES, T_target_to_sources, strict=True):
        u, v = view_synthesis.project(inverse_depth, K, T_target_to_source)
        warped.append(view_synthesis.sample(frames[:, frame], u, v))
        errors.append(photometric.photometric_error(target, warped[-1], ssim_weight=weights.ssim))
        colour_errors.append(photometric.colour_error(target, warped[-1]))
    is_second_better = errors[1] < errors[0]
    error = ops.where(is_second_better, errors[1], errors[0])
    counted, is_moving = error, None
    if weights.auto_mask:
        unmoved = ops.minimum(
            *(
                photometric.photometric_error(target, frames[:, frame], ssim_weight=weights.ssim)
                for frame in SOURCES
            )
        )
        is_moving = error < unmoved
        # Not 0, or the motion that explains nothing would have the least error of all.
        counted = ops.where(is_moving, error, unmoved)
    return Views(
        unit_inverse_depth=unit_inverse_depth,
        warped=tuple(warped),
        error=error,
        colour_error=ops.where(is_second_better, colour_errors[1], colour_errors[0]),
        counted=counted,
        is_moving=is_moving,
    )


def target_to_sources(next_from_this: Tensor) -> tuple[Tensor, Tensor]:
    """Turns the pose network's answers into the motions that the warps need.

    Args:
      next_from_this: `[B, 2, 6]`, axis-angle (rad) and translation from t-1 to t, and from t to
        t+1: `X_later = T X_earlier`.

    Returns:
      `[B, 4, 4]` each: from t to t-1, the inverse of the first, and from t to t+1.
    """
    back, forth = next_from_this[:, 0], next_from_this[:, 1]
    return (
        view_synthesis.inverse_transform(back[:, :3], back[:, 3:]),
        view_synthesis.transform(forth[:, :3], forth[:, 3:]),
    )


def _enlarged(disparity: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(disparity.shape[1:3]) != size:
        disparity = ops.image.resize(
            disparity, size, interpolation="bilinear", data_format="channels_last"
        )
    return disparity[..., 0]
