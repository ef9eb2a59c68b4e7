"""The pose network: its shape, its start, and published weights read from files made here."""

import hashlib
import re

import keras
import numpy as np
import pytest
import torch

from mtdepth.files import DataError
from mtdepth.models import pose_net, resnet18

SIZE = (64, 96)


class _Block(torch.nn.Module):
    """A basic block as torchvision has it (He et al. 2016), with its names."""

    def __init__(self, num_in: int, num_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(num_in, num_out, 3, stride, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(num_out)
        self.conv2 = torch.nn.Conv2d(num_out, num_out, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(num_out)
        self.downsample = None
        if stride > 1:
            self.downsample = torch.nn.Sequential(
                torch.nn.Conv2d(num_in, num_out, 1, stride, bias=False),
                torch.nn.BatchNorm2d(num_out),
            )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        shortcut = features if self.downsample is None else self.downsample(features)
        hidden = torch.relu(self.bn1(self.conv1(features)))
        return torch.relu(shortcut + self.bn2(self.conv2(hidden)))


class _TorchResNet18(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(64)
        num_in = 64
        for stage, width in enumerate((64, 128, 256, 512), start=1):
            blocks = [_Block(num_in, width, 1 if stage == 1 else 2), _Block(width, width, 1)]
            setattr(self, f"layer{stage}", torch.nn.Sequential(*blocks))
            num_in = width
        self.fc = torch.nn.Linear(512, 1000)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = torch.relu(self.bn1(self.conv1(image)))
        features = torch.nn.functional.max_pool2d(features, 3, 2, 1)
        for stage in (1, 2, 3, 4):
            features = getattr(self, f"layer{stage}")(features)
        return features


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A network in torchvision's form with random weights and statistics, and its file."""
    torch.manual_seed(0)
    network = _TorchResNet18().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2.0)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.1)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(network.state_dict(), path)
    return network, path


@pytest.fixture(scope="module")
def backbone():
    return resnet18.build_backbone(num_channels=3)


def _features(net: keras.Model, frames: np.ndarray) -> np.ndarray:
    inner = keras.Model(net.input, net.get_layer("v2_stack_3_block2_out").output)
    return np.asarray(inner(frames))


def test_published_weights_give_the_published_features_of_two_equal_pictures(published) -> None:
    network, path = published
    net = pose_net.build_pose_net(input_size=SIZE, weights=str(path))
    image = np.random.default_rng(0).normal(size=(1, *SIZE, 3)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(image.transpose(0, 3, 1, 2))).numpy()
    found = _features(net, np.concatenate([image, image], axis=3))
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected.transpose(0, 2, 3, 1), rtol=1e-3, atol=1e-3)
    kernel = net.get_layer("conv1_conv").get_weights()[0]
    assert kernel.shape == (7, 7, 6, 64)
    np.testing.assert_array_equal(kernel[:, :, :3], kernel[:, :, 3:])


def test_structure_and_start(backbone) -> None:
    assert backbone.count_params() == 11_186_112  # 11.18 M without the classifier, statistics too
    net = pose_net.build_pose_net(input_size=SIZE)
    assert net.input.shape == (None, *SIZE, 6)
    frames = np.random.default_rng(0).normal(size=(2, *SIZE, 6)).astype(np.float32)
    six = keras.Model(net.input, net.get_layer("pose_3").output)(frames)
    pose = np.asarray(net(frames))
    assert pose.shape == (2, 6)
    np.testing.assert_allclose(pose, 0.01 * np.mean(six, axis=(1, 2)), rtol=1e-5)
    assert 0 < np.abs(pose).max() < 0.1
    assert np.asarray(six).min() < 0 < np.asarray(six).max(), "no activation after the last one"
    assert net.get_layer("conv1_bn").momentum == 0.9


def test_the_light_encoder_is_seven_convolutions() -> None:
    net = pose_net.build_pose_net(input_size=SIZE, encoder="light")
    assert 1.5e6 < net.count_params() < 1.7e6
    frames = np.random.default_rng(0).normal(size=(2, *SIZE, 6)).astype(np.float32)
    pose = np.asarray(net(frames))
    assert pose.shape == (2, 6)
    assert 0 < np.abs(pose).max() < 0.1
    with pytest.raises(ValueError, match="light encoder has no published weights"):
        pose_net.build_pose_net(input_size=SIZE, encoder="light", weights="imagenet")
    with pytest.raises(ValueError, match="encoder must be resnet18 or light, got 'vgg'"):
        pose_net.build_pose_net(input_size=SIZE, encoder="vgg")


def test_keras_weights_of_a_backbone_are_read_too(backbone, tmp_path) -> None:
    path = tmp_path / "mine.weights.h5"
    kernel = np.random.default_rng(0).normal(size=(7, 7, 3, 64)).astype(np.float32)
    backbone.get_layer("conv1_conv").set_weights([kernel])
    backbone.save_weights(path)
    net = pose_net.build_pose_net(input_size=SIZE, weights=str(path))
    halved = net.get_layer("conv1_conv").get_weights()[0]
    np.testing.assert_array_equal(halved, np.concatenate([kernel, kernel], axis=2) / 2)
    deep = "v2_stack_3_block1_2_conv"
    np.testing.assert_array_equal(
        net.get_layer(deep).get_weights()[0], backbone.get_layer(deep).get_weights()[0]
    )


def test_damaged_files_are_named_and_change_nothing(backbone, published, tmp_path) -> None:
    network, _ = published
    before = backbone.get_weights()
    state = network.state_dict()
    del state["layer3.0.downsample.0.weight"]
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(DataError, match=r"no tensor 'layer3\.0\.downsample\.0\.weight'"):
        resnet18.load_weights(backbone, str(tmp_path / "short.pth"))
    state = network.state_dict()
    state["layer4.1.conv2.weight"] = torch.zeros(512, 512, 1, 1)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(DataError, match=r"layer4\.1\.conv2 has tensors of shapes"):
        resnet18.load_weights(backbone, str(tmp_path / "other.pth"))
    for name in ("noise.pth", "noise.weights.h5", "noise.onnx"):
        (tmp_path / name).write_bytes(b"not a network" * 10)
        with pytest.raises(DataError, match=re.escape(name)):
            resnet18.load_weights(backbone, str(tmp_path / name))
    with pytest.raises(FileNotFoundError, match=r"no weights file .*absent\.pth"):
        resnet18.load_weights(backbone, str(tmp_path / "absent.pth"))
    for value, kept in zip(backbone.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)


def test_a_failed_download_says_how_to_do_without(backbone, monkeypatch) -> None:
    def refuse(*_args, **_kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(keras.utils, "get_file", refuse)
    with pytest.raises(ConnectionError, match=r"resnet18-f37072fd\.pth.*give its path"):
        resnet18.load_weights(backbone, "imagenet")


def test_a_download_is_checked(backbone, published, monkeypatch) -> None:
    _, path = published
    monkeypatch.setattr(keras.utils, "get_file", lambda *_args, **_kwargs: str(path))
    with pytest.raises(DataError, match="SHA-256 is"):
        resnet18.load_weights(backbone, "imagenet")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(resnet18, "IMAGENET_SHA256", digest)
    resnet18.load_weights(backbone, "imagenet")
    first = backbone.get_layer("conv1_conv").get_weights()[0]
    expected = published[0].conv1.weight.detach().numpy().transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(first, expected)
