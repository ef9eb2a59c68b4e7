"""How much a video moves between two frames: mean optical flow, measured once and kept.

Self-supervision learns nothing from a camera that stands, and what moves with it would be learned
as infinitely far. The flow is OpenCV's dense inverse search (Kroeger et al. 2016), between grey
pictures of the network's input size, so that "under one pixel" is a pixel of the network's.
"""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tqdm

from mtdepth.contract import Fit
from mtdepth.data.loader import num_processors, one_opencv_thread
from mtdepth.data.video import Shot
from mtdepth.files import DataError, is_there, read_json, write_json
from mtdepth.runtime.fitting import fit_image

Pair = tuple[int, int]
Gray = npt.NDArray[np.uint8]
Flow = npt.NDArray[np.float32]

# In the key of what is kept: another way of measuring has another name.
_METHOD = "dis-fast-3"
_AGREEMENT_WIDTH_PX = 320
_CHUNK_FRAMES = 64  # decoded at a time
_MISS_PX, _MISS_SHARE = 1.0, 0.1  # ours: two searches of one scene miss each other by less


@dataclasses.dataclass(frozen=True)
class Motion:
    """What was measured in a shot.

    Attributes:
      flow_px: Mean length of the flow between two frames, in pixels of the network's input size.
      agreement: Share of the pixels that the two pictures have in common; low at a cut.
      unreadable: Why a frame could not be used; its pairs are in neither of the others.
    """

    flow_px: dict[Pair, float]
    agreement: dict[Pair, float]
    unreadable: dict[int, str]


def measure_motion(
    shot: Shot, pairs: Sequence[Pair], *, size_px: tuple[int, int], fit: Fit, cache_dir: Path
) -> Motion:
    """Measures the motion between pairs of a shot's frames, or takes what was measured before.

    Args:
      shot: The frames.
      pairs: Ascending numbers of two frames each; no two pairs end in the same frame.
      size_px: (height, width) of the network's input.
      fit: How a picture becomes that input.
      cache_dir: Where the result is kept, under a name made of all that it depends on.
    """
    pairs = sorted(set(pairs))
    if not pairs:
        return Motion({}, {}, {})
    key = hashlib.sha256(f"{_METHOD} {shot.digest} {size_px} {fit} {pairs}".encode()).hexdigest()
    path = cache_dir / f"motion-{key[:24]}.json"
    if is_there(path) and (known := _read(path, pairs)) is not None:
        return known
    motion = _measure(shot, pairs, size_px=size_px, fit=fit)
    write_json(path, _to_json(shot, pairs, motion))
    return motion


