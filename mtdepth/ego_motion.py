r"""Tells how the camera moved through a video, and scores that where the truth is known.

Full example, the test sequences of KITTI's odometry, with the run that learned from the others:

    python -m mtdepth.ego_motion --workdir runs/mininet_odometry --video KITTI_ODOMETRY \
        --video_split 09,10 --output runs/ego_motion

The folder then holds, for each stretch of neighbouring frames, the trajectory in KITTI's form
(`..._kitti.txt`, twelve numbers a line) and in TUM's (`..._tum.txt`: time, position, quaternion),
`trajectories.png`, and `ego_motion.json` with the absolute trajectory error over snippets of five
frames, each scaled to the truth, in both published ways, SfMLearner's and Monodepth2's
(`metrics/odometry.py` says how they differ). Lengths are in metres where the scale was found
(`python -m mtdepth.metric_scale`), otherwise relative; in the picture they are scaled to the truth.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from absl import flags, logging
from tqdm import tqdm

from mtdepth import defaults, program
from mtdepth.data.video_sources import open_videos
from mtdepth.datasets.trajectories import write_kitti, write_tum
from mtdepth.files import UserError, write_json
from mtdepth.metrics.odometry import CONVENTIONS, SnippetConvention
from mtdepth.workdir import Workdir

ASSUMED_FPS = 10.0  # KITTI's

_WORKDIR = flags.DEFINE_string("workdir", None, "Run that learned from video.")
_VIDEO = flags.DEFINE_multi_string("video", None, "As `mtdepth.train --video`; repeatable.")
_VIDEO_SPLIT = flags.DEFINE_multi_string("video_split", [], "As `mtdepth.train --video_split`.")
_INTRINSICS = flags.DEFINE_string("intrinsics", None, "As `mtdepth.train --intrinsics`.")
_SIDE = flags.DEFINE_enum(
    "side", "left", ["left", "right", "both"], "Camera of a stereo rig whose way is told."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to.")
_CHECKPOINT = flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "Weights of the run.")
_FPS = flags.DEFINE_float(
    "fps",
    None,
    f"Frames a second, for TUM's times. Default: the recording's own stamps, else {ASSUMED_FPS:g}.",
    lower_bound=0.1,
)


def main() -> int | None:
    """Predicts, writes and scores."""
    program.require("workdir", "video", "output")
    workdir = Workdir(Path(_WORKDIR.value))
    workdir.recipe()
    sources = open_videos(
        _VIDEO.value,
        splits=_VIDEO_SPLIT.value,
        intrinsics=Path(_INTRINSICS.value) if _INTRINSICS.value else None,
        # The training's, so that a film is decoded once.
        cache_dir=defaults.default_video_cache(defaults.default_kitti_root(), _VIDEO.value),
    )
    shots = [shot for source in sources for shot in source.shots if _is_wanted(shot.name)]
    # Keras takes seconds to load, which a wrong flag should not cost.
    from mtdepth.evaluation.ego_motion import (
        PosePredictor,
        free_stem,
        tracks_of,
        trajectories_figure,
    )
    from mtdepth.reporting import save_figure
    from mtdepth.trained import scale_of

    scale, source = scale_of(workdir, _CHECKPOINT.value)
    predictor = PosePredictor(workdir, checkpoint=_CHECKPOINT.value, scale=scale)
    output = Path(_OUTPUT.value)
    tracks: dict[str, Any] = {}
    for shot in tqdm(shots, unit="shot"):
        for track in tracks_of(shot, predictor):
            stem = free_stem(track.name, tracks)
            tracks[stem] = track
            _write(output, track, stem)
    if not tracks:
        raise UserError("no two neighbouring frames in these videos")
    save_figure(output / "trajectories.png", trajectories_figure(list(tracks.values())))
    results = _results(tracks)
    settings = {"workdir": str(workdir.path), "checkpoint": _CHECKPOINT.value}
    write_json(
        output / "ego_motion.json",
        {**settings, "scale": scale, "scale_source": source, **results},
    )
    _say(results)
    logging.info("wrote %s", output)
    return None


def _is_wanted(name: str) -> bool:
    # Stereo shots end in their side, " l" or " r"; others have none.
    unwanted = {"left": " r", "right": " l", "both": "\0"}[_SIDE.value]
    return not name.endswith(unwanted)


def _write(output: Path, track: Any, stem: str) -> None:
    write_kitti(output / f"{stem}_kitti.txt", track.predicted)
    times_s = None if _FPS.value else track.times_s
    if times_s is None:
        fps = _FPS.value or ASSUMED_FPS
        times_s = [(number - track.numbers[0]) / fps for number in track.numbers]
    write_tum(output / f"{stem}_tum.txt", track.predicted, times_s)


def _stamps(track: Any) -> str:
    """Where the times of a track's TUM file come from."""
    if _FPS.value:
        return f"--fps {_FPS.value:g}"
    return "the recording's own" if track.times_s else f"assumed: {ASSUMED_FPS:g} frames a second"


def _results(tracks: Mapping[str, Any]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    all_errors: dict[SnippetConvention, list[npt.NDArray[np.float64]]] = {}
    for stem, track in tracks.items():
        row = {"track": track.name, "files": stem, "frames": len(track.numbers)}
        row["stamps"] = _stamps(track)
        for convention in CONVENTIONS:
            if (errors_m := track.errors_m(convention)) is not None:
                all_errors.setdefault(convention, []).append(errors_m)
                row |= {convention: _mean_and_std(errors_m), "scale_to_truth": track.scale_to_truth}
        rows.append(row)
    total: dict[str, Any] = {
        name: _mean_and_std(np.concatenate(each)) for name, each in all_errors.items()
    }
    return {"tracks": rows, **total}


def _mean_and_std(errors_m: npt.NDArray[np.float64]) -> dict[str, float]:
    return {"ate_mean_m": float(errors_m.mean()), "ate_std_m": float(errors_m.std())}


def _say(results: dict[str, Any]) -> None:
    for row in (*results["tracks"], {"track": "all", **results}):
        found = {name: row[name] for name in CONVENTIONS if name in row}
        error = ", ".join(
            f"{each['ate_mean_m']:.4f} +- {each['ate_std_m']:.4f} m ({name})"
            for name, each in found.items()
        )
        error = error or "no true poses"
        frames = f"{row['frames']} frames" if "frames" in row else ""
        sys.stdout.write(f"{row['track']:<40} {frames:>12}  5-frame ATE {error}\n")
    if assumed := [row["files"] for row in results["tracks"] if row["stamps"].startswith("ass")]:
        logging.warning(
            "no times are known of %s: their TUM files are stamped as %g frames a second, so a "
            "tool that pairs by time may pair wrong frames; give --fps",
            ", ".join(assumed),
            ASSUMED_FPS,
        )


if __name__ == "__main__":
    program.run(main)
