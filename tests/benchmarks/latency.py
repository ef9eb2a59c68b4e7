r"""Latency of the exported students, and what each way of making them faster is worth.

Full example, from the project's root; two minutes to build the files, one to measure:

    python tests/benchmarks/latency.py --height 320 --width 480 --threads 1

The networks have random weights, which does not change the time; the files are those that
`python -m export.tflite` makes. Everything is timed in turn in one process, so read the ratios:
they hold on a machine that others use too. "first" is design A as it was first built: a softmax
behind the class scores. The matrix product is a 1x1 convolution of 256 to 256 channels in LiteRT.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import measured  # noqa: F401  # puts the project and the fakes on the path

from mtdepth.specs.student import DESIGNS

PRECISIONS = ("float32", "int8")
SIZES = ("L", "M", "S", "XS")
OTHER_DESIGNS = tuple(name for name in DESIGNS if name != "paper")
GEMM_SIDE, GEMM_CHANNELS = 64, 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=320)
    parser.add_argument("--width", type=int, default=480)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--sizes", default=",".join(SIZES), help="L first")
    given = parser.parse_args()
    size = (given.height, given.width)
    with tempfile.TemporaryDirectory() as folder:
        files, macs = build(Path(folder), size, given.sizes.split(","))
        calls = {name: opened(path, given.threads) for name, path in files.items()}
        calls |= arg_max_calls(size)
        times = timed(calls, given.rounds)
    write_table(times, macs)
    write_ratios(times, macs)


def build(
    folder: Path, size: tuple[int, int], decoders: list[str]
) -> tuple[dict[str, Path], dict[str, int]]:
    """Files by name, and multiply-accumulates of those that were counted."""
    from mtdepth.models.counting import count

    files: dict[str, Path] = {}
    macs: dict[str, int] = {"matrix product": GEMM_SIDE**2 * GEMM_CHANNELS**2}

    def add(name: str, network: Any, precision: str, **how: Any) -> None:
        path = folder / f"{name.replace(' ', '_')}.tflite"
        path.write_bytes(converted(network, size, precision, **how))
        files[name] = path
        macs[name] = count(network).macs
        sys.stderr.write(f"built {name}\n")

    for design, sizes in (("paper", decoders), *((other, ["L"]) for other in OTHER_DESIGNS)):
        for decoder in sizes:
            network = random_student(size, decoder, design)
            label = decoder if design == "paper" else f"{design} {decoder}"
            for precision in PRECISIONS:
                add(f"{label} {precision}", network, precision)
            if label == "L":
                add("L first float32", with_softmax(network), "float32")
                add("L first int8", with_softmax(network), "int8", is_input_delegated=False)
                add("L int8, input by LiteRT", network, "int8", is_input_delegated=False)
                add("L int8, arg-max inside", network, "int8", class_output="ids")
                add("L float32, arg-max inside", network, "float32", class_output="ids")
    files["matrix product"] = folder / "product.tflite"
    files["matrix product"].write_bytes(matrix_product())
    return files, macs


def random_student(size: tuple[int, int], decoder: str, design: str) -> Any:
    import keras
    from fakes.conditioned import condition

    from mtdepth.models.student import build_training_graph, detach
    from mtdepth.specs.student import StudentSpec, designed

    keras.utils.set_random_seed(4)
    spec = designed(StudentSpec(tasks=("depth", "segmentation")), design)
    graph = build_training_graph(spec, input_size=size)
    condition(graph, seed=4)
    return detach(graph, spec, decoder=decoder)  # type: ignore[arg-type]


def with_softmax(network: Any) -> Any:
    import keras

    outputs = dict(network.output)
    outputs["class_scores"] = keras.layers.Softmax(name="softmax")(outputs["class_scores"])
    return keras.Model(network.input, outputs)


def converted(
    network: Any,
    size: tuple[int, int],
    precision: str,
    *,
    is_input_delegated: bool = True,
    class_output: str = "scores",
) -> bytes:
    from fakes.artefact import inference_network
    from fakes.conditioned import pictures

    from export.tflite import convert

    unchanged: Callable[[bytes], bytes] = lambda content: content  # noqa: E731
    turned = convert.with_delegated_input if is_input_delegated else unchanged
    with mock.patch.object(convert, "with_delegated_input", turned):
        return convert.convert(
            inference_network(network),
            precision=precision,  # type: ignore[arg-type]
            class_output=class_output,  # type: ignore[arg-type]
            representative=pictures(4, size=size, seed=1) if precision == "int8" else (),
        )


def matrix_product() -> bytes:
    import keras
    import tensorflow as tf

    image = keras.Input((GEMM_SIDE, GEMM_SIDE, GEMM_CHANNELS), batch_size=1)
    network = keras.Model(image, keras.layers.Conv2D(GEMM_CHANNELS, 1)(image))
    with tempfile.TemporaryDirectory() as folder:
        network.export(folder, verbose=False)
        return bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def opened(path: Path, num_threads: int) -> Callable[[], Any]:
    import numpy as np

    from export.benchmark.network import open_network

    picture = np.zeros((8, 8, 3), np.uint8)
    return open_network(path, picture, num_threads=num_threads, size=None).stages["inference"]


def arg_max_calls(size: tuple[int, int]) -> dict[str, Callable[[], Any]]:
    """The class of each output pixel of L, outside the network."""
    import cv2
    import numpy as np

    from mtdepth.runtime.contracted import largest_class

    cv2.setNumThreads(1)
    real = np.random.default_rng(0).normal(0, 30, (size[0] // 2, size[1] // 2, 19))
    calls: dict[str, Callable[[], Any]] = {}
    for precision in PRECISIONS:
        scores = real.astype(np.int8 if precision == "int8" else np.float32)
        calls[f"numpy's arg-max, {precision}"] = lambda scores=scores: scores.argmax(axis=-1)
        calls[f"largest_class, {precision}"] = lambda scores=scores: largest_class(scores)
    return calls


def timed(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Any]:
    from export.benchmark.timing import Schedule, time_in_turn

    found = time_in_turn(list(calls.values()), Schedule(rounds=rounds))
    return dict(zip(calls, found, strict=True))


def write_table(times: dict[str, Any], macs: dict[str, int]) -> None:
    sys.stdout.write("| what | MMAC | median ms | p90 | least | CPU median | CPU least |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- | --- | --- |\n")
    for name, found in times.items():
        row = found.to_dict()
        mmac = f"{macs[name] / 1e6:.1f}" if name in macs else ""
        sys.stdout.write(
            f"| {name} | {mmac} | {row['median_ms']:.2f} | {row['p90_ms']:.2f} "
            f"| {row['min_ms']:.2f} | {row['cpu_median_ms']:.2f} | {row['cpu_min_ms']:.2f} |\n"
        )


def write_ratios(times: dict[str, Any], macs: dict[str, int]) -> None:
    rate = macs["matrix product"] / times["matrix product"].to_dict()["cpu_min_ms"] / 1e6
    sys.stdout.write(f"\nmatrix product: {rate:.1f} GMAC/s\n")
    sys.stdout.write("| ratio | wall, in turn | CPU, in turn | of the least CPU |\n")
    sys.stdout.write("| --- | --- | --- | --- |\n")
    for name, other in (
        ("L int8", "L float32"),
        ("L int8", "L first float32"),
        ("L float32", "L first float32"),
        ("L int8", "L first int8"),
        *((f"{design} L int8", "L first float32") for design in OTHER_DESIGNS),
        *((f"{design} L int8", "L int8") for design in OTHER_DESIGNS),
        *((f"{design} L float32", "L float32") for design in OTHER_DESIGNS),
        ("L int8", "L int8, input by LiteRT"),
        ("L int8, arg-max inside", "L int8"),
        ("L float32, arg-max inside", "L float32"),
        ("largest_class, int8", "numpy's arg-max, int8"),
        ("largest_class, float32", "numpy's arg-max, float32"),
    ):
        _write_ratio(f"{name} / {other}", times[name], times[other], 1.0)
    product = times["matrix product"]
    for name in ("L first float32", "L float32", "fast L float32"):
        share = macs[name] / macs["matrix product"]
        _write_ratio(f"{name} / its MACs at the product's rate", times[name], product, 1 / share)


def _write_ratio(title: str, found: Any, other: Any, factor: float) -> None:
    ratio = found.ratio_to(other)
    least = found.to_dict()["cpu_min_ms"] / other.to_dict()["cpu_min_ms"]
    values = [value * factor for value in (ratio["wall"], ratio["cpu"], least)]
    sys.stdout.write(f"| {title} | {' | '.join(f'{value:.3f}' for value in values)} |\n")


if __name__ == "__main__":
    main()
