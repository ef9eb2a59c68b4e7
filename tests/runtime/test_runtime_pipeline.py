"""Metres belong to a camera; a predictor rescales them or says so."""

import dataclasses
import logging

import numpy as np
import numpy.typing as npt
import pytest

from mtdepth.contract import Fit
from mtdepth.files import UserError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import LogDepthCodec
from mtdepth.runtime.pipeline import NetworkOutput, Pipeline

TRAINING = Intrinsics(fx_px=50.0, fy_px=72.0, cx_px=47.5, cy_px=31.5, width_px=96, height_px=64)
IMAGE = np.zeros((128, 192, 3), np.uint8)
# Twice the size of the network's input: the training camera, before the picture was shrunk.
SAME = Intrinsics(fx_px=100.0, fy_px=144.0, cx_px=95.5, cy_px=63.5, width_px=192, height_px=128)

CODEC = LogDepthCodec(near_m=4.0, far_m=80.0)


@dataclasses.dataclass
class FakeBackend:
    """Answers the same depth and class everywhere, at half the input's size."""

    training_camera: Intrinsics | None = TRAINING
    is_metric: bool = True
    fit: Fit = "stretch"
    depth_m: float = 20.0
    has_classes: bool = True
    input_size: tuple[int, int] = (64, 96)
    codec: LogDepthCodec = CODEC
    tasks: tuple[str, ...] = ("depth", "segmentation")
    seen: list[npt.NDArray[np.uint8]] = dataclasses.field(default_factory=list)

    def infer(self, image: npt.NDArray[np.uint8]) -> NetworkOutput:
        self.seen.append(image)
        train_id = np.full((32, 48), 13, np.uint8) if self.has_classes else None
        return NetworkOutput(np.full((32, 48), self.depth_m, np.float32), train_id)


def camera(scale: float) -> Intrinsics:
    return dataclasses.replace(SAME, fx_px=SAME.fx_px * scale, fy_px=SAME.fy_px * scale)


def test_a_prediction_has_the_pictures_size() -> None:
    backend = FakeBackend()
    prediction = Pipeline(backend).predict(IMAGE, camera=SAME)
    assert backend.seen[0].shape == (64, 96, 3)
    assert prediction.depth_m.shape == (128, 192)
    assert prediction.depth_m.dtype == np.float32
    assert prediction.train_id is not None
    assert prediction.train_id.shape == (128, 192)
    assert (prediction.train_id == 13).all()


def test_the_training_camera_leaves_depth_as_it_is() -> None:
    prediction = Pipeline(FakeBackend()).predict(IMAGE, camera=SAME)
    np.testing.assert_allclose(prediction.depth_m, 20.0, rtol=1e-6)


def test_depth_grows_with_the_focal_length() -> None:
    prediction = Pipeline(FakeBackend()).predict(IMAGE, camera=camera(1.5))
    np.testing.assert_allclose(prediction.depth_m, 30.0, rtol=1e-6)  # 20 m * 1.5


def test_the_focal_length_counts_at_the_networks_input() -> None:
    # A picture of twice the resolution of the same camera shows the same scene.
    large = camera(1.0).resized(width_px=384, height_px=256)
    prediction = Pipeline(FakeBackend()).predict(np.zeros((256, 384, 3), np.uint8), camera=large)
    np.testing.assert_allclose(prediction.depth_m, 20.0, rtol=1e-6)


def test_the_far_limit_moves_with_the_focal_length_and_near_depth_is_kept() -> None:
    far = Pipeline(FakeBackend(depth_m=80.0)).predict(IMAGE, camera=camera(0.5))
    np.testing.assert_allclose(far.depth_m, 40.0, rtol=1e-6)
    near = Pipeline(FakeBackend(depth_m=0.5)).predict(IMAGE, camera=SAME)
    np.testing.assert_allclose(near.depth_m, 0.5, rtol=1e-6)


def test_a_missing_camera_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    predictor = Pipeline(FakeBackend())
    with caplog.at_level(logging.WARNING):
        predictor.predict(IMAGE)
        predictor.predict(IMAGE)
    (message,) = [record.getMessage() for record in caplog.records]
    # sqrt(50 * 72) = 60
    assert "focal length 60.0 px at 96x64" in message
    assert "--focal_px" in message


