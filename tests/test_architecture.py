"""Who may import whom, and what must not be loaded: read from the syntax trees and checked live."""

import ast
import graphlib
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("mtdepth", "teachers", "data_prep", "export")

# The longest name that is the module's own or a package above it counts. Every module may import
# its own room, which is the row's name, and what is open to all.
OPEN_TO_ALL = (
    *("mtdepth.files", "mtdepth.records", "mtdepth.pictures", "mtdepth.defaults"),
    "mtdepth.attempts",
)
GEOMETRY_AND_DATA_SETS = ("mtdepth.geometry", "mtdepth.datasets")
EVERY_DEVICE = (
    *(*GEOMETRY_AND_DATA_SETS, "mtdepth.contract", "mtdepth.runtime", "mtdepth.pretrained"),
)
A_RUN = (
    *(*GEOMETRY_AND_DATA_SETS, "mtdepth.contract", "mtdepth.recipes", "mtdepth.workdir"),
    *("mtdepth.pretrained", "mtdepth.specs"),
)
# Of `export`, what the targets share; none of them imports another.
A_TARGET = (
    *(*EVERY_DEVICE, "mtdepth.models", "mtdepth.trained", "mtdepth.program"),
    *("export.artefact", "export.graph", "export.inference_graph", "export.origin"),
    "export.request",
)
MAY_IMPORT = {
    # mtdepth, from the floor up. What predicts never imports what trains.
    "mtdepth.files": (),
    "mtdepth.pictures": (),
    "mtdepth.attempts": (),
    "mtdepth.pretrained": (),
    "mtdepth.records": (),
    "mtdepth.defaults": ("mtdepth.datasets",),
    "mtdepth.program": ("mtdepth.defaults",),
    "mtdepth.versions": (),
    # How a longer way of several programs is gone.
    "mtdepth.child": (),
    "mtdepth.steps": (),
    "mtdepth.geometry": (),
    "mtdepth.datasets": ("mtdepth.geometry",),
    "mtdepth.contract": ("mtdepth.geometry", "mtdepth.datasets.plausible", "mtdepth.specs"),
    "mtdepth.runtime": EVERY_DEVICE,
    "mtdepth.metrics": GEOMETRY_AND_DATA_SETS,
    "mtdepth.losses": GEOMETRY_AND_DATA_SETS,
    "mtdepth.specs": (),
    "mtdepth.models": (*GEOMETRY_AND_DATA_SETS, "mtdepth.specs"),
    "mtdepth.recipes": ("mtdepth.geometry", "mtdepth.contract", "mtdepth.specs"),
    "mtdepth.workdir": (*GEOMETRY_AND_DATA_SETS, "mtdepth.contract", "mtdepth.recipes"),
    "mtdepth.reporting": (*GEOMETRY_AND_DATA_SETS, "mtdepth.runtime"),
    "mtdepth.data": (
        *(*GEOMETRY_AND_DATA_SETS, "mtdepth.contract", "mtdepth.recipes", "mtdepth.runtime"),
    ),
    "mtdepth.trained": (*A_RUN, "mtdepth.models", "mtdepth.runtime"),
    "mtdepth.predictor": (*A_RUN, "mtdepth.runtime", "mtdepth.trained"),
    "mtdepth.photo": (*A_RUN, "mtdepth.runtime", "mtdepth.predictor"),
    "mtdepth.__main__": (),
    "mtdepth.evaluation": (
        *(*A_RUN, "mtdepth.runtime", "mtdepth.trained", "mtdepth.predictor", "mtdepth.metrics"),
        *("mtdepth.models", "mtdepth.losses", "mtdepth.data", "mtdepth.reporting"),
        "mtdepth.versions",
    ),
    "mtdepth.training": (
        *(*A_RUN, "mtdepth.runtime", "mtdepth.models", "mtdepth.losses", "mtdepth.data"),
        *("mtdepth.metrics", "mtdepth.versions", "mtdepth.trained"),
    ),
    "mtdepth.reproduce": (
        *("mtdepth.child", "mtdepth.steps", "mtdepth.program", "mtdepth.recipes"),
        *("mtdepth.metrics.protocols", "mtdepth.metrics.published"),
    ),
    "mtdepth.train": (
        *(*A_RUN, "mtdepth.models", "mtdepth.data", "mtdepth.training", "mtdepth.program"),
    ),
    "mtdepth.report": ("mtdepth.evaluation", "mtdepth.runtime.command_line"),
    "mtdepth": (
        *(*A_RUN, "mtdepth.models", "mtdepth.data", "mtdepth.trained", "mtdepth.predictor"),
        *("mtdepth.metrics", "mtdepth.evaluation", "mtdepth.reporting", "mtdepth.program"),
    ),
    # Teachers: pictures in, labels out; they know the students' training only where they train.
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
    "teachers.train": (*A_RUN, "teachers", "mtdepth.program", "mtdepth.training"),
    "teachers.training": (
        *(*A_RUN, "teachers", "mtdepth.data", "mtdepth.metrics", "mtdepth.training"),
        *("mtdepth.trained", "mtdepth.versions"),
    ),
    "teachers": (*GEOMETRY_AND_DATA_SETS, "mtdepth.models.weights"),
    # Data preparation: never a student's network.
    "data_prep.demo_world": (
        *(*GEOMETRY_AND_DATA_SETS, "data_prep.contact_sheet", "data_prep.jobs"),
    ),
    "data_prep.contact_sheet": ("mtdepth.datasets", "mtdepth.runtime.colors"),
    "data_prep.bias_table": (),
    "data_prep.jobs": (
        *("mtdepth.datasets", "teachers.interface", "teachers.lidar"),
        *("data_prep.bias_table", "data_prep.teacher_choice"),
    ),
    "data_prep.doctor": ("mtdepth.datasets", "mtdepth.program", "data_prep.jobs"),
    "data_prep.auto": (
        *("mtdepth.datasets", "mtdepth.program", "mtdepth.recipes"),
        *("mtdepth.child", "mtdepth.steps"),
        *("data_prep.audit.bias_evidence", "data_prep.bias_table", "data_prep.generation"),
        "data_prep.teacher_choice",
    ),
    "data_prep.rig": (
        *(*GEOMETRY_AND_DATA_SETS, "mtdepth.program", "data_prep.doctor.stereo_order"),
    ),
    "data_prep.audit": (
        *("mtdepth.datasets", "mtdepth.metrics", "mtdepth.reporting", "teachers"),
        *("data_prep.bias_table", "data_prep.jobs"),
    ),
    "data_prep": (
        *(*GEOMETRY_AND_DATA_SETS, "teachers", "mtdepth.metrics", "mtdepth.reporting"),
        "mtdepth.program",
    ),
    # Export: what goes to a board runs there without a framework.
    "export.device": EVERY_DEVICE,
    "export.predict": (*EVERY_DEVICE, "export.device", "mtdepth.photo"),
    "export.golden": EVERY_DEVICE,
    "export.verify": (*EVERY_DEVICE, "export.golden"),
    "export.board": (),
    "export.tflite": A_TARGET,
    "export.onnx": A_TARGET,
    "export.tftrt": A_TARGET,
    "export.benchmark": (*EVERY_DEVICE, "export.device.telemetry", "export.tflite.delegation"),
    "export.bundle": (*EVERY_DEVICE, "export.golden", "mtdepth.program"),
    "export.fine_tune": (
        *(*A_RUN, "export", "mtdepth.models", "mtdepth.runtime", "mtdepth.trained"),
        *("mtdepth.data", "mtdepth.losses", "mtdepth.metrics", "mtdepth.training"),
    ),
    "export": (
        *(*A_RUN, "mtdepth.models", "mtdepth.runtime", "mtdepth.trained", "mtdepth.program"),
        *("mtdepth.versions", "mtdepth.reporting"),
    ),
}

