"""Where the true depth of a frame comes from, for each kind of truth that a protocol names."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import read_depth_png
from mtdepth.datasets.lidar import eigen_depth, project_to_depth
from mtdepth.datasets.recordings import Recordings
from mtdepth.files import DataError, UserError
from mtdepth.metrics.protocols import Truth

Floats = npt.NDArray[np.floating[Any]]

ANNOTATED_PARTS = ("train", "val")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TruthReader:
    """Reads or computes the true depth of a frame.

    Attributes:
      raw: The recordings.
      annotated_root: KITTI's `data_depth_annotated` folder, which holds `train` and `val`; None
        where there is none.
    """

    raw: Recordings
    annotated_root: Path | None = None

    def read(
        self, truth: Truth, frame: FrameId, *, size: tuple[int, int], label_depth_m: Floats | None
    ) -> Floats:
        """Returns the true depth of a frame.

        Args:
          truth: Which.
          frame: The frame.
          size: (height, width) of its picture.
          label_depth_m: The label store's depth, for a protocol against labels.

        Returns:
          `[height, width]` metres, 0 where unmeasured.

        Raises:
          FileNotFoundError: If the sweep or the depth map is missing.
          DataError: If it is damaged or of another size.
          UserError: If a source that the truth needs was not given.
        """
        if truth == "lidar_eigen":
            if not self.raw.layout.lidar_z_is_up:
                raise UserError(
                    "protocols eigen_* take the scanner's x, which is known to point forward in "
                    "KITTI's layout alone; take --protocol camera_z_garg_80m"
                )
            return self._lidar(eigen_depth, frame, size=size)
        if truth == "lidar_camera_z":
            return self._lidar(project_to_depth, frame, size=size)
        if truth == "annotated":
            return self._annotated(frame, size=size)
        if label_depth_m is None:
            raise UserError("a protocol against labels needs a label store; give --labels")
        return label_depth_m

    def _lidar(
        self, project: Callable[..., Floats], frame: FrameId, *, size: tuple[int, int]
    ) -> Floats:
        return project(self.raw.read_sweep(frame), self.raw.rig(frame), side=frame.side, size=size)

    def _annotated(self, frame: FrameId, *, size: tuple[int, int]) -> Floats:
        if self.annotated_root is None:
            raise UserError(
                "a protocol against annotated depth needs KITTI's data_depth_annotated folder; "
                "give --annotated_root"
            )
        inside = Path(frame.drive, "proj_depth", "groundtruth", frame.camera, f"{frame.name}.png")
        paths = [self.annotated_root / part / inside for part in ANNOTATED_PARTS]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise FileNotFoundError(
                f"{paths[0]}: no annotated depth (nor under {'/'.join(ANNOTATED_PARTS[1:])}); "
                "KITTI has none for the first and last five frames of a drive"
            )
        depth_m = read_depth_png(path)
        if depth_m.shape != size:
            raise DataError(path, f"is {depth_m.shape} but its picture is {size} (height, width)")
        return depth_m
