r"""Which plane a network takes the road for: height of the camera and row of the horizon.

Full example, from the project's root; label stores of any teacher:

    python tests/benchmarks/road_plane.py --model pretrained --labels runs/mini_train \\
        --labels W --focal_px 721.5

A road that is told too near far off but right at the wheels has its horizon too high in the
picture; one that is told too near everywhere has its camera too low. `--focal_px` is that of the
pictures of the first store, at their width; rendered ones say theirs.
Pytest does not collect this file.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

# Run as a file, Python looks for packages beside it only.
sys.path.insert(0, str(Path(__file__).parents[2]))

from mtdepth import Predictor
from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.datasets.label_store import LabelStore
from mtdepth.geometry.camera import Intrinsics

_NEAR_M, _FAR_M = 5.0, 40.0
_LEAST_PIXELS = 200
_ROUNDS = 10  # of weighted least squares, which so minimise absolute errors
Floats = npt.NDArray[np.floating[Any]]


def plane(row: Floats, depth_m: Floats, *, focal_px: float) -> tuple[float, float]:
    """Row of the horizon, pixels, and height of the camera, m, of road pixels `[n]`.

    A level camera sees a plane h below it at depth f h / (row - horizon).
    """
    columns = np.stack([row, np.ones_like(row)], axis=1)
    weight, line = np.ones_like(row), np.zeros(2)
    for _ in range(_ROUNDS):
        line = np.linalg.lstsq(columns * weight[:, None], weight / depth_m, rcond=None)[0]
        error = np.abs(columns @ line - 1.0 / depth_m)
        weight = 1.0 / np.sqrt(np.maximum(error, np.median(error) + 1e-6))
    return float(-line[1] / line[0]), float(1.0 / (line[0] * focal_px))


def planes(predictor: Predictor, store: LabelStore, focal_px: float | None) -> Floats:
    """`[frames, 4]`: horizon (share of the height) and camera height, true and told."""
    found = []
    for frame in store.frames:
        image, depth_m, train_id = store.read_sample(frame)
        height, width = depth_m.shape
        rig = store.kitti_root / frame.drive / "rig.json"
        camera = Intrinsics.from_dict(json.loads(rig.read_text())) if rig.is_file() else None
        fx_px = camera.fx_px if camera else focal_px
        fy_px = camera.fy_px if camera else focal_px
        told_m = predictor(image, focal_px=fx_px).depth_m
        is_road = (train_id == CLASS_NAMES.index("road")) & (depth_m > _NEAR_M)
        is_road &= depth_m < _FAR_M
        is_road[:, : width // 4] = is_road[:, 3 * width // 4 :] = False
        if is_road.sum() < _LEAST_PIXELS:
            continue
        row = np.nonzero(is_road)[0].astype(np.float64)
        both = [plane(row, each[is_road], focal_px=fy_px) for each in (depth_m, told_m)]
        found.append([(horizon / height, tall_m) for horizon, tall_m in both])
    return np.array(found).reshape(-1, 4)


def main() -> None:
    """Flags to a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="pretrained", help="what `mtdepth predict` takes")
    parser.add_argument("--labels", type=Path, action="append", required=True, help="label store")
    parser.add_argument("--focal_px", type=float, help="of pictures without a rig.json")
    choice = parser.parse_args()
    predictor = Predictor(choice.model)
    title = "labels  frames  horizon/height: true, told, error (deviation)  camera m: true, told\n"
    sys.stdout.write(title)
    for path in choice.labels:
        at = planes(predictor, LabelStore.open(path), choice.focal_px)
        error = at[:, 2] - at[:, 0]
        horizon, _, told, tall_m = at.mean(axis=0)
        sys.stdout.write(
            f"{path}  {len(at)}  {horizon:.3f} {told:.3f} {error.mean():+.3f} ({error.std():.3f})  "
            f"{at[:, 1].mean():.2f} {tall_m:.2f}\n"
        )


if __name__ == "__main__":
    main()
