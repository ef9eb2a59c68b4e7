"""What a teacher is: images of one frame in, labels at that frame's size out."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.recordings import Recordings
from mtdepth.files import DataError

Image = npt.NDArray[np.uint8]
Label = TypeVar("Label", bound=npt.NDArray[Any])


@dataclasses.dataclass(frozen=True, eq=False)
class StereoSample:
    """One frame as teachers see it.

    Attributes:
      frame: The frame whose view is labelled; its side says which camera `image` is from.
      image: `[height, width, 3]` RGB, the view that is labelled.
      partner: The rectified view of the other camera, same size; None where no teacher needs it.
      focal_px: Horizontal focal length of the labelled view, at this size.
      baseline_m: Distance between the two optical centres.
    """

    frame: FrameId
    image: Image
    partner: Image | None
    focal_px: float
    baseline_m: float

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the labelled view."""
        return self.image.shape[0], self.image.shape[1]

    def as_left_pair(self) -> tuple[Image, Image]:
        """The labelled view and its partner, as the left and right view of a rectified pair.

        A right frame's pair is mirrored: the mirror image of the right view is the left view of a
        mirrored world, so a matcher that only knows positive disparities of left views serves
        both. `from_left_pair` turns its answer back.

        Raises:
          ValueError: If the partner was not loaded.
        """
        if self.partner is None:
            raise ValueError(f"frame {self.frame} was loaded without its partner view")
        if self.frame.side == "l":
            return self.image, self.partner
        return _mirrored(self.image), _mirrored(self.partner)

    def from_left_pair(self, label: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turns `[height, width]` made from `as_left_pair` back to the labelled view."""
        return label if self.frame.side == "l" else _mirrored(label)


class DepthTeacher(Protocol):
    """Makes depth labels."""

    @property
    def name(self) -> str:
        """As the manifest and the flag call it."""

    @property
    def version(self) -> str:
        """Everything that changes its output: settings, libraries, checksum of its weights."""

    @property
    def source(self) -> str:
        """Where its metres come from, for the manifest."""

    @property
    def needs_partner(self) -> bool:
        """Whether it looks at the other camera's view."""

    def predict(self, sample: StereoSample) -> npt.NDArray[np.float32]:
        """Depth of the labelled view, `[height, width]` metres, 0 = none.

        Raises:
          FileNotFoundError: If a file that it reads for the frame is missing.
          DataError: If such a file is damaged or does not fit the frame.
        """

    def predict_batch(self, samples: Sequence[StereoSample]) -> list[npt.NDArray[np.float32]]:
        """`predict` for each of several samples of one size, asked together.

        A sample's label depends on how many are asked together at most in its last bits, and on
        which ones they are not at all.
        """


class SegmentationTeacher(Protocol):
    """Makes class labels."""

    @property
    def name(self) -> str:
        """As the manifest and the flag call it."""

    @property
    def version(self) -> str:
        """Everything that changes its output."""

    def predict(self, sample: StereoSample) -> npt.NDArray[np.uint8]:
        """Train ids of the labelled view, `[height, width]`, 255 = ignore.

        Raises:
          FileNotFoundError: If a file that it reads for the frame is missing.
          DataError: If such a file is damaged or does not fit the frame.
        """

    def predict_batch(self, samples: Sequence[StereoSample]) -> list[npt.NDArray[np.uint8]]:
        """`predict` for each of several samples of one size, asked together.

        The law of the depth teacher's `predict_batch` holds here too.
        """


class OneByOne(abc.ABC, Generic[Label]):
    """A teacher that gains nothing from being asked for several samples together."""

    @abc.abstractmethod
    def predict(self, sample: StereoSample) -> Label:
        """Labels one sample."""

    def predict_batch(self, samples: Sequence[StereoSample]) -> list[Label]:
        """Labels one sample after the other."""
        return [self.predict(sample) for sample in samples]


def load_sample(raw: Recordings, frame: FrameId, *, needs_partner: bool) -> StereoSample:
    """Reads a frame's pictures and rig.

    Raises:
      FileNotFoundError: If a picture or a calibration file is missing.
      DataError: If a file is damaged, the two views differ in size, or they are cropped.
    """
    image = raw.read_image(frame)
    partner = raw.read_image(frame.other_side) if needs_partner else None
    if partner is not None and partner.shape != image.shape:
        raise DataError(
            raw.image_path(frame.other_side),
            f"is {partner.shape[:2]} but {raw.image_path(frame)} is {image.shape[:2]}: a rectified "
            "pair has one size; take both from the same synced+rectified download",
        )
    return StereoSample(
        frame=frame,
        image=image,
        partner=partner,
        focal_px=raw.camera(frame, size=image.shape[:2]).fx_px,
        baseline_m=raw.rig(frame).baseline_m,
    )


def _mirrored(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(array[:, ::-1])
