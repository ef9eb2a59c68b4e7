"""The DeepLab graphs: shapes, parameters, dilation, gradients, ImageNet weights, files."""

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from mtdepth.files import DataError
from teachers.deeplab_v3.checkpoint import (
    DeepLabInfo,
    read_info,
    save_deeplab,
)
from teachers.deeplab_v3.loss import cross_entropy
from teachers.deeplab_v3.network import (
    BACKBONE_NAMES,
    HEAD_NAMES,
    _backbone,
    _load_backbone,
    build_deeplab,
    load_deeplab,
)
from teachers.imagenet import MEAN, STANDARD_DEVIATION

# Counted once and kept. keras-cv's own model of resnet18 has the same 15,408,000 in all.
NUM_TRAINABLE = {
    ("resnet18", "v3plus"): 15_394_720,
    ("resnet18", "v3"): 15_313_235,
    ("resnet50", "v3plus"): 39_138_720,
    ("resnet50", "v3"): 39_048_019,
    ("mobilenet_v3_small", "v3plus"): 1_998_080,
    ("mobilenet_v3_small", "v3"): 1_918_899,
    ("mobilenet_v3_large", "v3plus"): 4_419_472,
    ("mobilenet_v3_large", "v3"): 4_339_907,
}
SMALL = "mobilenet_v3_small"


def picture(height: int = 64, width: int = 96, num: int = 1) -> Any:
    return np.random.default_rng(0).normal(size=(num, height, width, 3)).astype(np.float32)


def shaken(model: keras.Model) -> keras.Model:
    """Fresh batch normalisation is the identity, in which much cannot be told apart."""
    rng = np.random.default_rng(1)
    for variable in model.weights:
        if "seed" not in variable.path:
            variable.assign(variable + 0.02 * rng.uniform(0.5, 1.0, variable.shape))
    return model


@functools.cache
def built(backbone: str, head: str) -> keras.Model:
    """A network that the tests share; its weights may have been shaken."""
    return build_deeplab(backbone=backbone, head=head)


@functools.cache
def shaken_resnet18() -> keras.Model:
    return shaken(_backbone("resnet18"))


@pytest.fixture(scope="module")
def small_v3() -> keras.Model:
    return shaken(built(SMALL, "v3"))


INFO = DeepLabInfo(backbone=SMALL, head="v3", origin="shaken for a test")


