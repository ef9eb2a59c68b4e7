"""Which modules of this project a device needs: followed from import to import, not listed."""

import ast
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

# What a device is told to install (export.bundle.texts).
DEVICE_PACKAGES = frozenset({"numpy", "cv2", "simplejpeg", "ai_edge_litert"})
_BROUGHT_BY_LITERT = frozenset({"flatbuffers", "tqdm"})
_OF_SOME_DEVICES = frozenset({"picamera2", "libcamera", "rclpy", "sensor_msgs", "std_msgs"})
_AVAILABLE = sys.stdlib_module_names | DEVICE_PACKAGES | _BROUGHT_BY_LITERT | _OF_SOME_DEVICES


class BundleError(Exception):
    """Something that cannot be carried to a device."""


def module_file(root: Path, name: str) -> Path | None:
    """The file of a module below a source root, or None if the root has no such module."""
    path = root.joinpath(*name.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def closure(root: Path, entry_points: Iterable[str]) -> dict[str, Path]:
    """Every module that the entry points import, directly or not, with the packages above them.

    Imports inside functions count; those under `if TYPE_CHECKING:` do not. The files stand in the
    order of their names.

    Raises:
      BundleError: If an entry point does not exist, or a module imports what no device has.
    """
    found: dict[str, Path] = {}
    waiting = [(name, "the list of programs") for name in entry_points]
    while waiting:
        name, importer = waiting.pop()
        if name in found:
            continue
        path = module_file(root, name)
        if path is None:
            raise BundleError(f"{importer} needs {name}, which is not below {root}")
        found[name] = path
        if "." in name:
            waiting.append((name.rpartition(".")[0], name))
        waiting += [(imported, name) for imported in _ours(root, name, imports_of(path))]
    return dict(sorted(found.items()))


def imports_of(path: Path) -> list[str]:
    """Full names that a source file imports: `a.b` for `import a.b`, `a.b.c` of `from a.b`."""
    names = []
    for node in _executed(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def _executed(tree: ast.AST) -> Iterable[ast.AST]:
    """Walks a syntax tree without what only a type checker sees."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        waiting += node.orelse if is_for_types else ast.iter_child_nodes(node)  # type: ignore[attr-defined]


def _ours(root: Path, importer: str, names: Iterable[str]) -> list[str]:
    """Of imported names, the modules of ours; the others must be what a device has."""
    ours = []
    for name in names:
        top = name.split(".")[0]
        if module_file(root, top) is None:
            if top not in _AVAILABLE:
                raise BundleError(
                    f"{importer} imports {top}, which a device does not have: it may use the "
                    f"standard library and {', '.join(sorted(DEVICE_PACKAGES))}"
                )
            continue
        # `from a.b import c`: c is a module or something in one.
        ours.append(name if module_file(root, name) else name.rpartition(".")[0])
    return ours


def data_files(modules: Mapping[str, Path]) -> list[Path]:
    """What lies beside the modules of the device's own package and is no Python source."""
    folders = {path.parent for name, path in modules.items() if name.startswith("export.device")}
    return sorted(
        path
        for folder in folders
        for path in folder.iterdir()
        if path.is_file() and path.suffix not in {".py", ".pyc"} and not path.name.startswith(".")
    )
