"""Depth and classes of photos, arrays and films, from Python.

from mtdepth import Predictor
seen = Predictor()("photo.jpg")
seen.depth_m, seen.train_id, seen.in_words
seen.show(); seen.save("seen")
"""

import contextlib
import dataclasses
import logging
import math
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mtdepth.datasets.camera_file import open_camera
from mtdepth.datasets.plausible import check_focal
from mtdepth.files import UserError
from mtdepth.geometry.camera import Intrinsics, check_one_lens, field_deg, focal_of_field
from mtdepth.geometry.lens import KnownCamera, Straightener
from mtdepth.pictures import read_rgb
from mtdepth.predictor import open_predictor
from mtdepth.pretrained.names import PRETRAINED
from mtdepth.runtime import picture_files
from mtdepth.runtime.film import Film
from mtdepth.runtime.seen import Seen

_LOG = logging.getLogger(__name__)

Image = npt.NDArray[np.uint8]
Camera = Intrinsics | KnownCamera | Path | str

# A picture of 36 x 24 mm; "35 mm equivalent" compares diagonals (CIPA DCG-001).
_FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)
_EXIF_FOLDER, _EXIF_FOCAL_35MM = 0x8769, 0xA405


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeenPhoto(Seen):
    """What a network says of one picture.

    Attributes:
      name: Of the picture.
      scale_note: What its metres rest on.
    """

    name: str
    scale_note: str

    @property
    def depth_m(self) -> npt.NDArray[np.float32]:
        """`[height, width]` along the optical axis; 0 where nothing was predicted."""
        return self.prediction.depth_m

    @property
    def train_id(self) -> Image | None:
        """`[height, width]` of 0..18, 255 where nothing was predicted; None without classes."""
        return self.prediction.train_id

    @property
    def in_words(self) -> str:
        """One sentence: the nearest obstacle, and what the metres rest on."""
        flat = "; all depths are nearly alike: is this a picture?" if self.is_flat else ""
        return f"{self.nearest_in_words}; {self.scale_note}{flat}"

    def points(self) -> npt.NDArray[np.void]:
        """`[n]` records x, y, z, red, green, blue, class in the camera's frame, without sky.

        Raises:
          UserError: If the camera is not known.
        """
        if self.camera is None:
            raise UserError("points need the camera: give focal_px=, fov_deg= or camera=")
        return picture_files.points_of(self.image_rgb, self.prediction, self.camera)

    def save(self, folder: Path | str, *, write: Iterable[str] = ("overlay", "depth")) -> Path:
        """Writes `<name>_overlay.png`, `<name>_depth.png` and so on.

        Args:
          folder: Made where it is missing.
          write: Of `overlay`, `depth` (uint16, metres * 256), `classes`, `npz` and `ply`.

        Returns:
          The folder.

        Raises:
          UserError: For another word, or a cloud without a camera.
        """
        if unknown := set(write) - set(picture_files.WRITERS):
            words = ", ".join(picture_files.WRITERS)
            raise UserError(f"write: one of {words}, got {', '.join(sorted(unknown))}")
        Path(folder).mkdir(parents=True, exist_ok=True)
        for kind in write:
            picture_files.WRITERS[kind](Path(folder) / self.name, self)
        return Path(folder)

    def show(self) -> None:
        """Shows all panels in a window, or below a notebook's cell."""
        from matplotlib import pyplot

        height_px, width_px = self.overlay.shape[:2]
        figure = pyplot.figure(figsize=(12, 12 * height_px / width_px))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(self.overlay)
        axes.set_axis_off()
        pyplot.show()

    def _repr_jpeg_(self) -> bytes:
        # A tenth of a PNG's bytes, which a notebook keeps.
        return bytes(cv2.imencode(".jpg", cv2.cvtColor(self.overlay, cv2.COLOR_RGB2BGR))[1])

    def __repr__(self) -> str:
        height_px, width_px = self.depth_m.shape
        return f"<{self.name}, {width_px}x{height_px} px: {self.in_words}>"


