"""PSMNet as a depth teacher: a rectified pair in, metres out."""

import functools
import importlib.metadata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from mtdepth.files import UserError
from teachers.imagenet import normalise_imagenet
from teachers.interface import Floats, Image, Setting, StereoSample, Teacher, TeacherEntry
from teachers.psmnet.checkpoint import read_checkpoint
from teachers.psmnet.sizes import SIZE_MULTIPLE, Precision


class PsmnetTeacher(Teacher[Floats]):
    """Depth by the stacked hourglass of Chang & Chen 2018; dense, without holes.

    The network is built at the first prediction, and compiled once for each size of picture and
    batch; making the teacher reads and checks the weights alone.

    Args:
      weights: The authors' checkpoint (PyTorch needed) or our converted `.npz`.
      max_disparity_px: Largest disparity + 1, a multiple of 16; None is the file's.
      align_corners: The rule of the weights' upsampling; None is the file's, see `read_checkpoint`.
      dtype: Of the convolutions.

    Raises:
      FileNotFoundError: If the weights are missing; says where the authors publish them.
      ImportError: If they are the authors' and PyTorch is not installed.
      DataError: If they are damaged, or not PSMNet's.
      UserError: If an argument is out of range or contradicts the file.
    """

    name = "psmnet"
    needs_partner = True

    def __init__(
        self,
        weights: Path,
        *,
        max_disparity_px: int | None = None,
        align_corners: bool | None = None,
        dtype: Precision = "float32",
    ) -> None:
        checkpoint = self._checkpoint = read_checkpoint(
            weights, align_corners=align_corners, max_disparity_px=max_disparity_px
        )
        self._dtype = dtype
        self.version = (
            f"weights {checkpoint.sha256[:16]} from {checkpoint.origin}, "
            f"align_corners={checkpoint.align_corners}, "
            f"max_disparity_px={checkpoint.max_disparity_px}, {dtype}, "
            f"keras {importlib.metadata.version('keras')}"
        )
        self.source = f"stereo baseline (PSMNet, weights {checkpoint.origin})"

    @property
    def max_disparity_px(self) -> int:
        """Disparities are below this."""
        return self._checkpoint.max_disparity_px

    def predict_batch(self, samples: Sequence[StereoSample]) -> list[Floats]:
        """Depth of several frames in one run of the network.

        Args:
          samples: Frames whose pictures have one size.

        Returns:
          `[height, width]` metres for each.
        """
        disparities_px = self._disparities_px([sample.as_left_pair() for sample in samples])
        return [
            sample.depth_m(sample.from_left_pair(disparity_px))
            for sample, disparity_px in zip(samples, disparities_px, strict=True)
        ]

    def disparity_px(self, left: Image, right: Image) -> Floats:
        """Disparity of the left view of one rectified pair.

        Args:
          left: `[height, width, 3]` RGB, any size.
          right: The other view, same size.

        Returns:
          `[height, width]` pixels, 0..max_disparity_px - 1, everywhere.

        Raises:
          UserError: If the two differ in size or are not uint8 RGB.
        """
        return self._disparities_px([(left, right)])[0]

    def _disparities_px(self, pairs: Sequence[tuple[Image, Image]]) -> list[Floats]:
        shapes = {image.shape for pair in pairs for image in pair}
        if len(shapes) != 1:
            raise UserError(f"the pictures of a pair or batch must have one size, got {shapes}")
        views = [np.stack([padded_input(pair[side]) for pair in pairs]) for side in (0, 1)]
        padded_px = self._run(*views)
        height, width = pairs[0][0].shape[:2]
        return list(padded_px[:, padded_px.shape[1] - height :, :width])

    @functools.cached_property
    def _run(self) -> Callable[[Floats, Floats], Floats]:
        from teachers.psmnet.network import build_psmnet, compiled
        from teachers.psmnet.weights import assign_weights

        network = build_psmnet(
            max_disparity_px=self._checkpoint.max_disparity_px,
            align_corners=self._checkpoint.align_corners,
            dtype=self._dtype,
            is_folded=True,
        )
        assign_weights(network, self._checkpoint.tensors)
        return compiled(network)


def padded_input(image: Image) -> npt.NDArray[Any]:
    """Normalised, with zeros above and to the right up to multiples of 16, as the authors pad.

    Args:
      image: `[height, width, 3]` uint8 RGB.

    Returns:
      `[h, w, 3]` float32.
    """
    above, right = (-side % SIZE_MULTIPLE for side in image.shape[:2])
    return np.pad(normalise_imagenet(image), ((above, 0), (0, right), (0, 0)))


def _make(
    psmnet_weights: Path,
    max_disparity: int | None = None,
    align_corners: bool | None = None,
    psmnet_dtype: Precision = "float32",
) -> PsmnetTeacher:
    return PsmnetTeacher(
        psmnet_weights,
        max_disparity_px=max_disparity,
        align_corners=align_corners,
        dtype=psmnet_dtype,
    )


ENTRY = TeacherEntry(
    name="psmnet",
    help="the stereo network",
    make=_make,
    settings=(
        Setting(
            name="psmnet_weights",
            kind="path",
            help="PSMNet: an authors' checkpoint (needs torch), or converted.",
        ),
        Setting(
            name="max_disparity",
            kind="int",
            help="PSMNet: searched pixels. Default: as the weights were trained.",
        ),
        Setting(
            name="align_corners",
            kind="bool",
            help="PSMNet: how it resizes. Default: as the weights' file says.",
        ),
        Setting(
            name="psmnet_dtype",
            kind="choice",
            help="PSMNet: number format of its convolutions. Default: float32.",
            choices=get_args(Precision),
        ),
    ),
    needs_one_of=("psmnet_weights",),
    is_network=True,
    matches_views=True,
)
