import numpy as np
import pytest

from mtdepth.metrics.baseline import training_mean

SIZE = (20, 60)


def flat(depth_m: float) -> np.ndarray:
    return np.full(SIZE, depth_m, np.float32)


def test_the_mean_is_that_of_the_logarithm() -> None:
    baseline = training_mean([flat(4.0), flat(25.0)], None, size=SIZE)
    # exp((ln 4 + ln 25) / 2) = 10, not 14.5; float32
    np.testing.assert_allclose(baseline.mean_depth_m, 10.0, rtol=1e-6)
    assert baseline.mean_depth_m.dtype == np.float32


def test_unmeasured_pixels_weigh_nothing_even_under_the_smoothing() -> None:
    holed = flat(7.0)
    holed[5:9, 10:30] = 0
    holed[:, -1] = 0
    baseline = training_mean([holed, np.zeros(SIZE, np.float32)], None, size=SIZE)
    np.testing.assert_allclose(baseline.mean_depth_m, 7.0, rtol=1e-6)


def test_a_pixel_measured_nowhere_takes_its_nearest_neighbour() -> None:
    depth = np.zeros(SIZE, np.float32)
    depth[:, 5], depth[:, 55] = 6.0, 48.0
    mean = training_mean([depth], None, size=SIZE).mean_depth_m
    np.testing.assert_allclose(mean[:, 0], 6.0, rtol=1e-5)
    np.testing.assert_allclose(mean[:, 20], 6.0, rtol=1e-5)
    np.testing.assert_allclose(mean[:, 45], 48.0, rtol=1e-5)


def test_an_asymmetric_scene_keeps_its_place() -> None:
    depth = flat(40.0)
    depth[12:, :20] = 5.0  # lower left
    mean = training_mean([depth], None, size=(40, 30)).mean_depth_m
    assert mean.shape == (40, 30)
    assert mean[38, 1] == pytest.approx(5.0, rel=1e-5)
    assert mean[38, 28] == mean[1, 1] == pytest.approx(40.0, rel=1e-5)


def test_the_majority_ignores_255_and_votes_per_pixel() -> None:
    votes = [
        np.array([[8, 0, 255, 255]], np.uint8),
        np.array([[8, 1, 10, 255]], np.uint8),
        np.array([[0, 1, 255, 255]], np.uint8),
    ]
    baseline = training_mean([np.ones((1, 4), np.float32)], iter(votes), size=(1, 4))
    assert baseline.majority_train_id.tolist() == [[8, 1, 10, 255]]
    assert baseline.majority_train_id.dtype == np.uint8


def test_without_class_labels_there_is_no_majority() -> None:
    baseline = training_mean([flat(1.0)], None, size=SIZE)
    assert (baseline.majority_train_id == 255).all()


def test_labels_that_measure_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="measures a single pixel"):
        training_mean([np.zeros(SIZE, np.float32)], None, size=SIZE)
