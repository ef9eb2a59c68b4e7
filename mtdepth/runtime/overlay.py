"""The pictures that are shown: input, depth with a scale, classes with a legend."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.datasets.label_map import CLASS_NAMES, IGNORE_ID, PALETTE
from mtdepth.runtime.colors import MAGMA, depth_colors
from mtdepth.runtime.pipeline import Prediction

Image = npt.NDArray[np.uint8]

# Smaller panels are enlarged by a whole number, so that the writing on them can be read.
MIN_PANEL_HEIGHT_PX = 240
# Larger ones are shrunk for the same reason: no screen shows more.
MAX_PANEL_HEIGHT_PX = 720
# Panels of wider pictures stand below each other.
MAX_ASPECT_SIDE_BY_SIDE = 2.0
STRIP_WIDTH_PX = 132  # room for "traffic light" at the font below
_LINE_PX = 17
_BAR_WIDTH_PX = 18
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.42
_WHITE, _BACKGROUND = (255, 255, 255), 24
# Depth without a unit has no limits that mean anything: these shares of a picture's pixels are
# nearer than its colours' near end, and than their far end.
_RELATIVE_SHARES = (0.02, 0.98)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What the first and the last colour of depth stand for: metres, or relative depth."""

    near_m: float
    far_m: float
    is_metric: bool = True
    palette: str = MAGMA


def scale_of(
    depth_m: npt.NDArray[np.float32],
    *,
    valid_m: tuple[float, float],
    is_metric: bool,
    palette: str = MAGMA,
) -> Scale:
    """The colours of a picture: the model's own range, or the picture's where there is no unit."""
    near_m, far_m = valid_m
    if not is_metric:
        measured = depth_m[::4, ::4][depth_m[::4, ::4] > 0]
        if measured.size:
            low, high = np.quantile(measured, _RELATIVE_SHARES)
            # A flat picture still needs two ends.
            near_m, far_m = float(low), float(max(high, low * 1.01))
    return Scale(near_m=near_m, far_m=far_m, is_metric=is_metric, palette=palette)


def draw_overlay(
    image_rgb: Image,
    prediction: Prediction,
    *,
    scale: Scale,
    alpha: float,
    caption: tuple[str, ...] = (),
) -> Image:
    """Draws input, depth and, where there are classes, the input painted with them.

    Args:
      image_rgb: `[height, width, 3]`.
      prediction: At that size.
      scale: Of the depth's colours.
      alpha: Share of the class colour over the input, 0..1.
      caption: Lines beside the input.

    Returns:
      `[h, w, 3]` RGB; the panels beside each other, or below each other for a wide picture.
    """
    panels = [
        _panel(image_rgb, lambda height_px: _text_strip(height_px, caption)),
        draw_depth(prediction.depth_m, scale=scale),
    ]
    if prediction.train_id is not None:
        panels.append(draw_classes(image_rgb, prediction.train_id, alpha=alpha))
    is_wide = image_rgb.shape[1] > MAX_ASPECT_SIDE_BY_SIDE * image_rgb.shape[0]
    return np.concatenate(panels, axis=0 if is_wide else 1)


def draw_depth(depth_m: npt.NDArray[np.float32], *, scale: Scale) -> Image:
    """Depth in colours, with the bar that says which is which."""
    colors = depth_colors(depth_m, near_m=scale.near_m, far_m=scale.far_m, palette=scale.palette)
    return _panel(colors, lambda height_px: _scale_strip(height_px, scale))


def draw_classes(image_rgb: Image, train_id: Image, *, alpha: float) -> Image:
    """The picture painted with its classes, with their names."""
    painted = paint_classes(image_rgb, train_id, alpha=alpha)
    return _panel(painted, lambda height_px: _legend_strip(height_px, train_id))


