"""Photometric error, smoothness and their sum against float64 loops and a reference."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from mtdepth.losses import photometric, smoothness, view_synthesis
from mtdepth.losses.video import VideoLossWeights, target_to_sources, video_loss

PAPERS = VideoLossWeights(
    ssim=0.85, smoothness=0.001, sharpness=10.0, scale_decay=1.0, auto_mask=False
)

RNG = np.random.default_rng(1)
SHAPE = (2, 8, 12)
K = np.array([[10.0, 0, 5.2], [0, 12.0, 3.4], [0, 0, 1]])


def tensor(array: np.ndarray) -> object:
    return ops.convert_to_tensor(np.asarray(array, np.float32))


def blurred(image: np.ndarray) -> np.ndarray:
    """Mean over 3x3 with the border reflected (the border pixel itself not repeated)."""
    padded = np.pad(image, [(1, 1), (1, 1), (0, 0)], mode="reflect")
    height, width = image.shape[:2]
    return sum(padded[i : i + height, j : j + width] for i in range(3) for j in range(3)) / 9


def dissimilarity(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of two `[H, W, C]`; variances as means of squared deviations in each window."""
    mean_x, mean_y = blurred(x), blurred(y)
    result = np.empty_like(x)
    padded_x, padded_y = (np.pad(a, [(1, 1), (1, 1), (0, 0)], mode="reflect") for a in (x, y))
    for row, column in np.ndindex(x.shape[:2]):
        window_x = padded_x[row : row + 3, column : column + 3] - mean_x[row, column]
        window_y = padded_y[row : row + 3, column : column + 3] - mean_y[row, column]
        variance_x, variance_y = (window_x**2).mean((0, 1)), (window_y**2).mean((0, 1))
        covariance = (window_x * window_y).mean((0, 1))
        mx, my = mean_x[row, column], mean_y[row, column]
        above = (2 * mx * my + 1e-4) * (2 * covariance + 9e-4)
        below = (mx**2 + my**2 + 1e-4) * (variance_x + variance_y + 9e-4)
        result[row, column] = np.clip((1 - above / below) / 2, 0, 1)
    return result


