"""Every network becomes a file that says what Keras says, in operators that TensorRT has."""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from fakes.artefact import (
    CODEC,
    SIZE,
    assert_says_what_keras_says,
    images,
    inference_network,
    origin,
    random_network,
)
from fakes.conditioned import pictures

from export.artefact import Part
from export.graph import ExportError
from export.onnx.emit import emit
from export.onnx.graph import OnnxGraph, load, to_model
from export.onnx.target import export_onnx
from mtdepth.contract import Contract, Precision, contract_path
from mtdepth.files import sha256_of
from mtdepth.models import mininet
from mtdepth.models.layers import PixelShuffle
from mtdepth.models.normalisation import MININET_INPUT, STUDENT_INPUT, InputNormalisation
from mtdepth.runtime.onnx import OnnxBackend, open_session
from mtdepth.specs.mininet import MiniNetSpec
from mtdepth.specs.student import DecoderSize

CASES: list[tuple[DecoderSize, Precision]] = [("L", "float32"), ("XS", "int8")]
AS_IT_IS = InputNormalisation(scale=1.0, offset=0.0)


def export(
    folder: Path,
    *,
    decoder: DecoderSize = "XS",
    precision: Precision = "float32",
    is_real: bool = False,
    **changes: Any,
) -> Path:
    network = random_network(decoder, is_real=is_real)
    given = {
        "precision": precision,
        "opset": 13,
        "class_output": "scores",
        "calibration": pictures(8, size=SIZE, seed=10),
        "parity_images": images(),
    }
    export_onnx(
        {decoder: Part(inference_network(network), origin(decoder))},
        folder,
        **{**given, **changes},
    )
    return folder / "model.onnx"


def answers(graph: OnnxGraph, image: np.ndarray, *, opset: int = 13) -> dict[str, np.ndarray]:
    """Of a graph in onnxruntime."""
    session = open_session(to_model(graph, opset=opset).SerializeToString(), num_threads=1)
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": image}), strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("onnx")
    for decoder, precision in CASES:
        # The tiny network's classes nearly tie, which integers decide otherwise.
        is_real = precision == "int8"
        to = root / f"{decoder}_{precision}"
        export(to, decoder=decoder, precision=precision, is_real=is_real)
    return root


@pytest.mark.parametrize(("decoder", "precision"), CASES)
def test_the_file_says_what_keras_says(
    folder: Path, decoder: DecoderSize, precision: Precision
) -> None:
    backend = OnnxBackend(folder / f"{decoder}_{precision}" / "model.onnx")
    allowed, agreement = {"float32": (1e-5, 1.0), "int8": (0.03, 0.8)}[precision]
    network = random_network(decoder, is_real=precision == "int8")
    assert_says_what_keras_says(backend, network, median=allowed, agreement=agreement)


def test_axes_are_exchanged_at_the_ends_only(folder: Path) -> None:
    report = json.loads((folder / "L_float32" / "parity.json").read_text())
    layers = [type(layer).__name__ for layer in random_network("L").layers]
    convolutions = sum(name in ("Conv2D", "DepthwiseConv2D") for name in layers)
    assert report["operators"] == {
        "Add": layers.count("Add") + 1,  # the normalisation's
        "Clip": layers.count("ReLU"),
        "Concat": 4,
        "Conv": convolutions,
        "DepthToSpace": 4,
        "Mul": 1,
        "Reshape": 1,
        "Transpose": 2,
    }
    assert report["tensorrt_at_least"] == "8.2"
    assert report["num_frames"] == 4


def test_the_folder_holds_what_a_board_needs(folder: Path) -> None:
    names = {entry.name for entry in (folder / "XS_int8").iterdir()}
    assert names == {
        *("model.onnx", "model.json", "parity.json", "golden.npz"),
        *("build_engine.py", "run_engine.py"),
    }
    model = onnx.load(folder / "XS_int8" / "model.onnx")
    assert [entry.version for entry in model.opset_import] == [13]
    assert model.ir_version == 7  # the parser of TensorRT 8.2 knows no newer one


def test_the_contract_is_of_the_file(folder: Path) -> None:
    path = folder / "XS_int8" / "model.onnx"
    contract = Contract.load(contract_path(path))
    assert contract.sha256 == sha256_of(path)
    assert (contract.decoder, contract.precision, contract.fit) == ("XS", "int8", "crop")
    assert contract.codec == CODEC
    image, depth, classes = contract.input, contract.depth, contract.classes
    assert (image.shape, image.dtype, image.scale) == ((1, 64, 96, 3), "float32", None)
    assert (depth.name, depth.shape, depth.dtype) == ("depth_code", (1, 4, 6, 1), "float32")
    assert classes is not None
    assert (classes.shape, classes.dtype) == ((1, 4, 6, 19), "float32")


def test_a_class_for_each_pixel_is_found_in_the_graph(folder: Path, tmp_path: Path) -> None:
    ids = OnnxBackend(export(tmp_path, decoder="L", class_output="ids"))
    scores = OnnxBackend(folder / "L_float32" / "model.onnx")
    assert ids.contract.classes is not None
    assert (ids.contract.classes.name, ids.contract.classes.dtype) == ("train_id", "int32")
    for image in images(2):
        np.testing.assert_array_equal(ids.infer(image).train_id, scores.infer(image).train_id)


