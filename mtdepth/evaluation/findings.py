"""What an evaluation, a training and a benchmark left in files, gathered for a report."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mtdepth.contract import Contract, contract_path
from mtdepth.evaluation.frame_pictures import FramePictures, read_frames
from mtdepth.files import DataError, UserError, is_there, read_record, visible_files
from mtdepth.workdir import Workdir

RESULTS_NAME = "results.json"
EXPORTED = (".tflite", ".onnx")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Artefact:
    """An exported file.

    Attributes:
      path: The file.
      contract: Of it.
      num_bytes: Of it.
    """

    path: Path
    contract: Contract
    num_bytes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that is known of a run.

    Attributes:
      place: The first that it was gathered from.
      results_path: Where its scores stand.
      results: As `mtdepth.evaluation.tables.results_dict` made them.
      frames: Pictures of them, worst first; none where no pictures were asked for.
      history: Of the training, an entry an epoch; none where no workdir was found.
      artefacts: Exported files.
      benchmarks: Records of `export.benchmark`.
    """

    place: Path
    results_path: Path
    results: dict[str, Any]
    frames: list[FramePictures]
    history: list[dict[str, Any]]
    artefacts: list[Artefact]
    benchmarks: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """What a report of two runs calls it."""
        return str(self.place)


def find(places: Sequence[Path]) -> Findings:
    """Gathers what lies in some places, and at the paths that the results name.

    Args:
      places: Folders of a training, of an evaluation's pictures or of an export, and files of
        results or of a benchmark; the first results that are found count.

    Raises:
      FileNotFoundError: If a place does not exist, or none holds results.
      DataError: If a file is damaged.
    """
    for place in places:
        if not place.exists():
            raise FileNotFoundError(f"{place}: there is no such file or folder")
    records = {path: read_record(path) for place in places for path in _records(place)}
    scored = [path for path, record in records.items() if "depth" in record]
    if not scored:
        where = ", ".join(map(str, places))
        model = next((place for place in places if Workdir(place).exists()), None)
        raise FileNotFoundError(
            f"{where}: no {RESULTS_NAME}, and no results/*.json of a workdir; "
            f"`python -m mtdepth.evaluate --model {model or 'MODEL'} --pictures FOLDER` makes it"
        )
    results = records[scored[0]]
    try:
        identities = [results["model"], *results["compared_with"]]
        named = [Path(str(each["path"])) for each in identities]
    except (KeyError, TypeError) as error:
        raise DataError(scored[0], f"no results of an evaluation ({error})") from error
    around = [*places, *(path for path in named if path.exists())]
    return Findings(
        place=places[0],
        results_path=scored[0],
        results=results,
        frames=next(filter(None, (read_frames(place) for place in places)), []),
        history=next(filter(None, (Workdir(place).history() for place in around)), []),
        artefacts=[_artefact(path) for path in dict.fromkeys(_exported(around))],
        benchmarks=[record for record in records.values() if "machine" in record],
    )


def _records(place: Path) -> Iterator[Path]:
    """JSON files that may be results or a benchmark's."""
    if place.is_file():
        if place.suffix == ".json":
            yield place
        return
    if is_there(place / RESULTS_NAME):
        yield place / RESULTS_NAME
    elif found := visible_files(place / "results", "*.json"):
        yield max(found, key=lambda path: path.stat().st_mtime)
    if is_there(place / "benchmark.json"):
        yield place / "benchmark.json"


def _exported(around: Sequence[Path]) -> Iterator[Path]:
    for place in around:
        found = [place] if place.is_file() else [place / f"model{kind}" for kind in EXPORTED]
        for path in found:
            if path.suffix in EXPORTED and path.is_file() and is_there(contract_path(path)):
                yield path.resolve()


def _artefact(path: Path) -> Artefact:
    try:
        contract = Contract.load(contract_path(path))
    except UserError as error:
        raise DataError(contract_path(path), str(error)) from error
    return Artefact(path=path, contract=contract, num_bytes=path.stat().st_size)
