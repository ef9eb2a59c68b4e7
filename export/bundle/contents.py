"""What goes into a bundle, checked before it is carried away, and how it is written."""

import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from export.bundle.modules import BundleError
from export.golden import golden_path, read_golden
from mtdepth.contract import Contract, contract_path
from mtdepth.files import DataError, atomic_path, remove_leftovers, temporary_folder
from mtdepth.runtime.tflite import contract_files, open_sizes

ARCHIVE_SUFFIX = ".tar.gz"


@dataclass(frozen=True)
class BundledModel:
    """A model as it goes into a bundle, in a folder of that name, with all that travels with it."""

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
    """A model with its contracts and golden pairs, none of them damaged or of another export."""
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
    """Models of different folder names, the first of which is the one that the service runs."""
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


def is_archive(output: Path) -> bool:
    """Whether an output is to be an archive."""
    return output.name.endswith(ARCHIVE_SUFFIX)


def folder_name(output: Path) -> str:
    """Name of the bundle's folder: the output's, without the suffix of an archive."""
    return output.name.removesuffix(ARCHIVE_SUFFIX)


def write_bundle(
    output: Path, *, copied: Mapping[str, Path], texts: Mapping[str, str], scripts: frozenset[str]
) -> None:
    """Writes the bundle; what is there already is not touched before all else has succeeded.

    Args:
      output: A folder that does not exist, or an archive `*.tar.gz`, which is replaced.
      copied: Path in the bundle to the file that is copied there.
      texts: Path in the bundle to its content.
      scripts: Those of the texts that may be executed.
    """
    if output.exists() and not is_archive(output):
        raise FileExistsError(f"{output} exists: give another --output")
    remove_leftovers(output.parent)
    with temporary_folder(output.parent, prefix=".bundle.") as temporary:
        folder = temporary / folder_name(output)
        for name, source in copied.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        for name in scripts:
            (folder / name).chmod(0o755)
        if not is_archive(output):
            folder.rename(output)
            return
        with atomic_path(output) as path, tarfile.open(path, "w:gz") as archive:
            archive.add(folder, folder.name, filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    # Not the maker's name, nor a umask that would hide the files from a service.
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member
