"""Video whose motion is known: a camera that looks along a painted wall and slides or stands."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mtdepth.data.video import Shot, VideoSource
from mtdepth.geometry.camera import Intrinsics
from mtdepth.pictures import write_png

SIZE = (64, 160)  # height, width of the pictures
CAMERA = Intrinsics(fx_px=120, fy_px=118, cx_px=83, cy_px=30, width_px=160, height_px=64)


def wall(seed: int = 0, *, width_px: int = 600) -> np.ndarray:
    """A smooth coloured texture `[64, width, 3]` uint8."""
    noise = np.random.default_rng(seed).normal(size=(SIZE[0], width_px, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return (255 * smooth).astype(np.uint8)


def pan(positions_px: Sequence[int], *, seed: int = 0) -> list[np.ndarray]:
    """Pictures of the wall from these columns on."""
    texture = wall(seed)
    return [texture[:, left : left + SIZE[1]] for left in positions_px]


def write_frames(folder: Path, pictures: Sequence[np.ndarray], *, first: int = 0) -> Path:
    """Writes pictures as 000000.png, ... and returns the folder."""
    for number, picture in enumerate(pictures, start=first):
        write_png(folder / f"{number:06d}.png", np.ascontiguousarray(picture))
    return folder


def shot_of(
    folder: Path, *, camera: Intrinsics = CAMERA, targets: Sequence[int] | None = None
) -> Shot:
    """A shot of a folder of `write_frames`."""
    files = {int(path.stem): path for path in sorted(folder.glob("*.png"))}
    return Shot(
        name=folder.name,
        files=files,
        titles={number: f"{folder.name} {number}" for number in files},
        camera=camera,
        calibration=folder / "camera.json",
        targets=tuple(files) if targets is None else tuple(targets),
    )


def source_of(*shots: Shot) -> VideoSource:
    """A source of shots."""
    return VideoSource(label=" ".join(shot.name for shot in shots), shots=shots)
