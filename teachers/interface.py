"""What a teacher is: one frame in, labels at that frame's size out; and how programs find one."""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.recordings import Recordings
from mtdepth.files import DataError, UserError
from mtdepth.geometry.stereo import depth_to_disparity, disparity_to_depth

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Label = TypeVar("Label", bound=npt.NDArray[Any])
SettingKind = Literal["path", "int", "float", "floats", "bool", "choice"]


@dataclasses.dataclass(frozen=True, eq=False)
class StereoSample:
    """One frame as teachers see it.

    Attributes:
      frame: The frame whose view is labelled; its side says which camera `image` is from.
      image: `[height, width, 3]` RGB, the view that is labelled.
      partner: The rectified view of the other camera, same size; None where no teacher needs it.
      focal_px: Horizontal focal length of the labelled view, at this size.
      baseline_m: Distance between the two optical centres; None for a rig of one camera.
      recordings: Where the frame is from, for teachers that read more than pictures.
    """

    frame: FrameId
    image: Image
    partner: Image | None
    focal_px: float
    baseline_m: float | None
    recordings: Recordings | None = None

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

    def depth_m(self, disparity_px: npt.NDArray[Any]) -> Floats:
        """Depth of a disparity of the labelled view, `[height, width]` metres, 0 = none."""
        return disparity_to_depth(
            disparity_px, focal_px=self.focal_px, baseline_m=self.pair_baseline_m
        ).astype(np.float32)

    def disparity_px(self, depth_m: Floats) -> Floats:
        """Disparity of a depth of the labelled view, `[height, width]` pixels, 0 = none."""
        return depth_to_disparity(depth_m, focal_px=self.focal_px, baseline_m=self.pair_baseline_m)

    @property
    def pair_baseline_m(self) -> float:
        """`baseline_m`, or a `UserError` where there is no pair."""
        if self.baseline_m is None:
            raise UserError(
                f"frame {self.frame} is of a rig of one camera, so no disparity has a depth; take "
                "a teacher that needs no pair"
            )
        return self.baseline_m


class Teacher(abc.ABC, Generic[Label]):
    """Makes labels: depth in metres, or train ids.

    A teacher defines `predict`, or `predict_batch` where it gains from several samples at once.

    Attributes:
      name: As the manifest and the flag call it.
      version: Everything that changes its output: settings, libraries, checksum of its weights.
      source: Where the metres of a depth teacher come from, for the manifest.
      needs_partner: Whether it looks at the other camera's view.
    """

    name: str
    version: str
    source: str = ""
    needs_partner: bool = False

    def predict(self, sample: StereoSample) -> Label:
        """The label of the labelled view.

        Returns:
          `[height, width]`: float32 metres, 0 = none, or uint8 train ids, 255 = ignore.

        Raises:
          FileNotFoundError: If a file that it reads for the frame is missing.
          DataError: If such a file is damaged or does not fit the frame.
        """
        return self.predict_batch([sample])[0]

    def predict_batch(self, samples: Sequence[StereoSample]) -> list[Label]:
        """`predict` for each of several samples of one size, asked together.

        A sample's label depends on how many are asked together at most in its last bits, and on
        which ones they are not at all.
        """
        return [self.predict(sample) for sample in samples]


DepthTeacher = Teacher[Floats]
SegmentationTeacher = Teacher[npt.NDArray[np.uint8]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """Something that a teacher may be told, and the flag that says it.

    Attributes:
      name: Of the flag, and of the argument of `TeacherEntry.make`.
      kind: What its value is.
      help: Of the flag.
      choices: Of the kind `choice`.
    """

    name: str
    kind: SettingKind
    help: str
    choices: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeacherEntry:
    """A teacher as the registry knows it.

    Attributes:
      name: What --depth_teacher or --seg_teacher calls it.
      help: A few words for the help of that flag.
      make: Called with the settings that were given, by name; gives the teacher.
      settings: What it may be told.
      needs_one_of: Exactly one of these settings must be given.
      is_network: It uses all of a machine by itself, is slow to make, and its last bits may depend
        on the size of a batch.
      is_measured: Its metres are a scanner's, which no bias table corrects.
      matches_views: It matches the two views by itself, and so finds depth in the sky, too.
      judges_others: It is the matching that others are judged by where there is no LiDAR.
    """

    name: str
    help: str
    make: Callable[..., Any]
    settings: tuple[Setting, ...] = ()
    needs_one_of: tuple[str, ...] = ()
    is_network: bool = False
    is_measured: bool = False
    matches_views: bool = False
    judges_others: bool = False


def load_sample(raw: Recordings, frame: FrameId, *, needs_partner: bool) -> StereoSample:
    """Reads a frame's pictures and rig.

    Raises:
      FileNotFoundError: If a picture or a calibration file is missing.
      DataError: If a file is damaged, the two views differ in size, or they are cropped.
      UserError: If the partner is needed and the rig has one camera.
    """
    rig = raw.rig(frame)
    # Asked first: "one camera" says more than a picture that is missing.
    baseline_m = rig.baseline_m if needs_partner or rig.has_right else None
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
        baseline_m=baseline_m,
        recordings=raw,
    )


def _mirrored(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(array[:, ::-1])
