"""Golden pairs: pictures with what the exported file answered to them, to be asked again elsewhere.

`golden.npz` stands beside an artefact and holds three fitted pictures, the raw output tensors of
each, and the depth and classes decoded from them. A device that gives the same answers runs the
same network; `python -m export.verify` asks it. Numpy only: it runs there, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdepth.files import DataError, atomic_path, read_npz, sha256_of
from mtdepth.runtime.contracted import ContractedBackend

GOLDEN_NAME = "golden.npz"
NUM_PAIRS = 3

Image = npt.NDArray[np.uint8]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Answer:
    """What a file says of one picture.

    Attributes:
      raw: Its output tensors, `[1, h, w, channels]` or `[1, h, w]`, by name.
      depth_m: `[h, w]` float32.
      train_id: `[h, w]` uint8, or None without segmentation.
    """

    raw: Mapping[str, Array]
    depth_m: npt.NDArray[np.float32]
    train_id: npt.NDArray[np.uint8] | None


@dataclass(frozen=True)
class Golden:
    """The content of `golden.npz`: pictures `[height, width, 3]`, and answers by decoder size."""

    sha256: str
    images: tuple[Image, ...]
    answers: Mapping[str, tuple[Answer, ...]]


def golden_path(artefact_path: Path) -> Path:
    """Where the golden pairs of a file are."""
    return artefact_path.with_name(GOLDEN_NAME)


def ask(backend: ContractedBackend, image: Image) -> Answer:
    """What a file says of a picture."""
    raw = {name: np.array(value) for name, value in backend.run(image).items()}
    decoded = backend.decode(raw)
    return Answer(raw, decoded.depth_m, decoded.train_id)


def write_golden(
    artefact_path: Path, backends: Mapping[str, ContractedBackend], images: Sequence[Image]
) -> None:
    """Writes the golden pairs of a file, opened by decoder size, beside it, atomically.

    Of the fitted pictures the first three are taken.
    """
    chosen = [np.asarray(image) for image in images[:NUM_PAIRS]]
    if not chosen:
        raise ValueError("golden pairs need at least one picture")
    arrays: dict[str, Array] = {
        "sha256": np.array(sha256_of(artefact_path)),
        "images": np.stack(chosen),
    }
    for size, backend in backends.items():
        answers = [ask(backend, image) for image in chosen]
        for name in answers[0].raw:
            arrays[f"{size}/raw/{name}"] = np.stack([answer.raw[name] for answer in answers])
        arrays[f"{size}/depth_m"] = np.stack([answer.depth_m for answer in answers])
        if answers[0].train_id is not None:
            ids = [answer.train_id for answer in answers if answer.train_id is not None]
            arrays[f"{size}/train_id"] = np.stack(ids)
    with atomic_path(golden_path(artefact_path)) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]


def read_golden(artefact_path: Path) -> Golden:
    """Reads the golden pairs of a file.

    Raises:
      FileNotFoundError: If there are none.
      DataError: If they are damaged, or of another file.
    """
    path = golden_path(artefact_path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: the golden pairs of {artefact_path.name} are missing; copy the file from "
            "where the model came from, or export the network again"
        )
    try:
        golden = _parsed(read_npz(path))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(path, f"damaged ({error!r}); copy it again") from error
    if golden.sha256 != (digest := sha256_of(artefact_path)):
        raise DataError(
            path,
            f"is of a file with SHA-256 {golden.sha256[:12]}..., but that of {artefact_path.name} "
            f"is {digest[:12]}...: copy both again, or export the network again",
        )
    return golden


def _parsed(arrays: Mapping[str, Array]) -> Golden:
    images = arrays["images"]
    for name, array in arrays.items():
        if name != "sha256" and (array.ndim < 3 or len(array) != len(images)):
            raise ValueError(f"{name} is {array.shape}, not an answer to each picture")
    sizes = dict.fromkeys(name.split("/")[0] for name in arrays if "/" in name)
    answers = {
        size: tuple(_answer(arrays, size, number) for number in range(len(images)))
        for size in sizes
    }
    return Golden(str(arrays["sha256"]), tuple(images), answers)


def _answer(arrays: Mapping[str, Array], size: str, number: int) -> Answer:
    prefix = f"{size}/raw/"
    raw = {
        name.removeprefix(prefix): value[number]
        for name, value in arrays.items()
        if name.startswith(prefix)
    }
    train_id = arrays.get(f"{size}/train_id")
    return Answer(
        raw, arrays[f"{size}/depth_m"][number], None if train_id is None else train_id[number]
    )
