"""Small exported networks, made by the exporter itself."""

from functools import cache
from pathlib import Path

import keras
import numpy as np
from fakes.conditioned import condition, pictures

from export.artefact import export_network
from export.graph import ClassOutput
from export.origin import Origin
from mtdepth.contract import Precision
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import LogDepthCodec
from mtdepth.models.input_law import STUDENT_INPUT
from mtdepth.models.specs import DecoderSize, StudentSpec, Task, designed
from mtdepth.models.student import build_training_graph, detach
from mtdepth.trained import InferenceNetwork

SIZE = (64, 96)
CODEC = LogDepthCodec(near_m=2.0, far_m=60.0)
CAMERA = Intrinsics(fx_px=70.0, fy_px=64.0, cx_px=47.0, cy_px=30.0, width_px=96, height_px=64)
BOTH: tuple[Task, ...] = ("depth", "segmentation")
CALIBRATION_SEED, PARITY_SEED = 10, 20


def origin(decoder: str = "XS") -> Origin:
    """What the contracts of these networks say."""
    return Origin(
        network="student",
        decoder=decoder,
        codec=CODEC,
        fit="crop",
        training_camera=CAMERA,
        scale_source="none: random weights",
        recipe={"name": "random", "input_size_px": list(SIZE)},
        keras_scores=None,
    )


def random_network(
    decoder: DecoderSize = "XS", tasks: tuple[Task, ...] = BOTH, design: str = "paper"
) -> keras.Model:
    """A well-conditioned student with random weights, detached; the same object at every call."""
    return _random_network(decoder, tasks, design)


def subject(network: keras.Model | None = None) -> InferenceNetwork:
    """A student's network (the random XS of both tasks for None) with its laws."""
    return InferenceNetwork(
        network=random_network() if network is None else network,
        codec=CODEC,
        input_law=STUDENT_INPUT,
    )


@cache
def _random_network(decoder: DecoderSize, tasks: tuple[Task, ...], design: str) -> keras.Model:
    keras.utils.set_random_seed(4)
    spec = designed(StudentSpec(tasks=tasks), design)
    graph = build_training_graph(spec, input_size=SIZE)
    condition(graph, seed=4)
    return detach(graph, spec, decoder=decoder)


def export_random(
    folder: Path,
    *,
    precision: Precision,
    decoder: DecoderSize = "XS",
    tasks: tuple[Task, ...] = BOTH,
    class_output: ClassOutput = "scores",
    design: str = "paper",
) -> Path:
    """Exports `random_network` to a folder and returns the path of its `.tflite` file."""
    export_network(
        subject(random_network(decoder, tasks, design)),
        folder,
        origin=origin(decoder),
        precision=precision,
        class_output=class_output,
        calibration=pictures(16, size=SIZE, seed=CALIBRATION_SEED),
        parity_images=pictures(4, size=SIZE, seed=PARITY_SEED),
    )
    return folder / "model.tflite"


def images(number: int = 4) -> list[np.ndarray]:
    """The pictures that file and network were compared on."""
    return pictures(number, size=SIZE, seed=PARITY_SEED)
