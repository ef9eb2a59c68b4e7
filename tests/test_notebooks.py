"""The notebooks run top to bottom on a tiny run, and are stored without outputs."""

import ast
import base64
import os
import re
from pathlib import Path

import cv2
import nbformat
import numpy as np
import pytest
from fakes.workdir import build_workdir
from nbclient import NotebookClient

from mtdepth.datasets.label_store import LabelStore

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
EXPLORE = NOTEBOOKS / "01_explore_results.ipynb"


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_what_a_notebook_imports_is_there(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    plain = re.sub(r"^%", "# %", code, flags=re.MULTILINE)
    for node in ast.walk(ast.parse(plain)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(ast.unparse(node), {})


@pytest.mark.slow
def test_the_results_notebook_runs_and_draws_its_figures(
    tree: Path, labels: LabelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workdir = build_workdir(tmp_path / "run")
    settings = {
        "MTDEPTH_KITTI_ROOT": str(tree),
        "MTDEPTH_LABELS": str(labels.root),
        "MTDEPTH_WORKDIR": str(workdir.path),
        "MTDEPTH_NUM_FRAMES": "4",
        # The test's backend would keep the notebook from drawing inline.
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        # A kernel of its own needs no lasting settings of a user's.
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(EXPLORE, as_version=4)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": NOTEBOOKS}})
    client.execute(env=dict(os.environ))

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    pictures = [
        output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 7
    for picture in pictures:
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(picture), np.uint8), 1)
        assert pixels.std() > 5
    text = "".join(output.get("text", "") for output in outputs)
    assert "Depth, protocol camera_z_garg_80m" in text
    assert "not scored" not in text