@pytest.fixture(scope="module")
def saved(small_v3: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The only file of its folder."""
    path = tmp_path_factory.mktemp("saved") / "net.keras"
    small_v3.compile("adam", "mse")  # an optimizer's state is left out
    save_deeplab(path, small_v3, INFO)
    return path


@pytest.mark.parametrize("head", HEAD_NAMES)
@pytest.mark.parametrize(
    "backbone",
    [
        pytest.param(name, marks=() if name in ("resnet18", SMALL) else pytest.mark.slow)
        for name in BACKBONE_NAMES
    ],
)
def test_logits_have_the_pictures_size_and_parameters_their_number(
    backbone: str, head: str
) -> None:
    model = built(backbone, head)
    assert [tensor.name for tensor in model.inputs] == ["image"]
    assert model.output_names == ["logits"]
    assert model.compute_output_shape((1, 64, 96, 3)) == (1, 64, 96, 19)
    count = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert count == NUM_TRAINABLE[backbone, head]
    norms = [x for x in model._flatten_layers() if isinstance(x, keras.layers.BatchNormalization)]
    assert {norm.momentum for norm in norms} == {0.99}  # none outlasts a short training
    if head == "v3":
        features = keras.Model(model.input, model.get_layer("pyramid").output)
        assert features(picture()).shape == (1, 4, 6, 256)  # output stride 16


def test_any_size_in_thirty_twos_and_the_output_is_logits(small_v3: keras.Model) -> None:
    for height, width in ((64, 96), (96, 32)):
        logits = np.asarray(small_v3(picture(height, width, 2), training=False))
        assert logits.shape == (2, height, width, 19)
        assert logits.dtype == np.float32
        assert np.abs(logits.sum(-1) - 1).min() > 1e-3


def test_every_weight_has_a_finite_gradient_on_both_heads() -> None:
    for head in HEAD_NAMES:
        model = built(SMALL, head)
        train_id = np.random.default_rng(0).integers(0, 19, (2, 64, 96)).astype(np.uint8)
        with tf.GradientTape() as tape:
            loss = cross_entropy(train_id, model(picture(num=2), training=True))
        gradients = tape.gradient(loss, model.trainable_weights)
        for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
            assert gradient is not None, weight.path
            assert np.isfinite(np.asarray(gradient)).all(), weight.path


def test_dilation_computes_what_stride_did_and_the_pixels_between() -> None:
    # ResNet-50's bottlenecks stride in a 1x1 convolution, so that the strided features are exactly
    # every second of the dilated ones.
    strided = _backbone("resnet50")
    dilated = build_deeplab(backbone="resnet50", head="v3")
    last = strided.pyramid_level_inputs["P5"]
    names = [layer.name for layer in strided.layers if layer.weights]
    rng = np.random.default_rng(2)
    for name in names:
        values = [
            rng.uniform(-0.05, 0.05, weight.shape) + (0.5 if weight.ndim == 1 else 0)
            for weight in strided.get_layer(name).weights
        ]
        strided.get_layer(name).set_weights(values)
        dilated.get_layer(name).set_weights(values)
    image = picture()
    few = np.asarray(keras.Model(strided.input, strided.get_layer(last).output)(image))
    many = np.asarray(keras.Model(dilated.input, dilated.get_layer(last).output)(image))
    assert few.shape == (1, 2, 3, 2048)
    assert many.shape == (1, 4, 6, 2048)
    np.testing.assert_allclose(many[:, ::2, ::2], few, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("backbone", "tap"),
    [
        ("resnet18", "conv1_bn"),
        pytest.param(SMALL, "Conv_BatchNorm", marks=pytest.mark.slow),
    ],
)
def test_backbone_weights_are_fitted_to_our_normalisation(
    backbone: str, tap: str, tmp_path: Path
) -> None:
    # keras-cv's backbones were trained on 0..1, so theirs at `rgb` is ours at its normalised self.
    theirs = shaken_resnet18() if backbone == "resnet18" else shaken(_backbone(backbone))
    theirs.save_weights(tmp_path / "backbone.weights.h5")
    ours = _backbone(backbone)
    _load_backbone(ours, tmp_path / "backbone.weights.h5")
    rgb = np.random.default_rng(0).uniform(0, 1, (1, 64, 96, 3)).astype(np.float32)
    normalised = ((rgb - MEAN) / STANDARD_DEVIATION).astype(np.float32)
    expected = np.asarray(keras.Model(theirs.input, theirs.get_layer(tap).output)(rgb))
    found = np.asarray(keras.Model(ours.input, ours.get_layer(tap).output)(normalised))
    inner = (slice(None), slice(2, -2), slice(2, -2))  # padding was black there, is mean here
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(found[inner], expected[inner], rtol=1e-4, atol=1e-5)


def test_weights_of_another_backbone_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "backbone.weights.h5"
    shaken_resnet18().save_weights(path)
    with pytest.raises(DataError, match="does not hold the weights of this backbone"):
        build_deeplab(backbone=SMALL, head="v3", backbone_weights=path)
    extractor = shaken_resnet18()
    with pytest.raises(FileNotFoundError, match=r"nowhere\.h5"):
        _load_backbone(extractor, tmp_path / "nowhere.h5")
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="does not hold the weights of this backbone"):
        _load_backbone(extractor, path)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"backbone is one of resnet18.*'vgg'"):
        build_deeplab(backbone="vgg", head="v3")
    with pytest.raises(ValueError, match=r"head is one of v3plus, v3; got 'v4'"):
        build_deeplab(backbone=SMALL, head="v4")


# v3plus is saved and read in test_teachers_training_tasks.py.
def test_a_saved_network_computes_the_same_bits(small_v3: keras.Model, saved: Path) -> None:
    loaded, loaded_info = load_deeplab(saved)
    assert loaded_info == INFO
    np.testing.assert_array_equal(
        np.asarray(loaded(picture(), training=False)),
        np.asarray(small_v3(picture(), training=False)),
    )
    assert saved.stat().st_size < 4.5 * small_v3.count_params() + 1_000_000
    assert [path.name for path in saved.parent.iterdir()] == ["net.keras"]


def test_damaged_files_are_refused(small_v3: keras.Model, saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    whole = saved.read_bytes()
    path.write_bytes(whole[:-1000])
    with pytest.raises(DataError, match="cut short"):
        read_info(path)
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes(100) + whole[middle + 100 :])
    with pytest.raises(DataError, match=r"model\.weights\.h5 is damaged"):
        read_info(path)
    small_v3.save(path)
    with pytest.raises(DataError, match=r"holds no readable mtdepth_deeplab\.json"):
        read_info(path)
    save_deeplab(path, small_v3, DeepLabInfo(backbone=SMALL, head="v3plus", origin=""))
    with pytest.raises(DataError, match=r"no v3plus on mobilenet_v3_small as it says"):
        load_deeplab(path)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.keras"):
        load_deeplab(tmp_path / "nowhere.keras")


def test_a_record_must_fit_its_network(small_v3: keras.Model, tmp_path: Path) -> None:
    info = DeepLabInfo(backbone=SMALL, head="v3", origin="", num_classes=3)
    with pytest.raises(ValueError, match="has 19 channels, its record 3"):
        save_deeplab(tmp_path / "net.keras", small_v3, info)
    with pytest.raises(ValueError, match=r"saved as \.keras"):
        save_deeplab(tmp_path / "net.h5", small_v3, info)
