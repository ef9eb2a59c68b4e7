import numpy as np

from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.metrics.obstacles import NearObstacles, near_obstacles

CAR, ROAD, POLE = (CLASS_NAMES.index(name) for name in ("car", "road", "pole"))


def test_near_obstacles_told_too_far_and_road_told_near_are_counted() -> None:
    none, seen, missed, road, false = range(5)
    rows = [  # train id, true, predicted, counts as
        (CAR, 8.0, 9.9, seen),
        (CAR, 8.0, 10.1, missed),
        (POLE, 14.9, 2.0, seen),  # too near is safe
        (CAR, 15.1, 60.0, none),  # not near
        (ROAD, 5.0, 50.0, road),
        (ROAD, 50.0, 14.9, false),
        (ROAD, 50.0, 15.1, road),  # too near, but no reason to brake
        (ROAD, 14.0, 11.3, road),
        (ROAD, 14.0, 11.1, false),
        (255, 5.0, 50.0, none),
        (CAR, 0.0, 50.0, none),  # truth unknown
        (CAR, 8.0, 0.0, none),  # no prediction, which coverage says
        (CAR, 8.0, np.nan, missed),
        (CAR, 8.0, -1.0, missed),
    ]
    ids, true_m, predicted_m, kinds = (np.array([column]) for column in zip(*rows, strict=True))
    found = near_obstacles(true_m, ids.astype(np.uint8), predicted_m)
    assert found == NearObstacles(num_pixels=5, num_missed=3, num_road=5, num_false=2)
    assert [np.count_nonzero(kinds == kind) for kind in (seen, missed, road, false)] == [2, 3, 3, 2]


def test_frames_add_up_and_nothing_near_has_no_share() -> None:
    assert (NearObstacles(3, 1) + NearObstacles(1, 0)).missed_share == 0.25
    assert (NearObstacles(0, 0, 6, 1) + NearObstacles(0, 0, 2, 1)).false_share == 0.25
    assert NearObstacles().missed_share is None
    assert NearObstacles().false_share is None
