"""The networks that come with the package, by name: learned from rendered streets alone.

A program that takes a model takes `pretrained`, `pretrained:NAME` or `pretrained:NAME:PRECISION` in
the place of a path. Each is a workdir that holds its exported files, too; README.md is their card.
"""

from pathlib import Path

from mtdepth.files import UserError

PRETRAINED = "pretrained"
DEFAULT_NAME = "fast"
PRETRAINED_ROOT = Path(__file__).parent


def known() -> list[str]:
    """Those that are here."""
    return sorted(recipe.parent.name for recipe in PRETRAINED_ROOT.glob("*/recipe.json"))


def is_named(given: Path | str) -> bool:
    """Whether this names one of them, rather than a path (write `./pretrained` for that)."""
    return str(given).partition(":")[0] == PRETRAINED


def run_folder(given: Path | str) -> Path:
    """The workdir that is meant: one of these by its name, or the path itself.

    Raises:
      UserError: If none has that name.
    """
    return _folder(given)[0] if is_named(given) else Path(given)


def exported_file(given: Path | str, *, precision: str) -> Path:
    """The exported file that is meant: one of these by its name, or the path itself.

    Args:
      given: A name or a path.
      precision: Where the name does not say it: `float32` or `int8`.

    Raises:
      UserError: If none has that name, or not in that precision.
    """
    if not is_named(given):
        return Path(given)
    folder, asked = _folder(given)
    file = folder / (asked or precision) / "model.tflite"
    if not file.is_file():
        there = ", ".join(sorted(each.parent.name for each in folder.glob("*/model.tflite")))
        raise UserError(f"{given}: {folder.name} is here as {there or 'no exported file'}")
    return file


def _folder(given: Path | str) -> tuple[Path, str]:
    """The workdir that a name means, and the precision that it names."""
    name, _, precision = str(given).partition(":")[2].partition(":")
    if (name or DEFAULT_NAME) not in known():
        there = ", ".join(f"{PRETRAINED}:{each}" for each in known())
        raise UserError(f"{given}: no such network comes with mtdepth; known: {there or 'none'}")
    return PRETRAINED_ROOT / (name or DEFAULT_NAME), precision
