"""The segmentation teacher and its program, on a small network of random weights."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from fakes.frozen_graph import write_frozen_graph
from fakes.programs import run_program

from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_map import PALETTE
from mtdepth.files import DataError
from teachers.deeplab_v3.checkpoint import DeepLabInfo, save_deeplab
from teachers.deeplab_v3.network import build_deeplab, load_deeplab
from teachers.deeplab_v3.teacher import DeepLabTeacher
from teachers.imagenet import normalise_imagenet
from teachers.interface import StereoSample

SIZE = (70, 100)  # neither side a multiple of 32

Image = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = build_deeplab(backbone="mobilenet_v3_small", head="v3")
    # Fresh weights hardly tell the classes apart; larger ones at the end do.
    layer = model.get_layer("coarse_logits")
    layer.kernel.assign(layer.kernel * 400)
    path = tmp_path_factory.mktemp("deeplab") / "net.keras"
    info = DeepLabInfo(backbone="mobilenet_v3_small", head="v3", origin="random")
    save_deeplab(path, model, info)
    return path


@pytest.fixture(scope="module", autouse=True)
def _read_once() -> Iterator[None]:
    """The teachers of these weights share a network, which takes two seconds to read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("teachers.deeplab_v3.network.load_deeplab", functools.cache(load_deeplab))
        yield


@pytest.fixture(scope="module")
def plain(weights: Path) -> DeepLabTeacher:
    return DeepLabTeacher(weights)


@pytest.fixture(scope="module")
def flipped(weights: Path) -> DeepLabTeacher:
    return DeepLabTeacher(weights, flip=True)


def picture(seed: int = 0, size: tuple[int, int] = SIZE) -> Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def sample(seed: int = 0, size: tuple[int, int] = SIZE) -> StereoSample:
    return StereoSample(
        frame=FrameId("2011_09_26_drive_0005_sync", 10, "l"),
        image=picture(seed, size),
        partner=None,
        focal_px=700.0,
        baseline_m=0.5,
    )


def test_it_labels_the_picture_at_its_own_size(plain: DeepLabTeacher) -> None:
    train_id = plain.predict(sample())
    assert plain.name == "deeplab_v3"
    assert train_id.shape == SIZE
    assert train_id.dtype == np.uint8
    assert len(np.unique(train_id)) > 1
    assert train_id.max() < 19


def test_it_is_the_networks_winner_on_the_padded_picture(
    plain: DeepLabTeacher, weights: Path
) -> None:
    model, _ = load_deeplab(weights)
    padded = np.pad(picture(), ((0, 26), (0, 28), (0, 0)), mode="edge")
    logits = np.asarray(model(normalise_imagenet(padded)[None], training=False))[0, :70, :100]
    exponents = np.exp(logits - logits.max(-1, keepdims=True), dtype=np.float64)
    expected = exponents / exponents.sum(-1, keepdims=True)
    np.testing.assert_allclose(plain.probabilities(picture()), expected, atol=1e-5)


def test_a_batch_is_its_pictures_to_the_byte(flipped: DeepLabTeacher) -> None:
    samples = [sample(1), sample(2), sample(3)]
    batch = flipped.predict_batch(samples)
    for one, single in zip(batch[::-1], samples[::-1], strict=True):
        np.testing.assert_array_equal(one, flipped.predict(single))


def test_with_flip_a_mirrored_picture_has_the_mirrored_labels(
    plain: DeepLabTeacher, flipped: DeepLabTeacher
) -> None:
    # A width that needs padding, which lies on the other side of the mirrored picture.
    mirrored = np.ascontiguousarray(picture()[:, ::-1])
    np.testing.assert_array_equal(
        flipped.probabilities(mirrored)[:, ::-1], flipped.probabilities(picture())
    )
    assert (plain.train_ids(mirrored)[:, ::-1] != plain.train_ids(picture())).any()


def test_the_floor_takes_away_what_the_probabilities_say(
    plain: DeepLabTeacher, weights: Path
) -> None:
    confidence = plain.probabilities(picture()).max(-1)
    floor = float(np.median(confidence))
    kept = DeepLabTeacher(weights, confidence_floor=floor).train_ids(picture())
    np.testing.assert_array_equal(kept == 255, confidence < np.float32(floor))
    np.testing.assert_array_equal(kept[kept != 255], plain.train_ids(picture())[kept != 255])