# Loaded on a device, or where every second counts: without a framework.
LIGHT = (
    *("mtdepth.geometry", "mtdepth.datasets", "mtdepth.contract", "mtdepth.runtime"),
    *("export.device", "export.benchmark", "export.golden"),
    "export.verify",
)
HEAVY = ("tensorflow", "keras", "tf_keras", "matplotlib", "absl")

# The front door also has `Predictor`, loaded when it is asked for; the networks' registers layers.
DOORS = (ROOT / "mtdepth" / "__init__.py", ROOT / "mtdepth" / "models" / "__init__.py")

# Started as a process, and imported for what it says.
ALSO_IMPORTED = {"export.benchmark.memory"}


@cache
def trees() -> dict[str, ast.Module]:
    """Every module's name and syntax tree."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


@cache
def imports() -> dict[str, set[str]]:
    """Every module of ours that each module imports, also inside functions."""
    known = trees()
    found: dict[str, set[str]] = {}
    for module, tree in known.items():
        names: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                full = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= {name if name in known else node.module for name in full}
        found[module] = {name for name in names if name.split(".")[0] in PACKAGES}
    return found


def programs() -> set[str]:
    """Modules that end with `if __name__ == "__main__"`."""
    return {
        name
        for name, tree in trees().items()
        if any(
            isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) for node in tree.body
        )
    }


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def test_nobody_imports_what_the_table_does_not_allow() -> None:
    wrong = []
    for module, names in imports().items():
        row = max((name for name in MAY_IMPORT if is_within(module, name)), key=len)
        allowed = (row, *OPEN_TO_ALL, *MAY_IMPORT[row])
        wrong += [
            f"{module} imports {name} (row {row!r})"
            for name in sorted(names)
            if not any(is_within(name, package) for package in allowed)
        ]
    assert not wrong, "\n".join(wrong)


def test_every_row_of_the_table_stands_for_something() -> None:
    named = {name for row in MAY_IMPORT.values() for name in row} | {*MAY_IMPORT, *LIGHT}
    assert not named - set(trees()), "rows of modules that are no more"


def test_nobody_imports_a_program() -> None:
    found = programs() - ALSO_IMPORTED
    assert {"mtdepth.train", "export.device.__main__"} <= found
    wrong = [
        f"{module} imports {name}" for module in imports() for name in imports()[module] & found
    ]
    assert not wrong, "\n".join(wrong)


def room_of(module: str) -> str:
    """Its package in one of ours, or the file that lies there."""
    return ".".join(module.split(".")[:2])


def test_no_file_and_no_room_imports_itself_by_way_of_others() -> None:
    rooms: dict[str, set[str]] = {}
    for module, names in imports().items():
        others = {room_of(name) for name in names} - {room_of(module)}
        rooms.setdefault(room_of(module), set()).update(others)
    for graph in (imports(), rooms):
        # Raises CycleError, which names the way round.
        assert tuple(graphlib.TopologicalSorter(graph).static_order())


def test_an_init_file_holds_one_docstring_line() -> None:
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert len(tree.body) == 1 or path in DOORS, path
        assert ast.get_docstring(tree), path


def test_what_runs_on_a_device_loads_no_framework() -> None:
    names = [name for name in trees() if any(is_within(name, package) for package in LIGHT)]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        f"    if loaded := [heavy for heavy in {HEAVY!r} if heavy in sys.modules]:\n"
        "        sys.exit(f'{name} loads {loaded}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
