"""The models of a bundle: checked before they are carried away."""

from dataclasses import dataclass
from pathlib import Path

from export.bundle.modules import BundleError
from export.golden import golden_path, read_golden
from mtdepth.contract import Contract, contract_path
from mtdepth.files import DataError
from mtdepth.runtime.tflite import contract_files, open_sizes


@dataclass(frozen=True)
class BundledModel:
    """A model as it goes into a bundle.

    Attributes:
      name: Of its folder there.
      artefact: The file.
      files: It and all that travels with it.
      contracts: By decoder size, largest first.
    """

    name: str
    artefact: Path
    files: tuple[Path, ...]
    contracts: dict[str, Contract]

    @property
    def path(self) -> str:
        """Of the file, in the bundle."""
        return f"models/{self.name}/{self.artefact.name}"

    def row(self) -> str:
        """A row of the README's table."""
        contract = next(iter(self.contracts.values()))
        height_px, width_px = contract.input_size
        unit = "metres" if contract.is_metric else "relative"
        tasks = "depth" if contract.classes is None else "depth, classes"
        return (
            f"| `{self.path}` | {', '.join(self.contracts)} | {contract.precision} | "
            f"{width_px}x{height_px} | {tasks} | {unit} | "
            f"{self.artefact.stat().st_size / 1000:.0f} kB |"
        )


TABLE_HEAD = (
    "| file | sizes | arithmetic | input, width x height | gives | depth in | bytes |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)


def checked_model(artefact: Path) -> BundledModel:
    """A model with its contracts and golden pairs.

    Raises:
      FileNotFoundError: If one of its files is missing.
      DataError: If one is damaged or of another export.
      BundleError: If it is no `.tflite` file.
    """
    if artefact.suffix != ".tflite":
        raise BundleError(f"{artefact}: a Raspberry Pi runs .tflite files")
    open_sizes(artefact, num_threads=1)
    golden = read_golden(artefact)
    side_cars = contract_files(artefact)
    missing = [size for size in side_cars if size not in golden.answers]
    if missing:
        raise DataError(
            golden_path(artefact),
            f"holds no pairs of size {', '.join(missing)}; export the network again",
        )
    files = (artefact, contract_path(artefact), golden_path(artefact), *side_cars.values())
    return BundledModel(
        name=artefact.resolve().parent.name,
        artefact=artefact,
        files=tuple(dict.fromkeys(files)),
        contracts={size: Contract.load(path) for size, path in side_cars.items()},
    )


def checked_models(artefacts: list[Path]) -> list[BundledModel]:
    """Models of different folder names, the first of which is the one that the service runs.

    Raises:
      BundleError: If there is none, or two of one name.
      FileNotFoundError, DataError: See `checked_model`.
    """
    models = [checked_model(artefact) for artefact in artefacts]
    if not models:
        raise BundleError("a bundle needs at least one model (--model)")
    names = [model.name for model in models]
    for model in models:
        if names.count(model.name) > 1:
            raise BundleError(
                f"two models stand in folders named {model.name!r}: rename one, or bundle one file "
                "with all sizes (export.tflite --decoder all)"
            )
    return models
