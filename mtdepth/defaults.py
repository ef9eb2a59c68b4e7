"""What a program works on when it is given no path: the demo data, or `$MTDEPTH_KITTI_ROOT`."""

import os
from collections.abc import Sequence
from pathlib import Path

from mtdepth.datasets.readers import reader_of
from mtdepth.datasets.recordings import ROOT_VARIABLE

DEMO = Path("demo")
RUNS = Path("runs")
DEMO_MARKER = "demo_world.json"  # the demo world's writer leaves it in a complete tree


def default_kitti_root() -> Path:
    """`$MTDEPTH_KITTI_ROOT` where it is set, else the demo tree (`make demo` makes it)."""
    root = os.environ.get(ROOT_VARIABLE)
    return Path(root) if root else DEMO / "kitti"


def is_demo(kitti_root: Path) -> bool:
    """Whether this tree was made by the demo world."""
    return (kitti_root / DEMO_MARKER).is_file()


def is_default_demo(kitti_root: Path) -> bool:
    """Whether this is the demo tree that `make demo` makes, present or not."""
    return is_demo(kitti_root) or kitti_root == DEMO / "kitti"


def default_split(kitti_root: Path, *, part: str = "train") -> str:
    """The split of a tree: its own lists on demo data, else what its layout calls the part.

    Args:
      kitti_root: The tree.
      part: `"train"` or `"val"`: what is trained on, or what is scored.
    """
    if is_default_demo(kitti_root):
        return str(kitti_root / "splits" / f"{part}.txt")
    return reader_of(kitti_root).layout.default_splits[part]


def default_labels(kitti_root: Path, *, part: str = "train") -> Path:
    """Where `generate_teachers` writes a split's labels and the other programs look for them."""
    if is_default_demo(kitti_root):
        return DEMO / f"labels_{part}"
    return RUNS / f"labels_{Path(default_split(kitti_root, part=part)).stem}"


def default_workdir(kitti_root: Path) -> Path:
    """Where `train` keeps a run."""
    return DEMO / "run" if is_default_demo(kitti_root) else RUNS / "multitask_kitti"


def default_recipe(kitti_root: Path) -> str:
    """The short recipe on demo data, the paper's on KITTI."""
    return "demo" if is_default_demo(kitti_root) else "multitask_kitti"


def default_videos(kitti_root: Path, *, part: str = "train") -> list[tuple[Path, str]]:
    """The videos that `train --model mininet` takes, each with its split.

    Args:
      kitti_root: The tree.
      part: `"train"`, or `"val"`: what is held out, which is nothing but on demo data.

    Returns:
      On demo data the labelled streets, and for training the clip as well, as far as they are
      there; otherwise the tree.
    """
    if not is_default_demo(kitti_root):
        return [(kitti_root, default_split(kitti_root))] if part == "train" else []
    videos = [(kitti_root, default_split(kitti_root, part=part))]
    if part == "train":
        videos.append((DEMO / "clip", "all"))
    return [(path, split) for path, split in videos if path.is_dir()]


def default_video_workdir(kitti_root: Path, videos: Sequence[Path | str] = ()) -> Path:
    """Where `train --model mininet` keeps a run on these videos, or on the tree's own."""
    if _is_of_demo(kitti_root, videos):
        return DEMO / "run_mininet"
    return RUNS / ("mininet" if videos else "mininet_kitti")


def default_video_recipe(kitti_root: Path) -> str:
    """The short recipe on demo data, the paper's on KITTI."""
    return "mininet_small_data" if is_default_demo(kitti_root) else "mininet_kitti"


def default_video_cache(kitti_root: Path, videos: Sequence[Path | str] = ()) -> Path:
    """Where what is decoded and measured of these videos, or of the tree's own, is kept."""
    return (DEMO if _is_of_demo(kitti_root, videos) else RUNS) / "video_cache"


def _is_of_demo(kitti_root: Path, videos: Sequence[Path | str]) -> bool:
    """Whether nothing but demo data is asked for: `make clean` deletes what is made of it."""
    if not videos:
        return is_default_demo(kitti_root)
    return all(Path(video).resolve().is_relative_to(DEMO.resolve()) for video in videos)