class Predictor:
    """A network that is ready for pictures of any size.

    Args:
      model: What comes with mtdepth (`pretrained`, `pretrained:NAME`), a workdir of
        `mtdepth train`, or a `.tflite` or `.onnx` file.
      size: L, M, S or XS where it has several; None for the largest.
      num_threads: Of an exported file's interpreter.
      focal_px, fov_deg, camera: Of all pictures, as in a call.

    Raises:
      FileNotFoundError, DataError, UserError: If it cannot be opened.
    """

    def __init__(
        self,
        model: Path | str = PRETRAINED,
        *,
        size: str | None = None,
        num_threads: int = 2,
        focal_px: float | None = None,
        fov_deg: float | None = None,
        camera: Camera | None = None,
    ) -> None:
        self._pipeline = open_predictor(model, decoder=size, num_threads=num_threads)
        self._lens = {"focal_px": focal_px, "fov_deg": fov_deg, "camera": _opened(camera)}
        self._straighteners: dict[KnownCamera, Straightener] = {}

    @property
    def file(self) -> Path:
        """What the network was read from."""
        return self._pipeline.backend.file

    def __call__(
        self,
        picture: Any,
        *,
        name: str | None = None,
        focal_px: float | None = None,
        fov_deg: float | None = None,
        camera: Camera | None = None,
    ) -> SeenPhoto:
        """Predicts depth and classes of one picture.

        Args:
          picture: A path; an RGB array `[height, width, 3]` of uint8, or of floats in 0..1; a
            PIL image; a tensor `[3, height, width]` or `[height, width, 3]` of one of these.
          name: How its files begin; None for the file's own.
          focal_px: Focal length in the picture's pixels.
          fov_deg: Or the horizontal field of view.
          camera: Or full intrinsics, of any size of its shape; a `Lens` or a camera file, whose
            distortion is taken out of the picture; or a name such as `pi-v2`.

        Without any of the three a file's EXIF is asked for its 35 mm equivalent focal length; where
        that is not told, the lens is taken to show as much as the training camera's.

        Raises:
          FileNotFoundError, DataError: If a file cannot be read.
          UserError: If it is no picture, or no lens.
        """
        lens: dict[str, Any] = {"focal_px": focal_px, "fov_deg": fov_deg, "camera": camera}
        if all(value is None for value in lens.values()):
            lens = dict(self._lens)
        image_rgb, path = as_rgb(picture)
        image_rgb, lens["camera"] = self._straightened(image_rgb, lens["camera"])
        known, note = camera_of(image_rgb.shape[:2], path=path, **lens)
        return self._seen(image_rgb, known, note, name=name or (path.stem if path else "picture"))

    def batch(self, pictures: Iterable[Any], **lens: Any) -> Iterator[SeenPhoto]:
        """One answer for each picture, in order; see a call."""
        return (self(picture, **lens) for picture in pictures)

    def video(self, path: Path | str, **lens: Any) -> Iterator[SeenPhoto]:
        """One answer for each frame of a film, named by its number; says so if frames are missing.

        Raises:
          FileNotFoundError, DataError: If it is no film.
        """
        film = Film(Path(path))
        for frame in film.frames():
            yield self(frame.image_rgb, name=f"{frame.number:06d}", **lens)
        if film.shortage:
            _LOG.warning("%s %s", path, film.shortage)

    def _straightened(
        self, image_rgb: Image, camera: Camera | None
    ) -> tuple[Image, Intrinsics | None]:
        """A picture without distortion, and its pinhole; the maps of a camera are kept."""
        camera = _opened(camera)
        if camera is None or isinstance(camera, Intrinsics):
            return image_rgb, camera
        if camera not in self._straighteners:
            self._straighteners[camera] = Straightener(camera)
        straightener = self._straighteners[camera]
        image_rgb = straightener.picture(image_rgb)
        return image_rgb, straightener.camera((image_rgb.shape[0], image_rgb.shape[1]))

    def _seen(
        self, image_rgb: Image, camera: Intrinsics | None, note: str, *, name: str
    ) -> SeenPhoto:
        backend = self._pipeline.backend
        training = backend.training_camera
        if not backend.is_metric:
            note = "depth is relative, without a unit"
        elif camera is None and training is not None:
            height_px, width_px = image_rgb.shape[:2]
            degrees = field_deg(training.fx_px, width_px=training.width_px)
            note = f"metres as if the lens showed {degrees:.0f} degrees across: {note}"
            focal_px = focal_of_field(degrees, width_px=width_px)
            camera = Intrinsics.centred(focal_px, width_px=width_px, height_px=height_px)
        prediction = self._pipeline.predict(image_rgb, camera=camera)
        return SeenPhoto(
            image_rgb=image_rgb,
            prediction=prediction,
            camera=camera,
            valid_m=(backend.codec.near_m, backend.codec.far_m),
            is_metric=backend.is_metric,
            name=name,
            scale_note=note,
        )


