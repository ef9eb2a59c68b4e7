"""Does the exported file say what the Keras network says? On real frames, or it is not written."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from export.graph import ExportError
from mtdepth.contract import Precision
from mtdepth.files import UserError
from mtdepth.runtime.pipeline import Backend, NetworkOutput
from mtdepth.trained import InferenceNetwork

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Parity:
    """Deviation of an exported file from its Keras network; also, what is allowed of it.

    Attributes:
      median_relative: Of |file - Keras| / Keras over the depth of every output pixel.
      p99_relative: Its 99th percentile.
      max_relative: Its largest value; None in a bound where it is free.
      class_agreement: Share of the output pixels with the same class; None without segmentation.
    """

    median_relative: float
    p99_relative: float
    max_relative: float | None
    class_agreement: float | None

    def to_dict(self) -> dict[str, float | None]:
        """For a report."""
        return asdict(self)


# ours. Measured on a network trained on real frames (500 steps of batch 8 at 320x96), the worst of
# its four decoder sizes on 20 other frames; random networks deviate less. What real faults cost on
# the same frames: red and blue exchanged, or everything shifted by one pixel, at least a median of
# 9 %, a 99th percentile of 145 % and 11 % of the classes; a missing normalisation, or weights that
# are 10 % off, more.
BOUNDS: dict[Precision, Parity] = {
    # Measured 8e-7, 5e-6, 1.3e-5, 1.0: the last bits of the sums.
    "float32": Parity(
        median_relative=1e-5, p99_relative=5e-5, max_relative=1e-4, class_agreement=0.999
    ),
    # Measured 1.2e-3, 1.0e-2, 3.6e-2, 0.9975: weights rounded by up to 2^-12.
    "float16": Parity(
        median_relative=5e-3, p99_relative=3e-2, max_relative=0.2, class_agreement=0.99
    ),
    # Measured 3.8 %, 34 %, 69 %, 0.9425, at a cost of 0.002 in Abs Rel: one step of the code is
    # 1.4 % of depth, and the activations have 256 steps each. The largest is not bounded: a pixel
    # at the edge of an object may fall on its other side.
    "int8": Parity(median_relative=0.08, p99_relative=0.75, max_relative=None, class_agreement=0.9),
}


_FAULT = "that is no rounding: the converter has changed the network, which is a fault"
_REMEDIES: dict[Precision, str] = {
    "float32": _FAULT,
    "float16": _FAULT,
    "int8": "train longer, calibrate on more pictures (--num_calibration), tune it as integers "
    "(`mtdepth qat`), or take --precision float16",
}


def keras_output(network: InferenceNetwork, image: Image) -> NetworkOutput:
    """What the Keras network says of one fitted picture, `[height, width, 3]`."""
    fed = network.normalisation(image[None].astype(np.float32))
    outputs = network.network(fed, training=False)
    code = np.asarray(outputs["depth_code"])[0, :, :, 0]
    depth_m = np.asarray(network.codec.decode(code), np.float32)
    if "class_scores" not in outputs:
        return NetworkOutput(depth_m, None)
    scores = np.asarray(outputs["class_scores"])[0]
    return NetworkOutput(depth_m, scores.argmax(axis=-1).astype(np.uint8))


def measure_parity(network: InferenceNetwork, backend: Backend, images: Iterable[Image]) -> Parity:
    """Compares an exported file with its network, through the runtime that devices use.

    Raises:
      UserError: If there are no images.
      ExportError: If an output is not finite, or of another size or task than the network's.
    """
    relative, agreement = [], []
    for image in images:
        expected = keras_output(network, image)
        found = backend.infer(image)
        _check_form(expected, found)
        relative.append(np.abs(found.depth_m - expected.depth_m) / expected.depth_m)
        if expected.train_id is not None:
            agreement.append(np.mean(found.train_id == expected.train_id))
    if not relative:
        raise UserError("parity needs at least one picture; give a label store with frames")
    median, p99, largest = np.quantile(np.stack(relative), [0.5, 0.99, 1.0])
    return Parity(
        median_relative=float(median),
        p99_relative=float(p99),
        max_relative=float(largest),
        class_agreement=float(np.mean(agreement)) if agreement else None,
    )


def in_words(measured: Parity, precision: Precision) -> str:
    """What a deviation that was accepted means, in a sentence."""
    allowed = BOUNDS[precision]
    depth = (
        f"half of all depths differ from Keras by less than {100 * measured.median_relative:.2g} %,"
        f" 99 % of them by less than {100 * measured.p99_relative:.2g} %"
    )
    if measured.class_agreement is not None:
        depth += f"; {100 * measured.class_agreement:.1f} % of the pixels keep their class"
    if precision == "float32":
        return f"the same but for rounding: {depth}"
    # What a network that was trained on real frames lost, beside which the bounds are twice as far.
    is_usual = 2 * measured.median_relative <= allowed.median_relative
    how = "as usual for" if is_usual else "more than usual for"
    return f"{depth}: {how} {precision}; what that costs in metres, `mtdepth evaluate` tells"


def check_parity(measured: Parity, precision: Precision) -> None:
    """Accepts what is within the bounds of the precision; the ExportError names what is not."""
    faults = []
    for name, allowed in BOUNDS[precision].to_dict().items():
        value = measured.to_dict()[name]
        if value is None or allowed is None:
            continue
        # Written so that a NaN is outside.
        if not (value >= allowed if name == "class_agreement" else value <= allowed):
            faults.append(f"{name} {value:.3g} (allowed: {allowed:g})")
    if faults:
        raise ExportError(
            f"the {precision} file does not say what the Keras network says: {', '.join(faults)}"
            f"; {_REMEDIES[precision]}"
        )


def _check_form(expected: NetworkOutput, found: NetworkOutput) -> None:
    if found.depth_m.shape != expected.depth_m.shape:
        raise ExportError(
            f"the file's depth is {found.depth_m.shape}, the network's {expected.depth_m.shape}"
        )
    if not np.isfinite(found.depth_m).all():
        raise ExportError("the file's depth is not finite")
    if (found.train_id is None) != (expected.train_id is None):
        raise ExportError("the file and the network do not have the same tasks")
