"""PSMNet as a teacher: padding, mirrored right frames, batches, metres."""

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from oracles.psmnet_torch import PsmnetOracle, random_state

from mtdepth.datasets.calibration import Side
from mtdepth.datasets.frames import FrameId
from teachers.imagenet import normalise_imagenet
from teachers.interface import StereoSample
from teachers.psmnet.checkpoint import PsmnetCheckpoint, save
from teachers.psmnet.teacher import PsmnetTeacher

Image = npt.NDArray[np.uint8]
MAX_DISPARITY_PX = 32


@functools.cache
def tensors() -> dict[str, npt.NDArray[np.float32]]:
    return {
        name: value.numpy()
        for name, value in random_state(seed=4).items()
        if not name.endswith("num_batches_tracked")
    }


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("psmnet") / "w.npz"
    checkpoint = PsmnetCheckpoint(
        tensors=tensors(),
        align_corners=True,
        max_disparity_px=MAX_DISPARITY_PX,
        origin="random.tar",
    )
    save(checkpoint, path)
    return path


@pytest.fixture(scope="module")
def teacher(weights: Path) -> PsmnetTeacher:
    return PsmnetTeacher(weights)


def picture(height: int, width: int, *, seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def sample(*, side: Side, seed: int, height: int = 75, width: int = 93) -> StereoSample:
    return StereoSample(
        frame=FrameId("2011_09_26_drive_0001_sync", 5, side),
        image=picture(height, width, seed=seed),
        partner=picture(height, width, seed=seed + 1),
        focal_px=100.0,
        baseline_m=0.5,
    )


def test_an_odd_size_is_padded_above_and_to_the_right_and_cropped(weights: Path) -> None:
    left, right = picture(250, 301, seed=1), picture(250, 301, seed=2)
    found_px = PsmnetTeacher(weights, max_disparity_px=16).disparity_px(left, right)
    oracle = PsmnetOracle(max_disparity_px=16, align_corners=True).eval()
    oracle.load_state_dict({n: torch.from_numpy(t) for n, t in tensors().items()}, strict=False)
    views = [
        torch.nn.functional.pad(
            torch.from_numpy(normalise_imagenet(image)).permute(2, 0, 1)[None], (0, 3, 6, 0)
        )
        for image in (left, right)
    ]
    with torch.inference_mode():
        expected_px = oracle(*views)[0, 6:, :301].numpy()
    np.testing.assert_allclose(found_px, expected_px, atol=1e-3)


def test_metres_are_those_of_the_disparity(teacher: PsmnetTeacher) -> None:
    one = sample(side="l", seed=3)
    assert one.partner is not None
    depth_m = teacher.predict(one)
    assert depth_m.dtype == np.float32
    np.testing.assert_allclose(
        depth_m, 100.0 * 0.5 / teacher.disparity_px(one.image, one.partner), rtol=1e-5
    )


def test_a_mirrored_pair_gives_the_mirrored_depth(teacher: PsmnetTeacher) -> None:
    left = sample(side="l", seed=3)
    assert left.partner is not None
    right = StereoSample(
        frame=FrameId(left.frame.drive, left.frame.index, "r"),
        image=np.ascontiguousarray(left.image[:, ::-1]),
        partner=np.ascontiguousarray(left.partner[:, ::-1]),
        focal_px=left.focal_px,
        baseline_m=left.baseline_m,
    )
    np.testing.assert_array_equal(teacher.predict(right), teacher.predict(left)[:, ::-1])


def test_a_batch_is_its_members(teacher: PsmnetTeacher) -> None:
    members = [sample(side="l", seed=5), sample(side="r", seed=7)]
    together = teacher.predict_batch(members)
    for one, depth_m in zip(members, together, strict=True):
        # Convolutions of a batch sum in another order: hundredths of a per cent.
        np.testing.assert_allclose(teacher.predict(one), depth_m, rtol=1e-3)


@pytest.mark.slow
def test_bfloat16_stays_close(teacher: PsmnetTeacher, weights: Path) -> None:
    # The padded size of `sample`, for which the teacher is compiled already.
    views = picture(80, 96, seed=8), picture(80, 96, seed=9)
    half_px = PsmnetTeacher(weights, dtype="bfloat16").disparity_px(*views)
    exact_px = teacher.disparity_px(*views)
    # 8 bits of mantissa through fifty layers of random weights.
    assert np.abs(half_px - exact_px).mean() < 0.3
    assert half_px.dtype == np.float32


def test_the_version_names_weights_and_settings(weights: Path) -> None:
    version = PsmnetTeacher(weights).version
    assert "random.tar" in version
    assert "align_corners=True" in version
    assert "max_disparity_px=32" in version
    assert PsmnetTeacher(weights, max_disparity_px=48).version != version
    assert PsmnetTeacher(weights, dtype="bfloat16").version != version
    assert "PSMNet" in PsmnetTeacher(weights).source


def test_views_of_two_sizes_are_refused(teacher: PsmnetTeacher) -> None:
    with pytest.raises(ValueError, match="one size"):
        teacher.disparity_px(picture(32, 32, seed=0), picture(32, 48, seed=0))


def test_a_range_off_the_grid_is_refused_at_once(weights: Path) -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        PsmnetTeacher(weights, max_disparity_px=100)
