"""What every right result of a reader holds, by bounds of our own; a check fails by `assert`.

That numbers are finite and of their record's types is asked of all (`fuzz.trial.nonsense`).
"""

from typing import Any

import numpy as np

MAX_PIXELS = 10**8


def anything(_: Any) -> None:
    """No bounds beyond those of all."""


def rig(found: Any) -> None:
    """Cameras with a baseline, and a scanner that stands where it may."""
    rig, _, T_velodyne_to_right = found
    camera(rig.intrinsics_left)
    if rig.has_right:
        camera(rig.intrinsics_right)
        assert 0.001 < rig.baseline_m < 3
    rotations(T_velodyne_to_right)


def steps(found: Any) -> None:
    """Done, if any were, and all."""
    if found is not None:
        done, number = found
        assert done >= 0
        assert number > 0


def camera(found: Any) -> None:
    """A lens that there may be."""
    assert 0 < found.width_px * found.height_px <= 10**9
    assert 0.1 * found.width_px < found.fx_px < 10 * found.width_px
    assert 0.5 < found.fx_px / found.fy_px < 2
    assert 0 < found.cx_px < found.width_px
    assert 0 < found.cy_px < found.height_px


def fed_camera(found: Any) -> None:
    """One at a network's input, which may be a stretched picture."""
    assert 0.1 * found.width_px < found.fx_px < 10 * found.width_px


def rotations(poses: Any) -> None:
    """`[..., 3 or 4, 4]`, rigid."""
    R_all = poses[..., :3, :3]
    assert np.abs(R_all @ np.swapaxes(R_all, -1, -2) - np.eye(3)).max() < 0.01
    assert (np.linalg.det(R_all) > 0).all()


def rising(times_s: Any) -> None:
    """Seconds that go forward, of one picture after the other."""
    values = list(times_s.values()) if isinstance(times_s, dict) else times_s
    assert (np.diff(np.asarray(values, float)) > 0).all()


def frames(found: Any) -> None:
    """A list of frames, none twice."""
    assert len(set(found)) == len(found) > 0


def records(found: Any) -> None:
    """Records of a label store, each with its state and size."""
    assert len({record.frame for record in found}) == len(found)
    for record in found:
        assert record.status in ("finished", "failed")
        assert record.size_px is None or min(record.size_px) > 0
        assert record.labelled_fraction is None or 0 <= record.labelled_fraction <= 1


def bias(table: Any) -> None:
    """Bins that rise, a correction for each, of less than the distance."""
    assert (np.diff(table.bin_edges_m) > 0).all()
    assert len(table.correction_m) == len(table.num_points) == len(table.bin_edges_m) - 1
    assert (np.asarray(table.num_points) >= 0).all()


def history(entries: Any) -> None:
    """Whole numbers of epochs and steps."""
    assert all(type(entry["epoch"]) is type(entry["step"]) is int for entry in entries)


def prediction(found: Any) -> None:
    """Positive depth of the picture's size."""
    assert found.depth_m.shape == (16, 48)
    assert (found.depth_m > 0).all()


def mean(found: Any) -> None:
    """Metres and class ids of one size."""
    assert found.mean_depth_m.shape == found.majority_train_id.shape
    assert (found.mean_depth_m > 0).all()


def picture(image: Any) -> None:
    """`[height, width, 3]` uint8."""
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert 0 < image.size <= 3 * MAX_PIXELS


def depth(depth_m: Any) -> None:
    """`[height, width]` metres of a PNG of 16 bits."""
    assert depth_m.ndim == 2
    assert 0 < depth_m.size <= MAX_PIXELS
    assert 0 <= depth_m.min() <= depth_m.max() < 256


def classes(train_id: Any) -> None:
    """`[height, width]` of the 19 classes or 255."""
    assert train_id.ndim == 2
    assert 0 < train_id.size <= MAX_PIXELS
    assert np.isin(train_id, [*range(19), 255]).all()


def sweep(xyz_m: Any) -> None:
    """`[n, 3]` metres around a scanner."""
    assert xyz_m.ndim == 2
    assert len(xyz_m) > 0
    assert np.linalg.norm(xyz_m, axis=1).max() <= 1000


def example(found: Any) -> None:
    """A labelled picture: what belongs together is of one size."""
    image = found.image if hasattr(found, "image") else found.left
    picture(image)
    label = found.train_id if hasattr(found, "train_id") else found.disparity_px
    assert label.shape == image.shape[:2]


def film(num_frames: int) -> None:
    """At least one picture, and not thousands out of five."""
    assert 0 < num_frames < 1000
