"""Saved predictions: a folder of pictures that any program can write and the evaluator scores.

Layout of a folder `D`, at the image's own size:

    D/<drive>/<0000000005>.png            depth, uint16, metres * 256, 0 = none predicted
    D/<drive>/<0000000005>_train_id.png   uint8 train ids, 255 = none; may be absent

Frames of the right camera lie in `D/<drive>/image_03/` under the same names.
"""

from pathlib import Path

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import (
    read_depth_png,
    read_train_id_png,
    write_depth_png,
    write_train_id_png,
)
from mtdepth.files import DataError
from mtdepth.runtime.pipeline import Prediction


class PredictionStore:
    """Reads and writes one folder of predictions."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def depth_path(self, frame: FrameId) -> Path:
        """Where a frame's depth lies."""
        return self._folder(frame) / f"{frame.name}.png"

    def train_id_path(self, frame: FrameId) -> Path:
        """Where a frame's train ids lie."""
        return self._folder(frame) / f"{frame.name}_train_id.png"

    def write(self, frame: FrameId, prediction: Prediction) -> None:
        """Writes one prediction, atomically; train ids of an earlier one do not outlive it."""
        if prediction.train_id is not None:
            write_train_id_png(self.train_id_path(frame), prediction.train_id)
        else:
            self.train_id_path(frame).unlink(missing_ok=True)
        write_depth_png(self.depth_path(frame), prediction.depth_m)

    def read(self, frame: FrameId) -> Prediction:
        """Reads one prediction: depth to within 1/512 m of what was written.

        Raises:
          FileNotFoundError: If there is none for the frame.
          DataError: If a file is damaged, or depth and train ids differ in size.
        """
        path = self.depth_path(frame)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: no prediction for frame {frame}; "
                "`python -m mtdepth.evaluate --save_predictions` writes such folders"
            )
        depth_m = read_depth_png(path)
        classes_path = self.train_id_path(frame)
        train_id = read_train_id_png(classes_path) if classes_path.is_file() else None
        if train_id is not None and train_id.shape != depth_m.shape:
            raise DataError(classes_path, f"is {train_id.shape} but {path} is {depth_m.shape}")
        return Prediction(depth_m, train_id)

    def _folder(self, frame: FrameId) -> Path:
        drive = self.root / frame.drive
        return drive if frame.side == "l" else drive / frame.camera
