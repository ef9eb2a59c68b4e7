"""An RGB picture of any size in; metres and class ids at that size out, whatever the back end."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mtdepth.contract import Fit
from mtdepth.datasets.plausible import check_focal
from mtdepth.geometry.camera import Intrinsics, depth_for_focal
from mtdepth.geometry.depth_codec import DepthCodec
from mtdepth.runtime.fitting import (
    PictureFit,
    fit_image,
    fitted_intrinsics,
    mirrored_inset,
    restore_depth,
    restore_train_id,
)

# The device has no absl; its handler receives these messages where it is installed.
_LOG = logging.getLogger(__name__)

# A picture that is squeezed by more, against those of the training, shows the network other shapes.
MAX_SQUEEZE = 1.05
_WORTH_A_WORD = 1.25  # ours: a picture squeezed by less loses little of its size between mirrors


@dataclass(frozen=True)
class NetworkOutput:
    """What a back end returns, at the network's output size.

    Args:
      depth_m: `[height, width]` float32, positive, for the training camera.
      train_id: `[height, width]` uint8 in 0..18, or None without segmentation.
    """

    depth_m: npt.NDArray[np.float32]
    train_id: npt.NDArray[np.uint8] | None


@dataclass(frozen=True)
class Prediction:
    """What a picture shows, at the picture's size.

    Args:
      depth_m: `[height, width]` float32; 0 where the picture was cropped away.
      train_id: `[height, width]` uint8 in 0..18, 255 where cropped away, or None.
    """

    depth_m: npt.NDArray[np.float32]
    train_id: npt.NDArray[np.uint8] | None


class Backend(Protocol):
    """A network that is ready to run, with what travels with it."""

    @property
    def file(self) -> Path:
        """It was read from: of weights, or an exported one."""

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width)."""

    @property
    def fit(self) -> Fit:
        """How a picture is brought to `input_size`."""

    @property
    def codec(self) -> DepthCodec:
        """Its depth law."""

    @property
    def training_camera(self) -> Intrinsics | None:
        """At `input_size`; None where unknown."""

    @property
    def is_metric(self) -> bool:
        """Whether its depth has a unit."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """`("depth",)` or `("depth", "segmentation")`."""

    def identity(self) -> dict[str, Any]:
        """Which network it is, as results say it."""

    def infer(self, image: npt.NDArray[np.uint8]) -> NetworkOutput:
        """Runs the network on a fitted RGB picture `[height, width, 3]`."""


class Pipeline:
    """Pictures to predictions.

    `predict` is the whole way; `prepare` and `restore` are its ends, for callers that time or
    schedule the stages themselves.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._has_warned_of_scale = False
        self._has_warned_of_aspect = False
        self._has_warned_of_shape = False

    def predict(
        self, image_rgb: npt.NDArray[np.uint8], *, camera: Intrinsics | None = None
    ) -> Prediction:
        """Predicts depth and classes of one picture.

        Args:
          image_rgb: `[height, width, 3]`.
          camera: That took it, at its size. Depth is rescaled for its focal length; without one,
            depth is in metres only for a camera like the training one, which is warned of once.

        Raises:
          ValueError: If `camera` is of another size than the picture.
          UserError: If no lens has its focal length.
        """
        output = self.backend.infer(self.prepare(image_rgb))
        return self.restore(output, image_size=image_rgb.shape[:2], camera=camera)

    def prepare(self, image_rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The picture as the network takes it."""
        fit = self.fit_of(image_rgb.shape[:2])
        return fit_image(image_rgb, size=self.backend.input_size, fit=fit)

    def fit_of(self, image_size: tuple[int, int]) -> PictureFit:
        """How a picture of this (height, width) is brought to the network's input.

        As in training, unless that squeezes it as it squeezed none there: then as `mirror`, if that
        shows its shapes truer. Of rendered streets in 4:3, 16:9 and 2.5:1, cut from the same
        pictures, a network of 3.25:1 so has an Abs Rel of 0.17, 0.18 and 0.20; stretched 0.44, 0.34
        and 0.25, the metres too far by 40, 26 and 11 %.
        """
        fit, training = self.backend.fit, self.backend.training_camera
        if fit != "stretch" or training is None or not self.backend.is_metric:
            return fit
        height_px, width_px = self.backend.input_size
        trained = training.fx_px / training.fy_px
        stretched = (width_px / image_size[1]) / (height_px / image_size[0])
        squeeze = _squeeze(stretched, trained)
        return "mirror" if squeeze > max(MAX_SQUEEZE, _squeeze(1.0, trained)) else fit

    def restore(
        self, output: NetworkOutput, *, image_size: tuple[int, int], camera: Intrinsics | None
    ) -> Prediction:
        """The network's output as metres and classes of the picture; see `predict`."""
        fit = self.fit_of(image_size)
        depth_m = self._for_camera(output.depth_m, image_size=image_size, camera=camera, fit=fit)
        train_id = output.train_id
        if train_id is not None:
            train_id = restore_train_id(train_id, image_size=image_size, fit=fit)
        if self.backend.codec.enlarges_inverse:
            inverse = restore_depth(np.float32(1) / depth_m, image_size=image_size, fit=fit)
            # 0 where the picture was cropped away, there as here.
            depth_m = np.divide(1, inverse, out=np.zeros_like(inverse), where=inverse > 0)
        else:
            depth_m = restore_depth(depth_m, image_size=image_size, fit=fit)
        return Prediction(depth_m, train_id)

    def _for_camera(
        self,
        depth_m: npt.NDArray[np.float32],
        *,
        image_size: tuple[int, int],
        camera: Intrinsics | None,
        fit: PictureFit,
    ) -> npt.NDArray[np.float32]:
        if camera is not None and (camera.height_px, camera.width_px) != image_size:
            raise ValueError(
                f"the camera is for {camera.height_px}x{camera.width_px} (height x width) "
                f"but the picture is {image_size[0]}x{image_size[1]}; use camera.resized"
            )
        if camera is not None:
            check_focal(camera.fx_px, width_px=camera.width_px, source="camera")
        training = self.backend.training_camera
        if not self.backend.is_metric:
            self._warn_of_no_scale()
            return depth_m
        if training is None or camera is None:
            self._warn_of_scale(training)
            return depth_m
        fitted = fitted_intrinsics(camera, size=self.backend.input_size, fit=fit)
        if fit == "mirror":
            self._warn_of_shape(image_size)
        self._check_aspect(fitted, training)
        return depth_for_focal(depth_m, from_px=training.focal_px, to_px=fitted.focal_px)

    def _warn_of_no_scale(self) -> None:
        if not self._has_warned_of_scale:
            self._has_warned_of_scale = True
            _LOG.warning(
                "the model's depth is relative, without a unit: it was learned from video and no "
                "scale was given (`python -m mtdepth.metric_scale`)"
            )

    def _warn_of_scale(self, training: Intrinsics | None) -> None:
        if self._has_warned_of_scale:
            return
        self._has_warned_of_scale = True
        if training is None:
            _LOG.warning(
                "the model does not say which camera it was trained with: its depth is in metres "
                "only for a camera like that one"
            )
            return
        _LOG.warning(
            "depth is metric only for a camera like the training one, focal length %.1f px at "
            "%dx%d (width x height, the network's input): give the camera (--focal_px) and depth "
            "is rescaled",
            training.focal_px,
            training.width_px,
            training.height_px,
        )

    def _warn_of_shape(self, image_size: tuple[int, int]) -> None:
        inset = mirrored_inset(image_size=image_size, size=self.backend.input_size)
        height_px, width_px = self.backend.input_size
        shrunk = (height_px * width_px) / (inset.height_px * inset.width_px)
        if self._has_warned_of_shape or shrunk < _WORTH_A_WORD:
            return
        self._has_warned_of_shape = True
        _LOG.warning(
            "pictures of %dx%d are of another shape than the network's %dx%d (width x height): it "
            "sees them whole but small, at %dx%d, between their mirror images; crop them, or train "
            "at their shape (--override input_size_px=[...]), to see farther",
            *(image_size[1], image_size[0], width_px, height_px),
            *(inset.width_px, inset.height_px),
        )

    def _check_aspect(self, fitted: Intrinsics, training: Intrinsics) -> None:
        ratio = (fitted.fx_px / fitted.fy_px) / (training.fx_px / training.fy_px)
        if self._has_warned_of_aspect or _squeeze(ratio, 1.0) <= MAX_SQUEEZE:
            return
        self._has_warned_of_aspect = True
        _LOG.warning(
            "pictures reach the network %.0f %% %s than in training (fx/fy %.3f, there %.3f): "
            "depth and classes may be worse than its scores; crop the pictures to the training "
            "aspect ratio",
            abs(ratio - 1) * 100,
            "wider" if ratio > 1 else "narrower",
            fitted.fx_px / fitted.fy_px,
            training.fx_px / training.fy_px,
        )


def _squeeze(one: float, other: float) -> float:
    """The factor between two ratios of width to height, at least 1."""
    return max(one / other, other / one)
