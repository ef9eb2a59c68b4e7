import numpy as np

from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.metrics.obstacles import NearObstacles, near_obstacles

CAR, ROAD, POLE = (CLASS_NAMES.index(name) for name in ("car", "road", "pole"))


def test_near_obstacles_that_are_told_too_far_are_counted() -> None:
    rows = [  # train id, true, predicted, is an obstacle that counts, is missed
        (CAR, 8.0, 9.9, True, False),
        (CAR, 8.0, 10.1, True, True),
        (POLE, 14.9, 2.0, True, False),  # too near is safe
        (CAR, 15.1, 60.0, False, False),  # not near
        (ROAD, 5.0, 50.0, False, False),
        (255, 5.0, 50.0, False, False),
        (CAR, 0.0, 50.0, False, False),  # truth unknown
        (CAR, 8.0, 0.0, False, False),  # no prediction, which coverage says
        (CAR, 8.0, np.nan, True, True),
        (CAR, 8.0, -1.0, True, True),
    ]
    ids, true_m, predicted_m, counts, missed = (
        np.array([column]) for column in zip(*rows, strict=True)
    )
    found = near_obstacles(true_m, ids.astype(np.uint8), predicted_m)
    assert found == NearObstacles(int(counts.sum()), int(missed.sum()))


def test_frames_add_up_and_nothing_near_has_no_share() -> None:
    assert (NearObstacles(3, 1) + NearObstacles(1, 0)).missed_share == 0.25
    assert NearObstacles().missed_share is None
