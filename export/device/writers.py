"""Where results go: pictures beside each other in a folder, or one video."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.files import write_png
from mtdepth.kitti.label_store import write_depth_png
from mtdepth.runtime.pipeline import Prediction

Image = npt.NDArray[np.uint8]

# Suffix and codec. Some builds of OpenCV have no encoder for the first; Motion JPEG is in all.
VIDEO_KINDS = ((".mp4", "mp4v"), (".avi", "MJPG"))
# VP9 plays in a web browser, but takes too long to encode for a camera's pace.
BROWSER_VIDEO_KINDS = ((".mp4", "vp09"), *VIDEO_KINDS)


class PictureWriter:
    """Writes `<name>_overlay.png` and `<name>_depth.png` (uint16, metres * 256, 0 = nothing)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, overlay: Image, prediction: Prediction) -> None:
        """Writes one frame."""
        write_png(self._folder / f"{name}_overlay.png", overlay)
        write_depth_png(self._folder / f"{name}_depth.png", prediction.depth_m)

    def close(self, *, is_kept: bool = True) -> None:
        """Nothing is left open, and every picture is whole by itself."""
        del is_kept


class VideoWriter:
    """Writes the overlays as `overlay.mp4`, or `.avi` where OpenCV cannot encode the former.

    The video carries a temporary name until it is closed, and is removed where the run ended in an
    error, so that a half one never looks whole. One that the user stopped is kept: a camera's
    video has no other end.
    """

    def __init__(
        self, folder: Path, *, fps: float, kinds: tuple[tuple[str, str], ...] = VIDEO_KINDS
    ) -> None:
        self._folder = folder
        self._fps = fps
        self._kinds = kinds
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._path = folder

    def write(self, name: str, overlay: Image, prediction: Prediction) -> None:
        """Appends one frame.

        Raises:
          ValueError: If it has another size than the first.
          OSError: If no codec works.
        """
        del name, prediction
        if self._writer is None:
            self._writer = self._open(overlay)
        if overlay.shape[:2] != self._size:
            raise ValueError(f"the video's pictures are {self._size}, got {overlay.shape[:2]}")
        self._writer.write(cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR))

    def close(self, *, is_kept: bool = True) -> None:
        """Finishes the file and gives it its name, or removes it."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        if is_kept:
            self._path.replace(self._path.with_name(self._path.name.removeprefix(".")))
        else:
            self._path.unlink()

    def _open(self, overlay: Image) -> cv2.VideoWriter:
        height_px, width_px = overlay.shape[:2]
        self._size = (height_px, width_px)
        self._folder.mkdir(parents=True, exist_ok=True)
        for suffix, codec in self._kinds:
            self._path = self._folder / f".overlay{suffix}"
            fourcc = cv2.VideoWriter.fourcc(*codec)
            writer = cv2.VideoWriter(str(self._path), fourcc, self._fps, (width_px, height_px))
            if writer.isOpened():
                return writer
            self._path.unlink(missing_ok=True)
        tried = " nor ".join(codec for _, codec in self._kinds)
        raise OSError(f"{self._folder}: this OpenCV can write neither {tried} videos")
