"""One file with several sizes of a random student, made by the exporter itself."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import keras
from fakes.artefact import CAMERA, CODEC, origin
from fakes.conditioned import condition, pictures
from fakes.once import built_once
from fakes.recipes import TINY_STUDENT

from export.artefact import Part
from export.tflite.target import export_tflite
from mtdepth.contract import Precision
from mtdepth.models.normalisation import STUDENT_INPUT
from mtdepth.models.student import build_training_graph, detach
from mtdepth.specs.student import DecoderSize, StudentSpec
from mtdepth.trained import InferenceNetwork

SIZE = (64, 96)


@cache
def networks(
    decoders: tuple[DecoderSize, ...],
    size: tuple[int, int] = SIZE,
    spec: StudentSpec = TINY_STUDENT,
) -> dict[str, InferenceNetwork]:
    """Decoder sizes cut out of one well-conditioned random training graph."""
    keras.utils.set_random_seed(4)
    graph = build_training_graph(spec, input_size=size)
    condition(graph, seed=4)
    return {
        decoder: InferenceNetwork(
            network=detach(graph, spec, decoder=decoder), codec=CODEC, normalisation=STUDENT_INPUT
        )
        for decoder in decoders
    }


def parts(
    decoders: Sequence[DecoderSize],
    size: tuple[int, int] = SIZE,
    spec: StudentSpec = TINY_STUDENT,
) -> dict[str, Part]:
    """The same with what their contracts say."""
    camera = CAMERA.resized(height_px=size[0], width_px=size[1])
    return {
        decoder: Part(network, replace(origin(decoder), training_camera=camera))
        for decoder, network in networks(tuple(decoders), size, spec).items()
    }


def random_sizes_file() -> Path:
    """The `.tflite` file of S and XS, float32, built once."""

    def build(folder: Path) -> Path:
        return export_random_sizes(folder, precision="float32", decoders=("S", "XS"))

    return built_once("random-sizes", build) / "model.tflite"


def export_random_sizes(
    folder: Path,
    *,
    precision: Precision,
    decoders: Sequence[DecoderSize] = ("L", "M", "S", "XS"),
    size: tuple[int, int] = SIZE,
    spec: StudentSpec = TINY_STUDENT,
) -> Path:
    """Exports them to a folder and returns the path of the `.tflite` file."""
    export_tflite(
        parts(decoders, size, spec),
        folder,
        precision=precision,
        class_output="scores",
        calibration=pictures(8, size=size, seed=10),
        parity_images=pictures(4, size=size, seed=20),
    )
    return folder / "model.tflite"