@pytest.mark.parametrize("opset", [17, 21])
def test_newer_operator_sets_say_the_same(opset: int) -> None:
    graph = emit(random_network("XS"), normalisation=STUDENT_INPUT)
    image = images(1)[0][None].astype(np.float32)
    old, new = answers(graph, image), answers(graph, image, opset=opset)
    np.testing.assert_allclose(new["depth_code"], old["depth_code"], atol=1e-5)
    with pytest.raises(ValueError, match="opset must be 13 to 21, got 12"):
        to_model(graph, opset=12)


def test_mininet_shares_its_module_in_the_file() -> None:
    spec = MiniNetSpec(variant="small")
    keras.utils.set_random_seed(2)
    training = mininet.build_training_graph(spec, input_size=(64, 64))
    network = mininet.detach(training, spec, output="F")
    graph = emit(network, normalisation=MININET_INPUT)
    image = pictures(1, size=(64, 64), seed=3)[0][None].astype(np.float32)
    expected = np.asarray(network(MININET_INPUT(image))["depth_code"])
    np.testing.assert_allclose(answers(graph, image)["depth_code"], expected, atol=1e-5)
    kernels = [name for name in graph.constants if name.endswith("/kernel")]
    # One module runs four times: its four convolutions are in the file once.
    assert len(kernels) == sum(hasattr(layer, "kernel") for layer in network.layers)
    assert sum(node.operator == "Conv" for node in graph.nodes) > len(kernels)


def every_layer() -> keras.Model:
    """All kinds of layers that have an operator, at sizes whose padding is odd."""
    layers = keras.layers
    image = keras.Input((33, 47, 3), name="image")
    x = layers.ReLU(max_value=6.0)(layers.Conv2D(8, 5, strides=2, padding="same")(image))
    y = layers.ReLU()(layers.DepthwiseConv2D(3, padding="same")(x))
    weights = layers.GlobalAveragePooling2D(keepdims=True)(y)
    weights = layers.ReLU()(layers.Conv2D(4, 1)(weights))
    weights = layers.Activation("sigmoid")(layers.Conv2D(8, 1)(weights))
    y = layers.Add()([x, layers.Multiply()([y, weights])])
    y = layers.Conv2D(8, 3, padding="valid")(layers.ZeroPadding2D(((1, 0), (2, 1)))(y))
    y = layers.ReLU()(layers.BatchNormalization(scale=False)(y))
    y = layers.Rescaling(1.0, offset=0.25)(layers.UpSampling2D((2, 3))(y))
    y = PixelShuffle()(layers.Concatenate()([y, y]))
    y = layers.Conv2D(1, (1, 3), strides=(2, 1))(y)
    return keras.Model(image, {"depth_code": layers.ReLU(max_value=4.0)(y)})


def test_every_layer_keeps_its_function() -> None:
    keras.utils.set_random_seed(5)
    network = every_layer()
    for variable in network.variables:
        if "moving" in variable.name or "bias" in variable.name or "beta" in variable.name:
            variable.assign(np.random.default_rng(1).uniform(0.2, 1.5, variable.shape))
    image = pictures(1, size=(33, 47), seed=8)[0][None].astype(np.float32) / 50
    expected = np.asarray(network(image, training=False)["depth_code"])
    found = answers(emit(network, normalisation=AS_IT_IS), image)["depth_code"]
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (keras.layers.ELU(name="odd"), "layer 'odd' is a ELU, which is not known"),
        (keras.layers.Rescaling(2.0, name="odd"), r"layer 'odd' \(Rescaling\) needs scale 1"),
        (
            keras.layers.UpSampling2D(interpolation="bilinear", name="odd"),
            r"layer 'odd' \(UpSampling2D\) needs interpolation 'nearest'",
        ),
        (keras.layers.ReLU(negative_slope=0.1, name="odd"), "only a plain or a clipped ReLU"),
        (keras.layers.Activation("tanh", name="odd"), "layer 'odd' is an activation 'tanh'"),
        (keras.layers.BatchNormalization(name="odd"), "does not follow a convolution"),
    ],
)
def test_a_layer_without_an_operator_is_named(layer: Any, message: str) -> None:
    image = keras.Input((8, 8, 3))
    network = keras.Model(image, {"depth_code": layer(image)})
    with pytest.raises(ExportError, match=message):
        emit(network, normalisation=AS_IT_IS)


def test_a_failed_export_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(tmp_path)
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr("export.onnx.target.violations", lambda _: ["node (Odd): not known"])
        with pytest.raises(ExportError, match=r"TensorRT 8\.2 .* node \(Odd\): not known"):
            export(tmp_path)
    wrong = InputNormalisation(scale=1 / 255, offset=0.0)
    with monkeypatch.context() as patch:
        patch.setattr("export.onnx.target.emit", lambda net, **_: emit(net, normalisation=wrong))
        with pytest.raises(ExportError, match=r"the float32 file .* median_relative"):
            export(tmp_path)
    with pytest.raises(ValueError, match="int8 needs representative pictures"):
        export(tmp_path, precision="int8", calibration=[])
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"needs onnx, .*: pip install onnx==.* onnxruntime=="):
        load("onnx")
