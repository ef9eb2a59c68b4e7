"""Motion, projection and sampling against float64 loops and an independent implementation."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from keras import ops

from mtdepth.losses import view_synthesis

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 9, 14  # sides and focal lengths differ, so that no swap goes unseen
K = np.array([[11.0, 0, 6.1], [0, 13.0, 4.3], [0, 0, 1]])
AXIS_ANGLE = np.array([[0.02, -0.05, 0.03], [0.0, 0.0, 0.0], [1.2, -0.7, 0.4]])
TRANSLATION = np.array([[0.05, -0.02, 0.04], [0.1, 0.0, -0.05], [0.0, 0.02, 0.03]])


def tensor(array: np.ndarray) -> object:
    return ops.convert_to_tensor(np.asarray(array, np.float32))


def transforms() -> np.ndarray:
    motions = np.tile(np.eye(4), (len(AXIS_ANGLE), 1, 1))
    motions[:, :3, :3] = [cv2.Rodrigues(vector)[0] for vector in AXIS_ANGLE]
    motions[:, :3, 3] = TRANSLATION
    return motions


def projected(depth: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """`[H, W, 2]`: column and row, by the definition."""
    v, u = np.indices(depth.shape).astype(float)
    points = depth[..., None] * (np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(K).T)
    moved = points @ motion[:3, :3].T + motion[:3, 3]
    seen = moved @ K.T
    return seen[..., :2] / seen[..., 2:]


def sampled(image: np.ndarray, u: float, v: float) -> np.ndarray:
    """The mean of four neighbours, weighted by nearness; the border goes on outside."""
    height, width = image.shape[:2]
    u, v = min(max(u, 0), width - 1), min(max(v, 0), height - 1)
    value = np.zeros(image.shape[-1])
    for row in {int(np.floor(v)), min(int(np.floor(v)) + 1, height - 1)}:
        for column in {int(np.floor(u)), min(int(np.floor(u)) + 1, width - 1)}:
            value += max(0, 1 - abs(u - column)) * max(0, 1 - abs(v - row)) * image[row, column]
    return value


def test_a_motion_is_rodrigues_formula_and_its_inverse_undoes_it() -> None:
    forth = ops.convert_to_numpy(view_synthesis.transform(tensor(AXIS_ANGLE), tensor(TRANSLATION)))
    back = ops.convert_to_numpy(
        view_synthesis.inverse_transform(tensor(AXIS_ANGLE), tensor(TRANSLATION))
    )
    np.testing.assert_allclose(forth, transforms(), atol=1e-6)
    np.testing.assert_allclose(back, np.linalg.inv(transforms()), atol=1e-6)


@pytest.mark.parametrize("angle_rad", [1e-8, 1e-4, 0.0099, 0.0101, 0.5, 3.0])
def test_a_rotation_is_exact_on_both_sides_of_its_series(angle_rad: float) -> None:
    vector = angle_rad * np.array([[0.6, 0.0, -0.8]])
    found = ops.convert_to_numpy(view_synthesis.rotation(tensor(vector)))
    np.testing.assert_allclose(found[0], cv2.Rodrigues(vector[0])[0], atol=3e-7)


def test_pixels_go_where_the_definition_says() -> None:
    depth = 0.3 + 2 * RNG.random((3, HEIGHT, WIDTH))
    u, v = view_synthesis.project(
        tensor(1 / depth), tensor(np.tile(K, (3, 1, 1))), tensor(transforms())
    )
    found = np.stack([ops.convert_to_numpy(u), ops.convert_to_numpy(v)], -1)
    for index, motion in enumerate(transforms()[:2]):
        np.testing.assert_allclose(found[index], projected(depth[index], motion), atol=1e-4)


def test_what_lies_behind_the_camera_is_not_mirrored_into_the_picture() -> None:
    motion = np.eye(4)[None].copy()
    motion[0, 2, 3] = -2.0  # everything at depth 1 comes to lie at -1
    u, v = view_synthesis.project(
        tensor(np.ones((1, HEIGHT, WIDTH))), tensor(K[None]), tensor(motion)
    )
    outside = (np.abs(u) > 1e3) | (np.abs(v) > 1e3)
    assert ops.convert_to_numpy(outside).mean() > 0.9


def test_samples_are_bilinear_and_the_border_goes_on() -> None:
    image = RNG.random((2, HEIGHT, WIDTH, 3))
    u = RNG.uniform(-3, WIDTH + 2, (2, 5, 7))
    v = RNG.uniform(-3, HEIGHT + 2, (2, 5, 7))
    u[0, 0, :4], v[0, 0, :4] = (0, WIDTH - 1, 3, 1e9), (0, HEIGHT - 1, 2, -1e9)
    found = ops.convert_to_numpy(view_synthesis.sample(tensor(image), tensor(u), tensor(v)))
    wanted = [
        [[sampled(image[b], u[b, i, j], v[b, i, j]) for j in range(7)] for i in range(5)]
        for b in range(2)
    ]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_coordinate_that_is_no_number_gives_none_and_reads_nowhere() -> None:
    image = tensor(RNG.random((1, HEIGHT, WIDTH, 3)))
    u, v = np.full((1, 1, 3), 2.5), np.array([[[1.5, np.nan, 1.5]]])
    u[0, 0, 2] = np.inf
    found = ops.convert_to_numpy(view_synthesis.sample(image, tensor(u), tensor(v)))
    assert np.isfinite(found[0, 0, 0]).all()
    assert np.isnan(found[0, 0, 1]).all()
    border = sampled(ops.convert_to_numpy(image)[0], WIDTH - 1, 1.5)
    np.testing.assert_allclose(found[0, 0, 2], border, atol=1e-5)


def test_geometry_equals_the_reference(reference: Path) -> None:
    with np.load(reference / "geometry.npz") as file:
        given = {name: tensor(file[name]) for name in file}
    motion = (given["axis_angle"], given["translation"])
    inverse_depth = view_synthesis.inverse_depth(given["disparity"][..., 0])
    u, v = view_synthesis.project(inverse_depth, given["intrinsics"], given["T_target_to_source"])
    found = {
        "T_target_to_source": (view_synthesis.transform(*motion), 1e-6),
        "T_source_to_target": (view_synthesis.inverse_transform(*motion), 1e-6),
        "depth_m": (1 / inverse_depth[..., None], 1e-5),
        "pixel_xy": (ops.stack([u, v], axis=-1), 1e-3),
        "warped": (view_synthesis.sample(given["source"], u, v), 1e-4),
    }
    for name, (value, tolerance) in found.items():
        np.testing.assert_allclose(
            ops.convert_to_numpy(value),
            ops.convert_to_numpy(given[name]),
            atol=tolerance,
            err_msg=name,
        )