def gray_picture(image: npt.NDArray[np.uint8], *, size_px: tuple[int, int], fit: Fit) -> Gray:
    """Brings a picture to what the flow is measured on: grey, of the network's size."""
    fitted = fit_image(image, size=size_px, fit=fit)
    return cv2.cvtColor(fitted, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def optical_flow(first: Gray, second: Gray) -> Flow:
    """Returns where each pixel of `first` is in `second`: `[height, width, 2]`, (right, down)."""
    # One object per call: it keeps buffers, which threads must not share.
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return np.asarray(search.calc(first, second, None), np.float32)


def mean_length_px(flow: Flow) -> float:
    """Returns the mean length of a flow's vectors."""
    return float(np.linalg.norm(flow, axis=-1).mean())


def agreeing_share(first: Gray, second: Gray, forward: Flow, backward: Flow) -> float:
    """Share of the pixels that two pictures have in common.

    Where the second picture shows the same scene, most pixels come back by the flow there and back
    to where they were, and meet their own brightness there, also in fast drives. Where it does
    not, what either search finds is chance.

    Args:
      first: `[height, width]`.
      second: Likewise.
      forward: `[height, width, 2]` from the first picture to the second.
      backward: From the second to the first.
    """
    height_px, width_px = first.shape
    columns, rows = np.meshgrid(
        np.arange(width_px, dtype=np.float32), np.arange(height_px, dtype=np.float32)
    )
    columns += forward[..., 0]
    rows += forward[..., 1]
    back, met = (
        cv2.remap(it, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for it in (backward, second)
    )
    missed_px = np.linalg.norm(forward + back, axis=-1)
    allowed_px = _MISS_PX + _MISS_SHARE * np.linalg.norm(forward, axis=-1)
    # Around the means: the exposure may change between two frames.
    difference = np.abs((first - first.mean()) - (met - met.mean()))
    return float(((missed_px < allowed_px) & (difference <= 0.5 * first.std())).mean())


def _measure(shot: Shot, pairs: Sequence[Pair], *, size_px: tuple[int, int], fit: Fit) -> Motion:
    motion = Motion({}, {}, {})
    first_of = {second: first for first, second in pairs}
    numbers = sorted({number for pair in pairs for number in pair})
    # A grey picture is kept for as long as a later frame is compared to it.
    reach = max((second - first for first, second in pairs), default=0)
    grays: dict[int, Gray] = {}
    with (
        one_opencv_thread(),
        ThreadPoolExecutor(num_processors()) as pool,
        tqdm.tqdm(total=len(numbers), unit="frame", desc=f"motion {shot.name}", leave=False) as bar,
    ):
        for chunk in _chunks(numbers):
            read = pool.map(lambda number: _read_gray(shot, number, size_px, fit), chunk)
            for number, gray in zip(chunk, read, strict=True):
                if isinstance(gray, str):
                    motion.unreadable[number] = gray
                else:
                    grays[number] = gray
            ends = [end for end in chunk if end in grays and first_of.get(end) in grays]
            beginnings = [grays[first_of[end]] for end in ends]
            results = pool.map(_compare, beginnings, [grays[end] for end in ends])
            for end, (flow_px, agreement) in zip(ends, results, strict=True):
                pair = (first_of[end], end)
                motion.flow_px[pair], motion.agreement[pair] = flow_px, agreement
            grays = {number: gray for number, gray in grays.items() if number > chunk[-1] - reach}
            bar.update(len(chunk))
    return motion


def _read_gray(shot: Shot, number: int, size_px: tuple[int, int], fit: Fit) -> Gray | str:
    try:
        image = shot.read(number)
    except (DataError, FileNotFoundError) as error:
        return str(error)
    if image.shape[:2] != shot.size:
        here, there = image.shape[:2], shot.size
        return f"{shot.files[number]}: is {here} (height, width), the other frames are {there}"
    return gray_picture(image, size_px=size_px, fit=fit)


def _compare(first: Gray, second: Gray) -> tuple[float, float]:
    length_px = mean_length_px(optical_flow(first, second))
    # A cut is seen at any size, so the way back need not cost as much.
    a, b = (_at_most(gray, width_px=_AGREEMENT_WIDTH_PX) for gray in (first, second))
    share = agreeing_share(a, b, optical_flow(a, b), optical_flow(b, a))
    return round(length_px, 4), round(share, 4)


def _at_most(gray: Gray, *, width_px: int) -> Gray:
    scale = width_px / gray.shape[1]
    if scale >= 1:
        return gray
    size = (width_px, max(1, round(gray.shape[0] * scale)))
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _chunks(numbers: Sequence[int]) -> Iterator[tuple[int, ...]]:
    iterator = iter(numbers)
    while chunk := tuple(itertools.islice(iterator, _CHUNK_FRAMES)):
        yield chunk


def _to_json(shot: Shot, pairs: Sequence[Pair], motion: Motion) -> dict[str, Any]:
    return {
        "shot": shot.name,
        "pairs": [[*pair, motion.flow_px.get(pair), motion.agreement.get(pair)] for pair in pairs],
        "unreadable": {str(number): why for number, why in motion.unreadable.items()},
    }


def _read(path: Path, pairs: Sequence[Pair]) -> Motion | None:
    """Reads what was kept; None where it is damaged, for then it is measured again."""
    try:
        content = read_json(path)
        rows = [(a, b, flow, agreement) for a, b, flow, agreement in content["pairs"]]
        measured = {(a, b): (flow, share) for a, b, flow, share in rows if flow is not None}
        unreadable = {int(number): why for number, why in content["unreadable"].items()}
    except (AttributeError, DataError, KeyError, TypeError, ValueError):
        return None
    is_right = (
        [(a, b) for a, b, _, _ in rows] == list(pairs)
        and all(
            type(flow) is type(share) is float and flow >= 0 and 0 <= share <= 1
            for flow, share in measured.values()
        )
        and all(isinstance(why, str) for why in unreadable.values())
    )
    if not is_right:
        return None
    return Motion(
        flow_px={pair: flow for pair, (flow, _) in measured.items()},
        agreement={pair: share for pair, (_, share) in measured.items()},
        unreadable=unreadable,
    )
