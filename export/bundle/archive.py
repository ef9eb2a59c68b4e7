"""Writes a bundle: a folder, or the same as an archive."""

import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mtdepth.files import atomic_path

ARCHIVE_SUFFIX = ".tar.gz"


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

    Raises:
      FileExistsError: If the folder exists.
    """
    if output.exists() and not is_archive(output):
        raise FileExistsError(f"{output} exists: delete it, or give another --output")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".bundle.") as temporary:
        folder = Path(temporary) / folder_name(output)
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
