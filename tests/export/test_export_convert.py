"""The converter's traps, each with the case that springs it."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fakes.artefact import inference_network

from export.graph import ExportError
from export.tflite.convert import convert
from export.tflite.flatbuffer import foreign_operators, with_dequantized_input
from mtdepth.runtime.tflite import open_interpreter


def small_network(*, layer: Any = None) -> keras.Model:
    """Depth code = mean of the normalised picture's 2x2 blocks, times a trained 20, plus 30."""
    image = keras.Input((32, 64, 3), name="image")
    code = keras.layers.Conv2D(1, 2, strides=2, kernel_initializer="ones")(image)
    if layer is not None:
        code = layer(code)
    network = keras.Model(image, {"depth_code": code})
    kernel = np.full((2, 2, 3, 1), 20 / 12, np.float32)
    network.layers[1].set_weights([kernel, np.array([30.0], np.float32)])
    return network


def open_bytes(content: bytes, folder: Path) -> Any:
    (folder / "model.tflite").write_bytes(content)
    return open_interpreter(folder / "model.tflite", num_threads=1).get_signature_runner()


def code_of(image: np.ndarray) -> np.ndarray:
    blocks = image.astype(np.float64).reshape(16, 2, 32, 2, 3).mean(axis=(1, 3, 4))
    return 30 + 20 * (blocks / 127.5 - 1)


def test_float_depth_is_in_metres_by_the_law(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 64, 3)).astype(np.uint8)
    runner = open_bytes(convert(inference_network(small_network()), precision="float32"), tmp_path)
    found = runner(image=image[None])["depth_m"]
    # near 2 m, far 60 m
    expected = 2 * np.exp(code_of(image) / 60 * np.log(30))
    np.testing.assert_allclose(found[0, ..., 0], expected, rtol=2e-5)


def test_int8_depth_is_the_code_and_input_bytes_go_in_as_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # Dark pictures: without care the input's scale would be 1/2.
    dark = [rng.integers(0, 128, (32, 64, 3)).astype(np.uint8) for _ in range(4)]
    content = convert(inference_network(small_network()), precision="int8", representative=dark)
    runner = open_bytes(content, tmp_path)
    assert runner.get_input_details()["image"]["quantization"] == (1.0, 0)
    scale, zero_point = runner.get_output_details()["depth_code"]["quantization"]
    found = runner(image=dark[0][None])["depth_code"]
    assert found.dtype == np.int8
    real = (found[0, ..., 0].astype(np.float64) - zero_point) * scale
    np.testing.assert_allclose(real, code_of(dark[0]), atol=0.3)  # two steps of the code


def test_int8_without_pictures_is_refused() -> None:
    with pytest.raises(ValueError, match="representative pictures"):
        convert(inference_network(small_network()), precision="int8")


def test_an_operator_without_a_kernel_is_named() -> None:
    class Inverse(keras.layers.Layer):  # type: ignore[misc]
        def call(self, code: Any) -> Any:
            return code + tf.reduce_sum(tf.linalg.inv(code[:, :16, :16, 0]))

    with pytest.raises(ExportError, match=r"without a LiteRT kernel: tf\.MatrixInverse"):
        convert(inference_network(small_network(layer=Inverse())), precision="float32")


def test_a_flex_operator_in_a_file_is_found() -> None:
    @tf.function(input_signature=[tf.TensorSpec((1, 4, 4), tf.float32)])
    def inverse(value: Any) -> Any:
        return tf.linalg.inv(value)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([inverse.get_concrete_function()])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.SELECT_TF_OPS]
    assert "FlexMatrixInverse" in foreign_operators(converter.convert())


def test_only_the_pictures_cast_is_rewritten() -> None:
    content = convert(inference_network(small_network()), precision="float32")
    assert foreign_operators(content) == []
    with pytest.raises(ValueError, match="expected one CAST, of the picture, found 0"):
        with_dequantized_input(content)
