import numpy as np
import pytest

from data_prep.demo_world.raycast import RayFan, cast
from data_prep.demo_world.rig import demo_rig, rigid
from data_prep.demo_world.sensors import CameraRays, LidarRays
from data_prep.demo_world.shapes import Solid, Solids

# x right, y down, z forward in a world of x forward, y left, z up.
LEVEL_CAMERA = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def some_solids(rng: np.random.Generator) -> Solids:
    """Boxes, tapered boxes and ellipsoids in front of and beside the origin."""
    parts = []
    for i in range(24):
        half = tuple(rng.uniform(0.3, 2.5, 3))
        taper = tuple(rng.uniform(0.1, 0.9, 2) * half[:2] / (2 * half[2])) if i % 3 == 1 else (0, 0)
        solid = Solid((0, 0, half[2] + rng.uniform(-0.2, 1)), half, 0, (0.5, 0.5, 0.5),
                      taper=taper, is_ellipsoid=i % 3 == 2)  # fmt: skip
        side = rng.choice([-1, 1]) * rng.uniform(3.5, 12.0)
        stacked = Solids.stack([solid], rng)
        parts.append(
            stacked.placed(x_m=rng.uniform(-2.0, 40.0), y_m=side, yaw_rad=rng.uniform(0.0, 6.3))
        )
    return Solids.join(parts)


def outsideness(points_m: np.ndarray, solids: Solids, i: int) -> np.ndarray:
    """Oracle: implicit function of solid i at points [..., 3], negative inside."""
    c, s = np.cos(solids.yaw_rad[i]), np.sin(solids.yaw_rad[i])
    p = (points_m - solids.centre_m[i]) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    half = solids.half_m[i]
    if solids.is_ellipsoid[i]:
        return np.sqrt(np.sum((p / half) ** 2, axis=-1)) - 1
    shrink = solids.taper[i] * (p[..., 2:] + half[2])
    return np.max(np.abs(p) - half + np.concatenate([shrink, 0 * p[..., 2:]], axis=-1), axis=-1)


def fans() -> list[RayFan]:
    pose = rigid(LEVEL_CAMERA, (0.0, 0.1, 1.65))
    camera = demo_rig(height_px=24, width_px=56).camera
    tilt = rigid(
        np.array([[np.cos(0.02), 0, np.sin(0.02)], [0, 1, 0], [-np.sin(0.02), 0, np.cos(0.02)]]),
        (0.0, 0.0, 1.73),
    )
    return [CameraRays.of(camera, pose), LidarRays.of(tilt, azimuth_step_deg=3.0)]


@pytest.mark.parametrize("number", [0, 1], ids=["camera", "lidar"])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_hit_lies_on_its_solid_and_nothing_lies_before_it(number: int, seed: int) -> None:
    fan = fans()[number]
    solids = some_solids(np.random.default_rng(seed))
    hits = cast(fan, solids)
    directions = np.stack(fan.directions(), axis=-1).astype(np.float64)
    ground, sky = len(solids), len(solids) + 1
    t = np.where(hits.index == sky, 150.0, 1.0 / np.maximum(hits.inverse, 1e-9))
    ends = fan.origin_m + t[..., None] * directions
    assert len(np.unique(hits.index)) > 8
    assert np.abs(ends[hits.index == ground][:, 2]).max() < 1e-3  # float32 at up to 1 km
    for i in range(len(solids)):
        mine = hits.index == i
        if mine.any():
            assert np.abs(outsideness(ends[mine], solids, i)).max() < 1e-4  # float32 at 40 m
        # Points before the hit; the last centimetre is left to rounding.
        share = np.linspace(0.0, 1.0, 300)[:-1, None, None, None]
        before = fan.origin_m + share * np.maximum(t - 0.01, 0)[..., None] * directions
        assert outsideness(before, solids, i).min() > -1e-3


def test_a_wall_five_metres_ahead_is_five_metres_deep_in_every_pixel() -> None:
    fan = fans()[0]
    wall = Solids.stack(
        [Solid((6.0, 0.0, 50.0), (1.0, 99.0, 60.0), 0, (0.5, 0.5, 0.5))], np.random.default_rng(0)
    )
    # Front face at x = 6 - 1 = 5.
    np.testing.assert_allclose(1 / cast(fan, wall).inverse, 5.0, rtol=1e-6)


def test_the_ground_of_a_level_camera_is_at_height_times_focal_over_row() -> None:
    fan = fans()[0]
    assert isinstance(fan, CameraRays)
    nothing = Solids.stack([], np.random.default_rng(0))
    hits = cast(fan, nothing)
    below = np.arange(24) - fan.camera.cy_px
    expected = np.where(below > 0, 1.65 * fan.camera.fy_px / np.where(below > 0, below, 1), np.inf)
    found = 1 / np.where(hits.inverse[:, 0] > 0, hits.inverse[:, 0], 0.0 + 1e-30)
    np.testing.assert_allclose(np.where(found > 1e20, np.inf, found), expected, rtol=1e-5)


def test_a_sensor_inside_a_tree_is_refused() -> None:
    ball = Solid((0.0, 0.0, 1.0), (2.0, 2.0, 2.0), 8, (0.1, 0.2, 0.1), is_ellipsoid=True)
    with pytest.raises(ValueError, match="inside an ellipsoid"):
        cast(fans()[0], Solids.stack([ball], np.random.default_rng(0)))
