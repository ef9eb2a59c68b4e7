"""Who may import whom, and what must not be loaded: read from the syntax trees and checked live."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("mtdepth", "teachers", "data_prep", "export")

# Programs: nobody imports them.
PROGRAMS = {
    "mtdepth.train",
    "mtdepth.evaluate",
    "mtdepth.describe",
    "data_prep.audit_teachers",
    "data_prep.doctor",
    "data_prep.generate_teachers",
    "data_prep.fit_bias_table",
    "data_prep.make_demo_world",
    "teachers.deeplab_v3.__main__",
    "teachers.psmnet.__main__",
    "teachers.psmnet.convert",
    "teachers.train",
    "export.benchmark.__main__",
    "export.bundle.__main__",
    "export.prune",
    "export.qat",
    "export.tflite.__main__",
    "export.verify",
    "export.onnx.__main__",
    "export.tftrt.__main__",
    "export.board.build_engine",
    "export.board.run_engine",
    "export.board.convert_tftrt",
    "export.device.__main__",
}

# The first row whose name is the module's own or a package above it counts. `mtdepth.files` and
# `mtdepth.pictures` (file formats' common floor) are open to everybody.
MAY_IMPORT = {
    "mtdepth.files": (),
    "mtdepth.pictures": (),
    "mtdepth.defaults": (),
    "mtdepth.program": (),
    "mtdepth.geometry": (),
    "mtdepth.datasets": ("mtdepth.geometry", "mtdepth.defaults"),
    "mtdepth.contract": ("mtdepth.geometry",),
    "mtdepth.runtime": ("mtdepth.geometry", "mtdepth.datasets", "mtdepth.contract"),
    "mtdepth.models.specs": (),
    "mtdepth.models.mininet_spec": (),
    "mtdepth.metrics": ("mtdepth.geometry", "mtdepth.datasets"),
    "mtdepth.losses": ("mtdepth.geometry", "mtdepth.datasets"),
    "mtdepth.models": ("mtdepth.geometry", "mtdepth.datasets"),
    "mtdepth.recipes": (
        "mtdepth.geometry",
        "mtdepth.contract",
        "mtdepth.models.mininet_spec",
        "mtdepth.models.specs",
    ),
    "mtdepth.workdir": (
        "mtdepth.contract",
        "mtdepth.geometry",
        "mtdepth.models.specs",
        "mtdepth.recipes",
    ),
    "mtdepth.data": (
        "mtdepth.contract",
        "mtdepth.defaults",
        "mtdepth.geometry",
        "mtdepth.datasets",
        "mtdepth.recipes",
        "mtdepth.runtime",
    ),
    "mtdepth": ("mtdepth",),
    "teachers.deeplab_v3.__main__": (
        "teachers",
        "mtdepth.datasets",
        "mtdepth.program",
        "mtdepth.reporting",
    ),
    "teachers.psmnet.__main__": (
        "teachers",
        "mtdepth.datasets",
        "mtdepth.program",
        "mtdepth.runtime.colors",
    ),
    "teachers.psmnet.convert": ("teachers", "mtdepth.program"),
    "teachers.train": (
        "teachers",
        "mtdepth.program",
        "mtdepth.recipes",
        "mtdepth.training",
        "mtdepth.workdir",
    ),
    "teachers.training": (
        "teachers",
        "mtdepth.data",
        "mtdepth.datasets",
        "mtdepth.metrics",
        "mtdepth.recipes",
        "mtdepth.training",
        "mtdepth.versions",
        "mtdepth.workdir",
    ),
    "teachers": ("mtdepth.geometry", "mtdepth.datasets"),
    "data_prep.demo_world": ("mtdepth.geometry", "mtdepth.datasets", "mtdepth.runtime.colors"),
    "data_prep": (
        "teachers",
        "mtdepth.geometry",
        "mtdepth.datasets",
        "mtdepth.metrics",
        "mtdepth.reporting",
        "mtdepth.defaults",
        "mtdepth.program",
    ),
    "export.device": (
        "mtdepth.geometry",
        "mtdepth.datasets",
        "mtdepth.contract",
        "mtdepth.runtime",
    ),
    "export.golden": ("mtdepth.contract", "mtdepth.runtime"),
    "export.verify": ("export.golden", "mtdepth.contract", "mtdepth.runtime"),
    "export.benchmark": (
        "export.device.telemetry",
        "export.tflite.delegation",
        "mtdepth.contract",
        "mtdepth.runtime",
    ),
    "export.board": (),
    "export": ("mtdepth",),
}


def modules() -> dict[str, Path]:
    names = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def our_imports(path: Path, known: set[str]) -> set[str]:
    """Every module of ours that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in known else node.module)
    return {name for name in found if name.split(".")[0] in PACKAGES}


def rule_of(module: str) -> tuple[str, tuple[str, ...]]:
    return next((name, row) for name, row in MAY_IMPORT.items() if is_within(module, name))


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_module_imports_only_what_the_table_allows(module: str) -> None:
    known = modules()
    own, allowed = rule_of(module)
    for name in our_imports(known[module], set(known)):
        assert any(
            is_within(name, package)
            for package in (own, "mtdepth.files", "mtdepth.pictures", *allowed)
        ), f"{module} imports {name}"
        assert name not in PROGRAMS, f"{module} imports the program {name}"


def test_the_programs_of_the_table_exist() -> None:
    assert set(modules()) >= PROGRAMS


@pytest.mark.parametrize("package", PACKAGES)
def test_an_init_file_holds_one_docstring_line(package: str) -> None:
    for path in (ROOT / package).rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1, path
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


LIGHT = (
    "mtdepth.geometry",
    "mtdepth.datasets",
    "mtdepth.contract",
    "mtdepth.runtime",
    "export.device",
    "export.benchmark",
    "export.golden",
    "export.verify",
)


@pytest.mark.parametrize("package", LIGHT)
def test_a_light_package_loads_no_framework(package: str) -> None:
    names = [name for name in modules() if is_within(name, package)]
    heavy = ("tensorflow", "keras", "tf_keras", "matplotlib", "absl")
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        f"loaded = [name for name in {heavy!r} if name in sys.modules]\n"
        "sys.exit(f'loaded {loaded}' if loaded else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
