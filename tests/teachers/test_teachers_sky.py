"""Sky by its looks: what it is, what it is not, and how much of real sky it finds."""

from pathlib import Path

import numpy as np
import pytest

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.datasets.label_store import read_train_id_png
from mtdepth.pictures import read_rgb
from teachers.interface import StereoSample, Teacher
from teachers.sky import WithoutSky, sky_of

HORIZON, WIRE = 60, 20


def street() -> np.ndarray:
    """Blue sky with a wire across it, trees of noise below, and a white van among them."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (120, 320, 3)).astype(np.uint8)
    image[:HORIZON] = (110, 150, 210)
    image[WIRE : WIRE + 2] = 30
    image[80:110, 40:120] = 250
    return image


def test_sky_is_what_is_light_and_plain_up_to_the_upper_edge() -> None:
    found = sky_of(street())
    assert found[: WIRE - 1].all()
    assert found[WIRE + 4 : HORIZON - 4].all()  # the wire does not divide it
    assert not found[WIRE : WIRE + 2].any()
    assert not found[HORIZON + 4 :].any()


def test_the_black_rim_of_a_rectified_picture_is_no_sky_and_hides_none() -> None:
    image = street()
    for column in range(320):  # bent, as a lens is
        image[: 2 + column // 80, column] = 0
    found = sky_of(image)
    assert not found[:2].any()
    assert found[12 : WIRE - 1].all()
    assert not found[HORIZON + 4 :].any()


@pytest.mark.parametrize("change", ["dark", "textured", "below", "small"])
def test_what_is_no_sky(change: str) -> None:
    image = street()
    if change == "dark":
        image[:HORIZON] = (60, 60, 60)
    elif change == "textured":
        image[:HORIZON] = np.random.default_rng(1).integers(100, 256, (HORIZON, 320, 1))
    elif change == "below":  # a light wall that ends below the edge
        image[:12] = np.random.default_rng(1).integers(0, 256, (12, 320, 3))
    else:
        image[:HORIZON] = np.random.default_rng(1).integers(0, 256, (HORIZON, 320, 3))
        image[:8, :8] = 250
    assert not sky_of(image).any()


class Painter(Teacher[np.ndarray]):
    """Has 10 m everywhere."""

    name, version, source, needs_partner = "painter", "1", "a test", True

    def predict(self, sample: StereoSample) -> np.ndarray:
        return np.full(sample.size_px, 10, np.float32)


def test_a_teacher_has_no_depth_there_and_its_version_says_so() -> None:
    image = street()
    frame = FrameId("garden", 0)
    sample = StereoSample(frame, image, None, focal_px=100.0, baseline_m=0.2)
    teacher = WithoutSky(Painter())
    np.testing.assert_array_equal(teacher.predict(sample), np.where(sky_of(image), 0, 10))
    assert (teacher.name, teacher.source, teacher.needs_partner) == ("painter", "a test", True)
    assert teacher.version != Painter.version


@pytest.mark.dataset
def test_of_real_sky_nine_tenths_are_found_and_little_else(kitti_mini: Path) -> None:
    found = known = right = 0
    for path in sorted((kitti_mini / "teacher/espnetv2_train_id").rglob("*.png"))[::7]:
        train_id = read_train_id_png(path)
        drive, name = path.parts[-2], path.stem
        folder = kitti_mini / "raw" / drive[:10] / drive / "image_02" / "data"
        sky = sky_of(read_rgb(next(folder.glob(f"{name}.*"))))
        is_sky = train_id == CLASS_NAMES.index("sky")
        right += np.count_nonzero(sky & is_sky)
        found += np.count_nonzero(sky & (train_id != 255))
        known += np.count_nonzero(is_sky)
    assert right / found > 0.95
    assert right / known > 0.9