def test_the_version_names_what_changes_the_labels(weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.keras"
    other.write_bytes(weights.read_bytes() + b"\0")
    frozen = write_frozen_graph(tmp_path / "g.pb")
    teachers = [
        DeepLabTeacher(weights),
        DeepLabTeacher(weights, flip=True),
        DeepLabTeacher(weights, scales=(1.0, 2.0)),
        DeepLabTeacher(weights, confidence_floor=0.3),
        DeepLabTeacher(other),
        DeepLabTeacher(frozen),
    ]
    versions = {teacher.version for teacher in teachers}
    assert len(versions) == len(teachers)
    assert "v3 on mobilenet_v3_small, sha256 " in teachers[0].version
    assert DeepLabTeacher(weights).version == teachers[0].version


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": ()}, "--scales are different positive numbers"),
        ({"scales": (1.0, 1.0)}, "--scales are different positive numbers"),
        ({"scales": (0.0, 1.0)}, "--scales are different positive numbers"),
        ({"scales": (float("nan"),)}, "--scales are different positive numbers"),
        ({"scales": (float("inf"),)}, "--scales are different positive numbers"),
        ({"confidence_floor": 1.0}, "--confidence_floor is 0 or more and below 1, got 1"),
        ({"confidence_floor": -0.1}, "--confidence_floor is 0 or more"),
        ({"confidence_floor": float("nan")}, "--confidence_floor is 0 or more"),
    ],
)
def test_options_out_of_range_are_refused(
    options: dict[str, Any], message: str, weights: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        DeepLabTeacher(weights, **options)


def test_other_files_are_refused(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(ValueError, match=r"net\.h5: DeepLab weights are a \.keras file.*\.tar\.gz"):
        DeepLabTeacher(tmp_path / "net.h5")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.keras"):
        DeepLabTeacher(tmp_path / "nowhere.keras")
    cut = tmp_path / "cut.keras"
    cut.write_bytes(weights.read_bytes()[:-5000])
    with pytest.raises(DataError, match="cut short"):
        DeepLabTeacher(cut)


def test_the_program_labels_one_picture(tmp_path: Path) -> None:
    ids = np.repeat(np.arange(19, dtype=np.uint8), 2)[None].repeat(30, axis=0)
    cv2.imwrite(str(tmp_path / "street.png"), PALETTE[ids][..., ::-1])
    graph = write_frozen_graph(tmp_path / "g.pb")
    given = ["--weights", str(graph), "--image", str(tmp_path / "street.png")]
    written = ["--output", str(tmp_path / "ids.png"), "--picture", str(tmp_path / "overlay.png")]
    done = run_program(
        "teachers.deeplab_v3", *given, *written, "--flip", "--confidence_floor", "0.2"
    )
    assert done.returncode == 0, done.stderr
    found = cv2.imread(str(tmp_path / "ids.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found, ids)
    assert cv2.imread(str(tmp_path / "overlay.png")).shape == (30, 38, 3)
    assert "road 5.3%" in done.stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"scales": "1,two"}, "--scales are numbers with commas between, got ['1', 'two']"),
        ({"scales": "0"}, "--scales are different positive numbers"),
        ({"output": "ids.jpg"}, "--output must end in .png, got ids.jpg"),
        ({"picture": "overlay.tif"}, "--picture must end in .png, got overlay.tif"),
        ({"image": "absent.png"}, "--image absent.png: no such file"),
        (
            {},
            "absent.keras: no such file of DeepLab weights; `python -m teachers.train deeplab_v3`",
        ),
    ],
    ids=["no number", "zero", "output", "picture", "image", "weights"],
)
def test_a_users_mistake_is_one_clear_line(
    changed: dict[str, str], said: str, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "street.png"), picture())
    given = {
        "weights": "absent.keras",
        "image": str(tmp_path / "street.png"),
        "output": str(tmp_path / "ids.png"),
        **changed,
    }
    done = run_program(
        "teachers.deeplab_v3", *(f"--{name}={value}" for name, value in given.items())
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "ids.png").exists()
