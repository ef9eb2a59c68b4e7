"""From what a user writes after `--video` to shots: told by what lies there.

| what lies there | camera from | split |
| --- | --- | --- |
| KITTI raw recordings, another rig's (`rig.json`), or one drive of them | their calibration | `eigen_train`, `all`, `train`, `val`, a list file |
| KITTI's odometry (`sequences/`), or one sequence | `calib.txt` | `train` (00-08), `test` (09, 10), `all`, `00,02`, a list file |
| a folder of pictures; folders in it are shots of their own | `intrinsics.json` in it | none |
| a film (mp4, avi, ...) | `intrinsics.json` beside it | none |

Both cameras of a stereo rig are shots of their own.
"""  # noqa: E501 - a table

from collections.abc import Sequence
from pathlib import Path

from mtdepth.data.video import Shot, VideoSource, source_of
from mtdepth.data.video_file import VIDEO_SUFFIXES, decode_video
from mtdepth.data.video_folder import picture_folders, read_folder
from mtdepth.data.video_intrinsics import find_intrinsics, read_intrinsics
from mtdepth.data.video_kitti import read_odometry, read_recordings, recordings_at
from mtdepth.datasets.rig_folder import RIG_FILE
from mtdepth.files import UserError

_KINDS = (
    "KITTI raw recordings (2011_09_26/2011_09_26_drive_0001_sync/...), KITTI's odometry "
    f"(sequences/00/...), a folder with {RIG_FILE}, a folder of pictures (png, jpg), or a film "
    f"({', '.join(sorted(VIDEO_SUFFIXES))})"
)


def open_video(
    path: Path | str, *, cache_dir: Path, split: str | None = None, intrinsics: Path | None = None
) -> VideoSource:
    """Opens a video of any kind.

    Args:
      path: See the table above.
      cache_dir: Where a film's frames are kept once it is decoded.
      split: Which frames are learned from; None takes the kind's own (`eigen_train`, `train`, or
        all there is).
      intrinsics: For a folder or a film without an `intrinsics.json` of its own.

    Raises:
      FileNotFoundError: If there is nothing, or its camera is not known.
      DataError: If a file is damaged.
      UserError: If the split is none of this kind of video.
    """
    path = Path(path)
    _require(path)
    if path.is_file():
        _refuse_split(path, split)
        return _film(path, cache_dir=cache_dir, intrinsics=intrinsics)
    if (path / "sequences").is_dir():
        return read_odometry(path, split)
    if path.parent.name == "sequences" and path.name.isdecimal():
        _refuse_split(path, split)
        return read_odometry(path.parent.parent, path.name, label=str(path))
    if (place := recordings_at(path)) is not None:
        if place.drive:
            _refuse_split(path, split)
        return read_recordings(path, place, split)
    _refuse_split(path, split)
    return _folder(path, intrinsics=intrinsics)


def open_videos(
    paths: Sequence[Path | str],
    *,
    splits: Sequence[str] = (),
    cache_dir: Path,
    intrinsics: Path | None = None,
) -> list[VideoSource]:
    """Opens several videos; see `open_video`.

    Args:
      paths: The videos.
      splits: None, one for all that have splits, or one for each that has.
      cache_dir: As for one.
      intrinsics: As for one.

    Raises:
      FileNotFoundError: If one is not there, or its camera is not known.
      DataError: If a file is damaged.
      UserError: If the splits do not go with the videos.
    """
    for path in paths:
        _require(Path(path))
    with_splits = [path for path in paths if _has_splits(Path(path))]
    if splits and not with_splits:
        names = ", ".join(map(str, paths))
        raise UserError(f"split {splits[0]!r} says nothing: {names} has none and is taken whole")
    if len(splits) not in (0, 1, len(with_splits)):
        names = ", ".join(map(str, with_splits))
        raise UserError(
            f"{len(splits)} splits for {len(with_splits)} videos that have splits ({names}): give "
            "one for all, or one for each in their order"
        )
    each = list(splits) * len(with_splits) if len(splits) == 1 else list(splits)
    rest = iter(each)
    return [
        open_video(
            path,
            cache_dir=cache_dir,
            split=next(rest, None) if path in with_splits else None,
            intrinsics=intrinsics,
        )
        for path in paths
    ]


def _has_splits(path: Path) -> bool:
    """Whether a video is whole recordings or odometry."""
    if not path.is_dir():
        return False
    place = recordings_at(path)
    return (path / "sequences").is_dir() or (place is not None and place.drive is None)


def _require(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder; a video is {_KINDS}")


def _refuse_split(path: Path, split: str | None) -> None:
    if split not in (None, "all"):
        raise UserError(
            f"{path} is taken whole, so split {split!r} says nothing; splits are for KITTI's "
            "recordings, another rig's and odometry"
        )


def _folder(path: Path, *, intrinsics: Path | None) -> VideoSource:
    folders = picture_folders(path)
    if not folders:
        raise FileNotFoundError(f"{path} holds no picture; a video is {_KINDS}")
    calibration = find_intrinsics(path, intrinsics)
    camera = read_intrinsics(calibration)
    shots = []
    for folder in folders:
        files = read_folder(folder)
        inner = folder.relative_to(path)
        titles = {number: str(inner / file.name) for number, file in files.items()}
        name = str(path.name / inner)
        shots.append(Shot(name, files, titles, camera, calibration, tuple(files)))
    return source_of(f"{path}{_with(intrinsics)}", shots)


def _film(path: Path, *, cache_dir: Path, intrinsics: Path | None) -> VideoSource:
    # The camera first: a film takes minutes to decode.
    calibration = find_intrinsics(path, intrinsics)
    camera = read_intrinsics(calibration)
    files = decode_video(path, cache_dir=cache_dir)
    titles = {number: f"{path.name} {number}" for number in files}
    shot = Shot(path.name, files, titles, camera, calibration, tuple(files))
    return source_of(f"{path}{_with(intrinsics)}", [shot])


def _with(intrinsics: Path | None) -> str:
    return f" with {intrinsics}" if intrinsics else ""
