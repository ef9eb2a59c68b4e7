"""A picture of what a network is about to learn from: to be looked at before hours of training.

Each row is a triplet at the network's size, with where its points go in the next frame, the
principal point, and what was decided. A car that drives straight on shows arrows that point away
from one spot near the principal point.
"""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.contract import Fit
from mtdepth.data.motion import gray_picture, optical_flow
from mtdepth.data.triplets import Triplet, TripletSet
from mtdepth.data.video_batches import FrameReader
from mtdepth.data.video_intrinsics import field_of_view_deg
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.geometry.camera import Intrinsics
from mtdepth.pictures import write_png

Rgb = npt.NDArray[np.uint8]
Color = tuple[int, int, int]

_NUM_KEPT, _NUM_STATIC = 5, 2
_PICTURE_WIDTH_PX = 480
_LINE_PX, _MARGIN_PX, _TEXT_SCALE = 19, 8, 0.45
_ARROWS_ACROSS = 20
_KEPT: Color = (60, 220, 60)
_LEFT_OUT: Color = (240, 70, 60)
_CENTER: Color = (255, 220, 0)
_INK: Color = (20, 20, 20)


def write_preview(path: Path, triplets: TripletSet, *, fit: Fit) -> None:
    """Writes the picture.

    Args:
      path: A PNG.
      triplets: What is learned from.
      fit: How a picture becomes the network's input.

    Raises:
      FileNotFoundError: If a picture has vanished since the triplets were chosen.
      DataError: If one was damaged since.
    """
    write_png(path, preview(triplets, fit=fit))


def preview(triplets: TripletSet, *, fit: Fit) -> Rgb:
    """Draws some of what is learned from, and of what was left out as static, with the counts."""
    static = [triplet for selection in triplets.selections for triplet in selection.static]
    reader = FrameReader(size_px=triplets.size_px, fit=fit, cache_bytes=0)
    rows = [
        *(_text_lines(_counts(triplets))),
        *(_row(reader, it, "learned", _KEPT) for it in _some(triplets.triplets, _NUM_KEPT)),
        *(_row(reader, it, "left out, static", _LEFT_OUT) for it in _some(static, _NUM_STATIC)),
    ]
    return _stack(rows)


def _some(triplets: list[Triplet] | tuple[Triplet, ...], number: int) -> list[Triplet]:
    return evenly_spaced(triplets, number=number)


def _counts(triplets: TripletSet) -> list[str]:
    height_px, width_px = triplets.size_px
    return [
        f"network input {width_px}x{height_px} (width x height), frames {triplets.frame_step} "
        f"apart, least mean flow {triplets.min_flow_px:g} px; arrows: from t to t+"
        f"{triplets.frame_step}; cross: principal point",
        *(f"{selection.label}: {selection}" for selection in triplets.selections),
    ]


def _row(reader: FrameReader, triplet: Triplet, decision: str, color: Color) -> Rgb:
    frames, _, camera, name = reader.example(triplet)
    target = _with_arrows(frames[1], frames[2], color)
    shown = [_shown(frames[0], camera), _shown(target, camera), _shown(frames[2], camera)]
    flows = " and ".join(f"{flow_px:.2f}" for flow_px in triplet.flows_px)
    lines = [
        f"{name}: {decision}; frames {', '.join(map(str, triplet.numbers))}; mean flow {flows} px",
        f"at the calibration's size: {_in_words(triplet.shot.camera)}",
        f"at the network's size: {_in_words(camera)}",
    ]
    return _stack([np.concatenate(shown, axis=1), *_text_lines(lines, color=color)])


def _in_words(camera: Intrinsics) -> str:
    across_deg, down_deg = field_of_view_deg(camera)
    return (
        f"{camera.width_px}x{camera.height_px}, fx {camera.fx_px:.1f}, fy {camera.fy_px:.1f}, "
        f"cx {camera.cx_px:.1f}, cy {camera.cy_px:.1f} px; view {across_deg:.0f} x "
        f"{down_deg:.0f} degrees"
    )


def _with_arrows(first: Rgb, second: Rgb, color: Color) -> Rgb:
    """Draws where a grid of points goes, at true length."""
    size_px = (first.shape[0], first.shape[1])
    grays = [gray_picture(it, size_px=size_px, fit="stretch") for it in (first, second)]
    flow = optical_flow(grays[0], grays[1])
    drawn = np.ascontiguousarray(first)
    step_px = max(4, size_px[1] // _ARROWS_ACROSS)
    for v in range(step_px // 2, size_px[0], step_px):
        for u in range(step_px // 2, size_px[1], step_px):
            end = (round(u + float(flow[v, u, 0])), round(v + float(flow[v, u, 1])))
            cv2.arrowedLine(drawn, (u, v), end, color, 1, cv2.LINE_AA, tipLength=0.3)
    return drawn


def _shown(frame: Rgb, camera: Intrinsics) -> Rgb:
    """Scales a frame for the eye and marks the principal point."""
    scale = _PICTURE_WIDTH_PX / frame.shape[1]
    size = (_PICTURE_WIDTH_PX, round(frame.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    shown = cv2.resize(frame, size, interpolation=way)
    center = (round((camera.cx_px + 0.5) * scale - 0.5), round((camera.cy_px + 0.5) * scale - 0.5))
    cv2.drawMarker(shown, center, _CENTER, cv2.MARKER_CROSS, 14, 1, cv2.LINE_AA)
    return cv2.copyMakeBorder(shown, 0, 0, 0, 4, cv2.BORDER_CONSTANT, value=(255, 255, 255)).astype(
        np.uint8, copy=False
    )


def _text_lines(lines: list[str], *, color: Color = _INK) -> list[Rgb]:
    return [_text(line, color if place == 0 else _INK) for place, line in enumerate(lines)]


def _text(line: str, color: Color) -> Rgb:
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width_px, _), _ = cv2.getTextSize(line, font, _TEXT_SCALE, 1)
    picture = np.full((_LINE_PX, width_px + 2 * _MARGIN_PX, 3), 255, np.uint8)
    shade = tuple(int(0.7 * channel) for channel in color)
    at = (_MARGIN_PX, _LINE_PX - 6)
    cv2.putText(picture, line, at, font, _TEXT_SCALE, shade, 1, cv2.LINE_AA)
    return picture


def _stack(rows: list[Rgb]) -> Rgb:
    width_px = max(row.shape[1] for row in rows)
    return np.concatenate([_padded(row, width_px) for row in rows])


def _padded(row: Rgb, width_px: int) -> Rgb:
    missing_px = width_px - row.shape[1]
    return np.pad(row, ((0, 0), (0, missing_px), (0, 0)), constant_values=255)
