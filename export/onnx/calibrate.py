"""How far the activations of a network reach on real pictures, for int8."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from export.onnx.graph import OnnxGraph, to_model
from mtdepth.runtime.onnx import open_session

Image = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]

MAX_INTEGER = 127
NUM_BINS = 2048
# Of a feature map, every so many-th value is counted: there are millions.
_STRIDE = 5
# Ends that are tried, as parts of the largest value seen.
_TRIED_ENDS = np.linspace(0.3, 1.0, 71)


def find_ranges(
    graph: OnnxGraph, tensors: Sequence[str], pictures: Sequence[Image]
) -> dict[str, float]:
    """Finds, for each tensor, the end of its range that costs least when it becomes integers.

    Args:
      graph: The float network.
      tensors: Which.
      pictures: Fitted.

    Returns:
      The value that becomes 127, by tensor; 0 for one that is always 0.
    """
    largest = dict.fromkeys(tensors, 0.0)
    for values in _observed(graph, tensors, pictures, label="largest activations"):
        for name, found in values.items():
            largest[name] = max(largest[name], float(np.abs(found).max()))
    counts = {name: np.zeros(NUM_BINS, np.int64) for name in tensors if largest[name] > 0}
    for values in _observed(graph, list(counts), pictures, label="their distribution"):
        for name, found in values.items():
            counts[name] += _histogram(found, largest[name])
    return {
        name: best_end(counts[name], largest[name]) if name in counts else 0.0 for name in tensors
    }


def best_end(counts: Counts, largest: float) -> float:
    """The end of the range with the least mean squared error.

    What lies beyond the end is cut off; a larger end makes the steps between coarser.

    Args:
      counts: Of magnitudes, in equal bins from 0 to `largest`.
      largest: Magnitude.
    """
    magnitudes = (np.arange(len(counts)) + 0.5) * largest / len(counts)
    ends = largest * _TRIED_ENDS
    steps = ends[:, None] / MAX_INTEGER
    integers = np.minimum(np.rint(magnitudes / steps), MAX_INTEGER)
    errors = ((integers * steps - magnitudes) ** 2 @ counts).astype(np.float64)
    # Not the least of all, which would cut off for a gain of nothing.
    good = errors <= errors.min() * 1.001
    return float(ends[good].max())


def _observed(
    graph: OnnxGraph, tensors: Sequence[str], pictures: Iterable[Image], *, label: str
) -> Iterator[Mapping[str, npt.NDArray[np.float32]]]:
    names = [name for name in tensors if name not in graph.outputs]
    # Opset 13 whatever the file's: it is the same arithmetic.
    model = to_model(graph, opset=13, extra_outputs=names)
    session = open_session(model.SerializeToString(), num_threads=os.cpu_count() or 1)
    for picture in tqdm(pictures, desc=label, unit="picture", leave=False):
        found = session.run(list(tensors), {graph.input: picture[None].astype(np.float32)})
        yield dict(zip(tensors, found, strict=True))


def _histogram(values: npt.NDArray[np.float32], largest: float) -> Counts:
    magnitudes = np.abs(values.ravel()[::_STRIDE])
    bins = (magnitudes * (NUM_BINS / largest)).astype(np.int64)
    return np.bincount(np.minimum(bins, NUM_BINS - 1), minlength=NUM_BINS)