def _opened(camera: Camera | None) -> Intrinsics | KnownCamera | None:
    return open_camera(camera) if isinstance(camera, str | Path) else camera


def camera_of(
    image_size: tuple[int, int],
    *,
    path: Path | None = None,
    focal_px: float | None = None,
    fov_deg: float | None = None,
    camera: Intrinsics | None = None,
) -> tuple[Intrinsics | None, str]:
    """The camera of a picture, from what is given or the file's EXIF, and where it comes from.

    Args:
      image_size: (height, width).
      path: Of the file, where there is one.
      focal_px: In the picture's pixels; of these three at most one is given.
      fov_deg: Across.
      camera: Of any size of the picture's shape.

    Raises:
      UserError: If two are given, or no lens has it.
    """
    height_px, width_px = image_size
    check_one_lens(focal_px, fov_deg, camera)
    if camera is not None:
        rescaled = camera.rescaled(width_px=width_px, height_px=height_px)
        return rescaled, "scale from the camera that was given"
    note = f"scale from the focal length of {focal_px:g} px" if focal_px is not None else ""
    if fov_deg is not None:
        focal_px = focal_of_field(fov_deg, width_px=width_px)
        note = f"scale from the field of view of {fov_deg:g} degrees"
    if focal_px is None and path is not None and (focal_mm := exif_focal_35mm(path)):
        focal_px = focal_mm * math.hypot(*image_size) / _FULL_FRAME_DIAGONAL_MM
        note = f"scale from EXIF (as {focal_mm:g} mm on 35 mm film)"
    if focal_px is None:
        return None, "no focal length was given, and the file tells none"
    check_focal(focal_px, width_px=width_px, source=note.removeprefix("scale from the "))
    return Intrinsics.centred(focal_px, width_px=width_px, height_px=height_px), note


def exif_focal_35mm(path: Path) -> float | None:
    """The 35 mm equivalent focal length that a photo's EXIF tells, mm; None where it does not."""
    try:
        from PIL import Image as PillowImage
    except ImportError:  # a board without it
        return None
    # What is written there by thousands of cameras and programs is not always what it should be.
    wrong = (OSError, ValueError, TypeError, SyntaxError, KeyError, IndexError)
    with contextlib.suppress(*wrong), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with PillowImage.open(path) as image:
            focal_mm = float(image.getexif().get_ifd(_EXIF_FOLDER)[_EXIF_FOCAL_35MM])
        return focal_mm if 0 < focal_mm < math.inf else None
    return None


def as_rgb(picture: Any) -> tuple[Image, Path | None]:
    """A picture of any kind as `[height, width, 3]` RGB uint8, and its path if it has one.

    Args:
      picture: See `Predictor.__call__`.

    Raises:
      FileNotFoundError, DataError: If it is a file that cannot be read.
      UserError: If it is no picture.
    """
    if isinstance(picture, str | Path):
        return read_rgb(Path(picture)), Path(picture)
    if hasattr(picture, "convert"):  # PIL
        picture = picture.convert("RGB")
    if hasattr(picture, "detach"):  # torch
        picture = picture.detach().cpu()
    array = np.asarray(picture)
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise UserError(f"a picture is [height, width, 3] RGB, got shape {array.shape}")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array), None
    if not np.issubdtype(array.dtype, np.floating):
        raise UserError(f"a picture is of uint8, or of floats in 0..1; got {array.dtype}")
    if not (array.min() >= 0 and array.max() <= 1):
        raise UserError(f"floats of a picture are in 0..1, got {array.min():g} to {array.max():g}")
    return np.rint(array * 255).astype(np.uint8), None