def paint_classes(image_rgb: Image, train_id: Image, *, alpha: float) -> Image:
    """Blends the class colours into a picture; ignored pixels (255) stay as they are.

    Raises:
      ValueError: If `alpha` is outside 0..1.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in 0..1, got {alpha}")
    blended = cv2.addWeighted(image_rgb, 1 - alpha, PALETTE[train_id], alpha, 0)
    return np.where((train_id == IGNORE_ID)[..., None], image_rgb, blended)


def scale_marks_m(near_m: float, far_m: float) -> list[float]:
    """Round depths to write beside the colour bar, both limits among them, none crowded."""
    round_m = [
        digit * 10.0**power
        for power in range(math.floor(math.log10(near_m)), math.ceil(math.log10(far_m)) + 1)
        for digit in (1, 2, 5)
    ]
    # 1.25: marks nearer to a limit than that would touch its own.
    between = [mark_m for mark_m in round_m if 1.25 * near_m <= mark_m <= far_m / 1.25]
    return [near_m, *between, far_m]


def _panel(image: Image, strip: Callable[[int], Image]) -> Image:
    height_px, width_px = image.shape[:2]
    factor = float(math.ceil(MIN_PANEL_HEIGHT_PX / height_px))
    if height_px > MAX_PANEL_HEIGHT_PX:
        factor = MAX_PANEL_HEIGHT_PX / height_px
    size = (max(1, round(width_px * factor)), round(height_px * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    resized = cv2.resize(image, size, interpolation=how)
    return np.concatenate([resized, strip(size[1])], axis=1)


def _text_strip(height_px: int, lines: tuple[str, ...] = ()) -> Image:
    strip = np.full((height_px, STRIP_WIDTH_PX, 3), _BACKGROUND, np.uint8)
    for number, line in enumerate(lines):
        _write(strip, line, left_px=8, baseline_px=(number + 1) * _LINE_PX)
    return strip


def _scale_strip(height_px: int, scale: Scale) -> Image:
    strip = _text_strip(height_px)
    margin_px = _LINE_PX // 2
    length_px = height_px - 2 * margin_px
    near_m, far_m = scale.near_m, scale.far_m
    # Far above, as in a picture of a road. Every row is painted by the law of the pixels.
    share = (np.arange(length_px) + 0.5) / length_px
    row_m = far_m * (near_m / far_m) ** share
    bar = depth_colors(row_m[:, None], near_m=near_m, far_m=far_m, palette=scale.palette)
    strip[margin_px : margin_px + length_px, 8 : 8 + _BAR_WIDTH_PX] = bar
    right_px = 8 + _BAR_WIDTH_PX
    for mark_m, text in _marks(scale):
        row_px = margin_px + round(
            (length_px - 1) * math.log(far_m / mark_m) / math.log(far_m / near_m)
        )
        cv2.line(strip, (right_px, row_px), (right_px + 5, row_px), _WHITE, 1)
        _write(strip, text, left_px=right_px + 9, baseline_px=row_px + 4)
    return strip


def _marks(scale: Scale) -> list[tuple[float, str]]:
    if scale.is_metric:
        return [(mark_m, f"{mark_m:g} m") for mark_m in scale_marks_m(scale.near_m, scale.far_m)]
    middle = math.sqrt(scale.near_m * scale.far_m)
    return [(scale.near_m, "near"), (middle, "relative"), (scale.far_m, "far")]


def _legend_strip(height_px: int, train_id: Image) -> Image:
    strip = _text_strip(height_px)
    counts = np.bincount(train_id.ravel(), minlength=256)[: len(CLASS_NAMES)]
    # Largest first; what does not fit is the smallest.
    present = [index for index in np.argsort(-counts, kind="stable") if counts[index]]
    for number, index in enumerate(present[: height_px // _LINE_PX]):
        top_px = number * _LINE_PX + 4
        strip[top_px : top_px + 11, 8:19] = PALETTE[index]
        _write(strip, CLASS_NAMES[index], left_px=26, baseline_px=top_px + 10)
    return strip


def _write(image: Image, text: str, *, left_px: int, baseline_px: int) -> None:
    where = (left_px, baseline_px)
    cv2.putText(image, text, where, _FONT, _FONT_SCALE, _WHITE, 1, cv2.LINE_AA)