def test_a_model_without_a_camera_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    predictor = Pipeline(FakeBackend(training_camera=None))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(predictor.predict(IMAGE, camera=SAME).depth_m, 20.0)
        predictor.predict(IMAGE)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "does not say which camera" in message


def test_relative_depth_is_never_taken_for_metres(caplog: pytest.LogCaptureFixture) -> None:
    predictor = Pipeline(FakeBackend(is_metric=False))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(predictor.predict(IMAGE, camera=camera(2.0)).depth_m, 20.0)
        predictor.predict(IMAGE)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "relative, without a unit" in message


def test_another_aspect_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    predictor = Pipeline(FakeBackend())
    slightly = dataclasses.replace(SAME, fx_px=SAME.fx_px * 1.04)
    clearly = dataclasses.replace(SAME, fx_px=SAME.fx_px * 1.2)
    with caplog.at_level(logging.WARNING):
        predictor.predict(IMAGE, camera=slightly)
        assert not caplog.records
        predictor.predict(IMAGE, camera=clearly)
        predictor.predict(IMAGE, camera=clearly)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "20 % wider" in message


SQUARE = dataclasses.replace(TRAINING, fx_px=60.0, fy_px=60.0)


@pytest.mark.parametrize(
    ("size", "training", "fit"),
    [
        ((128, 192), SQUARE, "stretch"),  # the network's own shape
        ((132, 192), SQUARE, "stretch"),  # squeezed by 3 %
        ((140, 192), SQUARE, "mirror"),
        ((128, 400), SQUARE, "mirror"),
        ((128, 192), TRAINING, "stretch"),  # squeezed in training, by 0.69, as it is now not
        ((89, 192), TRAINING, "stretch"),  # what it was trained on
        ((128, 192), None, "stretch"),
    ],
)
def test_what_training_did_not_squeeze_is_not_squeezed(
    size: tuple[int, int], training: Intrinsics | None, fit: str
) -> None:
    assert Pipeline(FakeBackend(training_camera=training)).fit_of(size) == fit
    assert Pipeline(FakeBackend(training_camera=SQUARE, fit="crop")).fit_of(size) == "crop"
    relative = FakeBackend(training_camera=SQUARE, is_metric=False)
    assert Pipeline(relative).fit_of(size) == "stretch"


def test_a_photo_of_another_shape_keeps_its_metres(caplog: pytest.LogCaptureFixture) -> None:
    backend = FakeBackend(training_camera=SQUARE)
    # 64 rows of 256: the network's 60 px are 240 px here.
    photo = Intrinsics(fx_px=360, fy_px=360, cx_px=95.5, cy_px=127.5, width_px=192, height_px=256)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            seen = Pipeline(backend).predict(np.zeros((256, 192, 3), np.uint8), camera=photo)
    np.testing.assert_allclose(seen.depth_m, 30.0, rtol=1e-6)  # 20 m * 360 / 240
    assert seen.depth_m.shape == (256, 192)
    assert "sees them whole but small, at 48x64" in caplog.records[0].getMessage()


def test_what_is_cropped_away_is_not_predicted() -> None:
    wide = np.zeros((64, 160, 3), np.uint8)
    prediction = Pipeline(FakeBackend(fit="crop")).predict(wide)
    assert prediction.train_id is not None
    is_seen = np.zeros((64, 160), bool)
    is_seen[:, 32:128] = True  # 96 of 160 columns, centred
    np.testing.assert_array_equal(prediction.depth_m > 0, is_seen)
    np.testing.assert_array_equal(prediction.train_id != 255, is_seen)


def test_depth_alone_gives_no_classes() -> None:
    prediction = Pipeline(FakeBackend(has_classes=False)).predict(IMAGE, camera=SAME)
    assert prediction.train_id is None


def test_a_camera_that_no_lens_has_is_refused() -> None:
    # Millimetres, and a normalised K: depth would be a hundredth.
    for focal_px in (4.2, 0.7):
        wrong = dataclasses.replace(SAME, fx_px=focal_px, fy_px=focal_px)
        with pytest.raises(UserError, match=r"camera: a focal length of .*millimetres"):
            Pipeline(FakeBackend()).predict(IMAGE, camera=wrong)


def test_a_camera_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"camera is for 128x192 .* the picture is 128x200"):
        Pipeline(FakeBackend()).predict(np.zeros((128, 200, 3), np.uint8), camera=SAME)