def errors(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    colour = np.abs(x - y).mean(-1)
    return 0.85 * dissimilarity(x, y).mean(-1) + 0.15 * colour, colour


def smooth(disparity: np.ndarray, image: np.ndarray, weight: np.ndarray) -> float:
    d = disparity / disparity.mean()
    x = np.abs(np.diff(d, axis=1)) * np.exp(-np.abs(np.diff(image, axis=1)).mean(-1))
    y = np.abs(np.diff(d, axis=0)) * np.exp(-np.abs(np.diff(image, axis=0)).mean(-1))
    return (x * weight[:, :-1]).mean() + (y * weight[:-1]).mean()


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    first = RNG.random((*SHAPE, 3))
    return first, np.clip(first + RNG.normal(0, 0.1, first.shape), 0, 1)


def test_photometric_error_is_the_papers(images: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = images
    found = ops.convert_to_numpy(
        photometric.photometric_error(tensor(x), tensor(y), ssim_weight=0.85)
    )
    wanted = [errors(*pair)[0] for pair in zip(x, y, strict=True)]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    same = ops.convert_to_numpy(
        photometric.photometric_error(tensor(x), tensor(x), ssim_weight=0.85)
    )
    np.testing.assert_allclose(same, 0, atol=1e-5)


def test_smoothness_counts_weighted_steps_of_the_normalised_disparity(
    images: tuple[np.ndarray, np.ndarray],
) -> None:
    disparity, weight = 0.1 + RNG.random(SHAPE), RNG.random(SHAPE)
    wanted = [smooth(*args) for args in zip(disparity, images[0], weight, strict=True)]
    args = tensor(disparity), tensor(images[0]), tensor(weight)
    assert float(smoothness.smoothness(*args)) == pytest.approx(np.mean(wanted), rel=1e-5)
    # Without the division by its mean, a disparity could be made smooth by making it small.
    shrunk = float(smoothness.smoothness(args[0] / 7, *args[1:]))
    assert shrunk == pytest.approx(np.mean(wanted), rel=1e-5)


def test_the_model_driven_weight_is_the_papers_and_a_constant() -> None:
    error = RNG.random(SHAPE)
    found = ops.convert_to_numpy(smoothness.model_driven_weight(tensor(error), sharpness=10.0))
    wanted = np.exp(-10 * error / error.mean(axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    perfect = smoothness.model_driven_weight(tensor(np.zeros(SHAPE)), sharpness=10.0)
    np.testing.assert_array_equal(ops.convert_to_numpy(perfect), 1.0)


def test_terms_equal_the_reference(reference: Path) -> None:
    with np.load(reference / "geometry.npz") as file:
        given = {name: tensor(file[name]) for name in file}
    pair = (given["target"], given["warped"])
    found = {
        "ssim_dissimilarity": photometric.ssim_dissimilarity(*pair),
        "photometric": photometric.photometric_error(*pair, ssim_weight=0.85)[..., None],
        "smoothness": smoothness.smoothness(given["disparity"][..., 0], given["target"]),
    }
    for name, value in found.items():
        np.testing.assert_allclose(
            ops.convert_to_numpy(value), ops.convert_to_numpy(given[name]), atol=1e-4, err_msg=name
        )


@dataclasses.dataclass
class Scene:
    frames: np.ndarray
    codes: list[np.ndarray]
    poses: np.ndarray

    def loss(self, **weights: object) -> tuple[float, dict]:
        total, parts, views = video_loss(
            [tensor(code) for code in self.codes],
            tensor(self.frames),
            tensor(np.tile(K, (len(self.frames), 1, 1))),
            target_to_sources(tensor(self.poses)),
            dataclasses.replace(PAPERS, **weights),
        )
        found = {name: ops.convert_to_numpy(part) for name, part in parts.items()}
        return float(total), found | {"views": views}


@pytest.fixture(scope="module")
def scene() -> Scene:
    rng = np.random.default_rng(2)
    batch, height, width = SHAPE
    return Scene(
        frames=rng.random((batch, 3, height, width, 3)),
        codes=[
            rng.normal(0, 0.5, (batch, height, width, 1)),
            rng.normal(0, 0.5, (batch, height // 2, width // 2, 1)),
        ],
        poses=rng.normal(0, 0.01, (batch, 2, 6)),
    )


def test_the_loss_is_the_sum_that_the_paper_writes(scene: Scene) -> None:
    """Least error of both sources and beta, scale by scale, in float64 from the warped pictures."""
    total, parts = scene.loss(smoothness=0.3, scale_decay=0.5)
    views = parts["views"]
    wanted, wanted_smooth = np.zeros(2), np.zeros(2)
    for scale, index in np.ndindex(2, len(scene.frames)):
        target = scene.frames[index, 1]
        both = [errors(target, ops.convert_to_numpy(w)[scale, index]) for w in views.warped]
        (first, first_colour), (second, second_colour) = both
        wanted[scale] += np.minimum(first, second).mean() / len(scene.frames)
        colour = np.where(second < first, second_colour, first_colour)
        beta = np.exp(-10 * colour / colour.mean())
        disparity = ops.convert_to_numpy(views.unit_inverse_depth)[scale, index]
        wanted_smooth[scale] += smooth(disparity, target, beta) / len(scene.frames)
    np.testing.assert_allclose(parts["photometric"], wanted, rtol=1e-5)
    np.testing.assert_allclose(parts["smoothness"], wanted_smooth, rtol=1e-4)
    weighted = 0.3 * (wanted_smooth * [1, 0.5]).sum()
    assert total == pytest.approx(wanted.sum() + weighted, rel=1e-5)


def test_coarse_disparities_are_enlarged_bilinearly_and_judged_at_full_size(scene: Scene) -> None:
    found = ops.convert_to_numpy(scene.loss()[1]["views"].unit_inverse_depth)[1]
    assert found.shape == SHAPE
    # Between the centres of two coarse pixels, a quarter from the nearer one.
    coarse = 1 / (1 + np.exp(-scene.codes[1][..., 0]))
    rows = 0.75 * coarse[:, 1] + 0.25 * coarse[:, 0]
    np.testing.assert_allclose(found[:, 2, 4], 0.75 * rows[:, 2] + 0.25 * rows[:, 1], rtol=1e-5)


def test_a_still_camera_teaches_nothing_where_the_mask_is_on(scene: Scene) -> None:
    still = dataclasses.replace(scene, frames=np.repeat(scene.frames[:, 1:2], 3, axis=1))
    view = still.loss(auto_mask=True)[1]["views"]
    assert not ops.convert_to_numpy(view.is_moving).any()
    total, parts = still.loss(auto_mask=True, smoothness=0.0)
    assert total == pytest.approx(0, abs=1e-4)
    assert still.loss(smoothness=0.0)[0] > 0.1
    assert parts["views"].is_moving is not None
    assert scene.loss()[1]["views"].is_moving is None


def test_the_mask_does_not_flatter_a_motion_that_explains_nothing(scene: Scene) -> None:
    wild = dataclasses.replace(scene, poses=np.full_like(scene.poses, 0.3))
    plain, masked = (wild.loss(auto_mask=on, smoothness=0.0)[0] for on in (False, True))
    unmoved = [
        [errors(frames[1], frames[source])[0] for source in (0, 2)] for frames in scene.frames
    ]
    views = wild.loss(auto_mask=True)[1]["views"]
    least = np.minimum(ops.convert_to_numpy(views.error), np.min(unmoved, axis=1))
    np.testing.assert_allclose(ops.convert_to_numpy(views.counted), least, atol=1e-5)
    assert 0.5 * plain < masked < plain


def test_the_earlier_sources_motion_is_turned_round(scene: Scene) -> None:
    to_earlier, to_later = map(ops.convert_to_numpy, target_to_sources(tensor(scene.poses)))
    back, forth = (
        ops.convert_to_numpy(
            view_synthesis.transform(tensor(scene.poses[:, i, :3]), tensor(scene.poses[:, i, 3:]))
        )
        for i in (0, 1)
    )
    np.testing.assert_allclose(to_earlier, np.linalg.inv(back), atol=1e-6)
    np.testing.assert_allclose(to_later, forth, atol=1e-6)


def test_the_true_depth_and_motion_explain_a_moving_camera_best() -> None:
    """A textured wall at depth 2 seen from three places: the loss is least at the truth."""

    def wall(shift_px: float) -> np.ndarray:
        v, u = np.indices((16, 48)).astype(float)
        grey = 0.5 + 0.4 * np.sin((u + shift_px) / 3.0) * np.cos(v / 4.0)
        return np.repeat(grey[..., None], 3, axis=-1)

    # The camera goes right by 0.4: at depth 2 and 10 px focal length the wall goes left by 2 px.
    frames = np.stack([wall(-2.0), wall(0.0), wall(2.0)])[None]
    poses = np.zeros((1, 2, 6))
    poses[..., 3] = -0.4  # X_later = X_earlier - (0.4, 0, 0)

    def loss(depth: float, poses: np.ndarray) -> float:
        unit = (1 / depth - 0.01) / 10
        codes = [np.full((1, 16, 48, 1), np.log(unit / (1 - unit)))]
        return Scene(frames, codes, poses).loss(smoothness=0.0)[0]

    truth = loss(2.0, poses)
    assert truth < 0.02
    assert all(loss(depth, poses) > 3 * truth for depth in (1.4, 2.8))
    assert loss(2.0, -poses) > 3 * truth
