"""The overlays as one video."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from export.device.result import Result

Image = npt.NDArray[np.uint8]

# Suffix and codec. Some builds of OpenCV have no encoder for the first; Motion JPEG is in all.
VIDEO_KINDS = ((".mp4", "mp4v"), (".avi", "MJPG"))
# VP9 plays in a web browser, but takes too long to encode for a camera's pace.
BROWSER_VIDEO_KINDS = ((".mp4", "vp09"), *VIDEO_KINDS)
# A picture fills the gap before it in a live video, but no more of it than that.
_MAX_REPEATED = 250


class VideoWriter:
    """Writes the overlays as `overlay.mp4`, or `.avi` where OpenCV cannot encode the former.

    The video carries a temporary name until it is closed, and is removed where the run ended in an
    error, so that a half one never looks whole. One that the user stopped is kept: a camera's
    video has no other end.

    Args:
      folder: Where to.
      fps: Pictures a second.
      kinds: Suffixes and codecs to try.
      is_live: Whether the time between results counts, so that the video plays at their pace.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fps: float,
        kinds: tuple[tuple[str, str], ...] = VIDEO_KINDS,
        is_live: bool = False,
    ) -> None:
        self._folder = folder
        self._fps = fps
        self._kinds = kinds
        self._is_live = is_live
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._path = folder
        self._start_s = 0.0
        self._num_written = 0

    def write(self, result: Result) -> None:
        """Appends one result.

        Raises:
          ValueError: If its picture has another size than the first.
          OSError: If no codec works.
        """
        overlay = result.overlay
        if self._writer is None:
            self._writer = self._open(overlay)
            self._start_s = result.time_s
        if overlay.shape[:2] != self._size:
            raise ValueError(f"the video's pictures are {self._size}, got {overlay.shape[:2]}")
        overlay_bgr = cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR)
        for _ in range(self._num_due(result.time_s)):
            self._writer.write(overlay_bgr)
            self._num_written += 1

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

    def _num_due(self, time_s: float) -> int:
        if not self._is_live:
            return 1
        due = round((time_s - self._start_s) * self._fps) + 1 - self._num_written
        if due > _MAX_REPEATED:
            # The rest of the gap is left out, not made up for by the pictures that follow.
            self._start_s += (due - _MAX_REPEATED) / self._fps
        return min(max(due, 0), _MAX_REPEATED)

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
