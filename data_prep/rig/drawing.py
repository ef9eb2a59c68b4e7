"""Pictures of a calibration: where boards were seen, and rows before and after rectification."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.rig.calibrate import CalibratedLens

Image = npt.NDArray[np.uint8]

_PANEL_WIDTH_PX = 640
_GAP_PX, _CAPTION_PX = 8, 26
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.45
_WHITE, _DARK = (255, 255, 255), (28, 28, 32)
_EMPTY_CELL, _GOOD, _BAD = (70, 40, 44), (90, 210, 120), (235, 90, 70)
_BAD_ERROR_PX = 1.0
_NUM_LINES = 14
_LINE_COLORS = ((255, 200, 60), (80, 200, 255), (255, 110, 180), (140, 255, 120))


def draw_coverage(lenses: Sequence[CalibratedLens]) -> Image:
    """The picture's plane of each camera, with every corner: green where it fits, red where not."""
    return _beside([_coverage_panel(lens) for lens in lenses])


def _coverage_panel(lens: CalibratedLens) -> Image:
    height_px, width_px = lens.views.size
    scale = _PANEL_WIDTH_PX / width_px
    panel = np.full((round(height_px * scale), _PANEL_WIDTH_PX, 3), _DARK, np.uint8)
    rows, columns = lens.is_covered.shape
    for row, column in np.argwhere(~lens.is_covered):
        top, left = round(row * panel.shape[0] / rows), round(column * panel.shape[1] / columns)
        bottom = round((row + 1) * panel.shape[0] / rows)
        right = round((column + 1) * panel.shape[1] / columns)
        panel[top + 1 : bottom - 1, left + 1 : right - 1] = _EMPTY_CELL
    for name, corners in lens.views.corners.items():
        share = min(1.0, lens.errors_px[name] / _BAD_ERROR_PX)
        color = [good + share * (bad - good) for good, bad in zip(_GOOD, _BAD, strict=True)]
        for u, v in (corners + 0.5) * scale:
            cv2.circle(panel, (round(u), round(v)), 2, color, -1, cv2.LINE_AA)
    num_pictures = len(lens.errors_px) + len(lens.views.without)
    return _captioned(
        panel,
        f"{lens.name}: board in {len(lens.errors_px)} of {num_pictures} pictures, "
        f"{lens.error_px:.2f} px off, {lens.coverage:.0%} covered (red: nothing seen)",
    )


def draw_rows(
    before: tuple[Image, Image],
    after: tuple[Image, Image],
    *,
    points_before: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    points_after: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
) -> Image:
    """A pair before and after rectification: each point's row is drawn across both views.

    Args:
      before: The views as they were taken, RGB.
      after: The same, rectified.
      points_before: `[n, 2]` pixels of the same points in both views.
      points_after: The same after rectification.
    """
    order = np.argsort(points_after[0][:, 1], kind="stable")
    if len(order) > _NUM_LINES:
        order = order[np.linspace(0, len(order) - 1, _NUM_LINES).astype(int)]
    rows = []
    for title, views, points in (
        ("before", before, points_before),
        ("after", after, points_after),
    ):
        miss_px = float(np.median(np.abs(points[0][:, 1] - points[1][:, 1]))) if len(order) else 0.0
        pair = _beside([_fitted(view) for view in views])
        scale = _PANEL_WIDTH_PX / views[0].shape[1]
        for number, index in enumerate(order):
            _draw_row(pair, points[0][index], points[1][index], scale, number)
        said = f"rows differ by {miss_px:.2f} px (median of {len(points[0])} points)"
        rows.append(_captioned(pair, f"{title}: {said}"))
    return _below(rows)


def draw_straightened(before: Image, after: Image) -> Image:
    """A single camera's picture before and after."""
    return _beside(
        [
            _captioned(_fitted(before), "before: as the lens draws it"),
            _captioned(_fitted(after), "after: straight lines are straight"),
        ]
    )


def _draw_row(
    pair: Image,
    left: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
    scale: float,
    number: int,
) -> None:
    color = _LINE_COLORS[number % len(_LINE_COLORS)]
    row = round((left[1] + 0.5) * scale)
    cv2.line(pair, (0, row), (pair.shape[1] - 1, row), color, 1, cv2.LINE_AA)
    for point, shift_px in ((left, 0), (right, _PANEL_WIDTH_PX + _GAP_PX)):
        where = (round((point[0] + 0.5) * scale) + shift_px, round((point[1] + 0.5) * scale))
        cv2.circle(pair, where, 5, color, 1, cv2.LINE_AA)


def _fitted(image: Image) -> Image:
    height_px = round(image.shape[0] * _PANEL_WIDTH_PX / image.shape[1])
    is_smaller = image.shape[1] > _PANEL_WIDTH_PX
    how = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (_PANEL_WIDTH_PX, height_px), interpolation=how), np.uint8)


def _captioned(image: Image, text: str) -> Image:
    strip = np.full((_CAPTION_PX, image.shape[1], 3), _DARK, np.uint8)
    cv2.putText(strip, text, (6, 18), _FONT, _FONT_SCALE, _WHITE, 1, cv2.LINE_AA)
    return np.concatenate([strip, image])


def _beside(images: Sequence[Image]) -> Image:
    height_px = max(len(image) for image in images)
    parts = []
    for image in images:
        padding = ((0, height_px - len(image)), (0, 0), (0, 0))
        parts += [np.pad(image, padding), np.full((height_px, _GAP_PX, 3), _DARK, np.uint8)]
    return np.concatenate(parts[:-1], axis=1)


def _below(images: Sequence[Image]) -> Image:
    gap = np.full((_GAP_PX, images[0].shape[1], 3), _DARK, np.uint8)
    return np.concatenate([part for image in images for part in (image, gap)][:-1])
