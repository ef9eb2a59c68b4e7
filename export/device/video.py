"""The overlays as one video."""

from pathlib import Path

import cv2

from export.device.recording import Target, Writer
from export.device.result import Result
from export.device.sources import Image
from mtdepth.files import UserError
from mtdepth.runtime.film import ASSUMED_FPS

# Suffix and codec. Some builds of OpenCV have no encoder for the first; Motion JPEG is in all.
VIDEO_KINDS = ((".mp4", "mp4v"), (".avi", "MJPG"))
# A Matroska file that a killed program, or a pulled plug, left unfinished can be played up to its
# last seconds; of an MP4 file nothing can.
LIVE_VIDEO_KINDS = ((".mkv", "mp4v"), (".avi", "MJPG"))
# VP9 plays in a web browser, but takes too long to encode for a camera's pace.
BROWSER_VIDEO_KINDS = ((".mp4", "vp09"), *VIDEO_KINDS)
# A picture fills the gap before it in a live video, but no more of it than that.
_MAX_REPEATED = 250
# So many pictures are more than any encoder keeps back.
_FRAMES_PER_CHECK = 1500


def open_video(target: Target) -> "VideoWriter":
    """The video of a run, in a format that suits its source."""
    source = target.source
    # A folder's pictures may take their time; a video that is converted does not.
    of_files = BROWSER_VIDEO_KINDS if source.fps is None else VIDEO_KINDS
    return VideoWriter(
        target.folder,
        fps=target.video_fps or source.fps or ASSUMED_FPS,
        kinds=LIVE_VIDEO_KINDS if source.is_live else of_files,
        is_live=source.is_live,
    )


class VideoWriter(Writer):
    """Writes the overlays as `overlay.mp4`, or `.avi` where OpenCV cannot encode the former.

    The video is called `overlay_unfinished` until it is closed, and is removed where an error ended
    a run over files, so that a half one never looks whole. A camera's is always kept: it has no
    other end. What follows an interruption, or has another size, becomes `overlay_2`.

    Of a live source the time between the pictures counts, so that the video plays at their pace,
    and no file is replaced.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fps: float,
        kinds: tuple[tuple[str, str], ...] = VIDEO_KINDS,
        is_live: bool = False,
    ) -> None:
        self._folder, self._fps, self._kinds, self._is_live = folder, fps, kinds, is_live
        self._writer: cv2.VideoWriter | None = None
        self._size, self._path = (0, 0), folder
        self._start_s = 0.0
        self._num_written = self._num_checked = self._num_bytes = 0

    def write(self, result: Result) -> None:
        """Appends one result.

        Raises:
          UserError: If its picture, which is no live source's, has another size than the first.
          OSError: If no codec works, or nothing reaches the disk.
        """
        overlay = result.overlay
        if self._is_live and overlay.shape[:2] != self._size:
            self.close()  # the camera came back with another size
        if self._writer is None:
            self._writer = self._open(overlay)
            self._start_s = result.time_s
            self._num_written = self._num_checked = self._num_bytes = 0
        if overlay.shape[:2] != self._size:
            raise UserError(f"the video's pictures are {self._size}, got {overlay.shape[:2]}")
        overlay_bgr = cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR)
        for _ in range(self._num_due(result.time_s)):
            self._writer.write(overlay_bgr)
            self._num_written += 1
        self._check_growth()

    def close(self, *, is_kept: bool = True) -> None:
        """Finishes the file and gives it its name, or removes it."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        is_empty = not self._path.stat().st_size
        if is_empty or not (is_kept or self._is_live):
            self._path.unlink()
        else:
            self._path.replace(self._final_path(self._path.suffix))
        if is_empty:
            raise OSError(f"{self._path}: nothing of the video was written")

    def _check_growth(self) -> None:
        """OpenCV does not say that a disk, or its quota, takes no more."""
        if not self._is_live or self._num_written - self._num_checked < _FRAMES_PER_CHECK:
            return
        num_bytes = self._path.stat().st_size
        if num_bytes <= self._num_bytes:
            raise OSError(f"{self._path} does not grow any more: the disk takes nothing")
        self._num_checked, self._num_bytes = self._num_written, num_bytes

    def _final_path(self, suffix: str) -> Path:
        path = self._folder / f"overlay{suffix}"
        number = 2
        while self._is_live and path.exists():
            path = self._folder / f"overlay_{number}{suffix}"
            number += 1
        return path

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
            self._path = self._folder / f"overlay_unfinished{suffix}"
            if self._is_live and self._path.is_file() and self._path.stat().st_size:
                # Its disk did not even let it be given its name.
                self._path.replace(self._final_path(suffix))
            # Not by OpenCV, which does not say why a disk refuses.
            self._path.write_bytes(b"")
            fourcc = cv2.VideoWriter.fourcc(*codec)
            # Absolute: FFmpeg takes what stands before a colon for a protocol.
            name = str(self._path.absolute())
            writer = cv2.VideoWriter(name, fourcc, self._fps, (width_px, height_px))
            if writer.isOpened():
                return writer
            self._path.unlink(missing_ok=True)
        tried = " nor ".join(codec for _, codec in self._kinds)
        raise OSError(f"{self._folder}: this OpenCV can write neither {tried} videos")
