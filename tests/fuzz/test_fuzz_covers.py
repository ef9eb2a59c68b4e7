"""Whatever opens a file of a user's is passed by a reader of the fuzz harness, or is named here."""

import ast
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from fuzz.readers import READERS

ROOT = Path(__file__).parents[2]
PACKAGES = ("mtdepth", "data_prep", "export", "teachers")
OPENERS = {
    *("read_bytes", "read_text", "read_json", "read_record", "read_json_lines", "parse_json"),
    *("read_npz", "read_npy", "loads", "loadmat", "fromfile", "loadtxt", "genfromtxt"),
    *("imread", "imdecode", "VideoCapture", "load_weights", "load_every_weight", "load_model"),
    *("ParseFromString", "FromString"),
}
# np.load, h5py.File, torch.load and the like.
OPENERS_OF = {"np.load", "torch.load", "h5py.File", "zipfile.ZipFile", "tarfile.open"}
# Files that are not a user's, or that another function has read before, and why.
NO_FILES_OF_USERS = {
    "of `mtdepth.models.weights.load_weights`, which is": (
        "mtdepth/evaluation/ego_motion.py:_loaded",
        "mtdepth/models/pose_net.py:_resnet18_features",
        "mtdepth/trained.py:load_training_graph",
        "mtdepth/training/start.py:start_weights",
        "mtdepth/training/video_run.py:_start_from",
        "teachers/deeplab_v3/network.py:_load_backbone",
        "teachers/deeplab_v3/network.py:load_deeplab",
    ),
    "of what this process wrote": (
        "data_prep/audit/page.py:_picture",
        "data_prep/demo_world/render.py:_compressed",
        "export/benchmark/memory.py:peak_memory",
        "export/fine_tune/job.py:export",
        "export/tftrt/target.py:check_loadable",
        "mtdepth/recipes/schedule.py:to_dict",
        "teachers/deeplab_v3/checkpoint.py:save_deeplab",
    ),
    "passed by the bags' readers in another thread": (
        "data_prep/rig/bag_messages.py:_decompressed",
    ),
    "of what the way's own steps wrote": (
        "data_prep/auto/lists.py:write_lists",
        "data_prep/auto/summary.py:summary",
        "mtdepth/evaluation/findings.py:find",
        "mtdepth/evaluation/frame_pictures.py:read_frames",
        "mtdepth/evaluation/markup.py:attached",
        "mtdepth/evaluation/markup.py:whole_page",
        "mtdepth/reproduce/measured.py:_cost",
        "mtdepth/reproduce/measured.py:_value",
        "mtdepth/reproduce/measured.py:frames_of",
        "mtdepth/reproduce/running.py:_unit",
    ),
    "of this project or of the kernel": (
        "export/benchmark/machine.py:_text",
        "export/board/build_engine.py:read_board",
        "export/bundle/contents.py:write_bundle",
        "export/bundle/modules.py:imports_of",
        "export/device/telemetry.py:_throttled_texts",
        "export/device/telemetry.py:peak_memory_bytes",
        "export/device/telemetry.py:process_age_s",
        "export/device/telemetry.py:temperature_c",
        "export/device/v4l.py:_read",
        "export/device/web_handler.py:do_GET",
        "mtdepth/reproduce/machine.py:trainings_that_fit",
    ),
    "of another reader that is, or has compared a checksum": (
        "export/benchmark/operators.py:_model",
        "export/board/build_engine.py:run",
        "export/board/convert_tftrt.py:converted_contract",
        "export/board/run_engine.py:__init__",
        "export/fine_tune/loop.py:_check_identity",
    ),
    "no file: a camera, a request, a flag": (
        "export/board/run_engine.py:frames",
        "export/device/streams.py:open_stream",
        "export/device/v4l.py:_open_capture",
        "export/device/web_handler.py:do_POST",
        "mtdepth/recipes/base.py:_parse",
    ),
}


def opening_functions() -> Iterator[tuple[str, Path, int]]:
    """Name, file and first line of every function that calls an opener."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef) and any(map(_opens, ast.walk(node))):
                    line = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                    yield f"{path.relative_to(ROOT)}:{node.name}", path, line


def _opens(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    return name in OPENERS_OF or name.rpartition(".")[2] in OPENERS


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_opener_of_files_is_fuzzed_or_named(tmp_path: Path) -> None:
    passed: set[tuple[Path, int]] = set()

    def profile(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            code: CodeType = frame.f_code
            passed.add((Path(code.co_filename), code.co_firstlineno))

    for number, reader in enumerate(READERS):
        folder = tmp_path / str(number)
        folder.mkdir()
        case = reader.prepare(folder)
        sys.setprofile(profile)
        try:
            case.read()
        finally:
            sys.setprofile(None)
    missing = {name for name, *place in opening_functions() if tuple(place) not in passed}
    assert sorted(missing) == sorted(itertools.chain(*NO_FILES_OF_USERS.values()))
