"""Small exported networks, made by the exporter itself."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import keras
import numpy as np
from fakes.conditioned import condition, pictures
from fakes.once import built_once
from fakes.recipes import TINY_STUDENT

from export.artefact import Part
from export.graph import ClassOutput
from export.origin import Origin
from export.tflite.target import export_tflite
from mtdepth.contract import Precision
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import LogDepthCodec
from mtdepth.models.normalisation import STUDENT_INPUT
from mtdepth.models.student import build_training_graph, detach
from mtdepth.runtime.pipeline import Backend
from mtdepth.specs.student import DecoderSize, StudentSpec, Task, designed
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
    decoder: DecoderSize = "XS",
    tasks: tuple[Task, ...] = BOTH,
    design: str = "paper",
    *,
    is_real: bool = False,
) -> keras.Model:
    """A well-conditioned student with random weights, detached; the same object at every call.

    L and other designs are the real network; the smaller sizes are of a tiny one, which is exported
    in a second, unless `is_real`.
    """
    return _random_network(decoder, tasks, design, is_real or decoder == "L" or design != "paper")


def inference_network(network: keras.Model | None = None) -> InferenceNetwork:
    """A student's network (the random XS of both tasks for None) with codec and normalisation."""
    return InferenceNetwork(
        network=random_network() if network is None else network,
        codec=CODEC,
        normalisation=STUDENT_INPUT,
    )


@cache
def _random_network(
    decoder: DecoderSize, tasks: tuple[Task, ...], design: str, is_real: bool
) -> keras.Model:
    keras.utils.set_random_seed(4)
    tiny = replace(TINY_STUDENT, tasks=tasks)
    spec = designed(StudentSpec(tasks=tasks), design) if is_real else tiny
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
    export_tflite(
        {decoder: Part(inference_network(random_network(decoder, tasks, design)), origin(decoder))},
        folder,
        precision=precision,
        class_output=class_output,
        calibration=pictures(16, size=SIZE, seed=CALIBRATION_SEED),
        parity_images=pictures(4, size=SIZE, seed=PARITY_SEED),
    )
    return folder / "model.tflite"


def random_file(precision: Precision, *, decoder: DecoderSize = "XS") -> Path:
    """The `.tflite` file of `random_network`, exported once in a run; read-only."""
    folder = built_once(
        f"random-{decoder}-{precision}",
        lambda to: export_random(to, precision=precision, decoder=decoder),
    )
    return folder / "model.tflite"


def random_onnx_file() -> Path:
    """The `.onnx` file of the smallest `random_network`, exported once in a run; read-only."""
    return built_once("random-onnx", export_random_onnx) / "model.onnx"


def export_random_onnx(folder: Path) -> Path:
    """Exports the smallest `random_network` as float32 and returns the path of its `.onnx` file."""
    # Here, since a test of the runtime alone does without it.
    from export.onnx.target import export_onnx

    export_onnx(
        {"XS": Part(inference_network(), origin())},
        folder,
        precision="float32",
        opset=13,
        class_output="scores",
        calibration=[],
        parity_images=images(1),
    )
    return folder / "model.onnx"


def assert_says_what_keras_says(
    backend: Backend, network: keras.Model, *, median: float, agreement: float
) -> None:
    """Compares by arithmetic of its own, on pictures that neither calibration nor the gate saw.

    Args:
      backend: With an exported file.
      network: That was exported, of both tasks.
      median: Allowed of |file - Keras| / Keras in depth.
      agreement: Least share of pixels with the same class.
    """
    for image in pictures(2, size=SIZE, seed=77):
        outputs = network(image[None].astype(np.float32) / 127.5 - 1)
        code = np.asarray(outputs["depth_code"], np.float64)[0, ..., 0]
        # code = far * ln(d / near) / ln(far / near), solved for d
        depth_m = 2.0 * np.exp(np.minimum(code, 60.0) / 60.0 * np.log(60.0 / 2.0))
        found = backend.infer(image)
        assert np.median(np.abs(found.depth_m / depth_m - 1)) < median
        assert found.train_id is not None
        expected_id = np.asarray(outputs["class_scores"])[0].argmax(-1)
        assert np.mean(found.train_id == expected_id) >= agreement
        assert found.depth_m.std() > 0.1 * found.depth_m.mean()  # there is something to compare


def images(number: int = 4) -> list[np.ndarray]:
    """The pictures that file and network were compared on."""
    return pictures(number, size=SIZE, seed=PARITY_SEED)
