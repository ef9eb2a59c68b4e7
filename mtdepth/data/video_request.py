"""The videos that a user asks for, with what is taken where nothing is said."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from mtdepth import defaults
from mtdepth.data.triplet_selection import select_triplets, warn_of_overlap
from mtdepth.data.triplets import TripletSet
from mtdepth.data.video_sources import open_videos
from mtdepth.datasets.recordings import ROOT_VARIABLE
from mtdepth.files import UserError
from mtdepth.recipes.video import VideoRecipe


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoRequest:
    """Which videos are learned from, and which are held out.

    Attributes:
      videos: To learn from; see `open_video`.
      splits: Of those that have splits: none, one for all, or one for each.
      val_videos: Held out; may be none.
      val_splits: As `splits`.
      intrinsics: For folders of frames and films; None takes the file that lies with them.
      frame_step: Frames between those of a triplet.
      cache_dir: Where decoded films and measured motion are kept.
    """

    videos: Sequence[str | Path]
    splits: Sequence[str] = ()
    val_videos: Sequence[str | Path] = ()
    val_splits: Sequence[str] = ()
    intrinsics: Path | None = None
    frame_step: int = 1
    cache_dir: Path

    def or_defaults(self, kitti_root: Path) -> "VideoRequest":
        """Takes the demo's videos, or the user's KITTI, where no video is asked for.

        Args:
          kitti_root: Of `defaults.default_kitti_root`.

        Raises:
          FileNotFoundError: If they are not there.
        """
        if self.videos:
            return self
        learned = defaults.default_videos(kitti_root)
        if not learned:
            raise FileNotFoundError(
                f"{kitti_root}: no such folder; `make demo` renders streets there. Or name a video "
                f"of your own by --video, or KITTI by ${ROOT_VARIABLE}"
            )
        request = dataclasses.replace(
            self,
            videos=[path for path, _ in learned],
            splits=self.splits or [split for _, split in learned],
        )
        if self.val_videos:
            return request
        held_out = defaults.default_videos(kitti_root, part="val")
        return dataclasses.replace(
            request,
            val_videos=[path for path, _ in held_out],
            val_splits=self.val_splits or [split for _, split in held_out],
        )

    def choose(self, recipe: VideoRecipe) -> tuple[TripletSet, TripletSet | None]:
        """Opens the videos and chooses the triplets to learn from and those held out.

        Raises:
          FileNotFoundError: If a video is not there, or its camera is not known.
          DataError: If a file is damaged, or pictures do not suit their camera.
          UserError: If a split is unknown, or no triplet is left.
        """
        learned = self._triplets(self.videos, self.splits, recipe)
        held_out = None
        if self.val_videos:
            held_out = self._triplets(self.val_videos, self.val_splits, recipe)
        elif self.val_splits:
            raise UserError("--val_split says nothing without --val_video")
        warn_of_overlap(learned, held_out)
        return learned, held_out

    def _triplets(
        self, videos: Sequence[str | Path], splits: Sequence[str], recipe: VideoRecipe
    ) -> TripletSet:
        sources = open_videos(
            videos, splits=splits, intrinsics=self.intrinsics, cache_dir=self.cache_dir
        )
        return select_triplets(
            sources,
            size_px=recipe.input_size_px,
            fit=recipe.fit,
            min_flow_px=recipe.min_flow_px,
            frame_step=self.frame_step,
            cache_dir=self.cache_dir,
        )
