"""The notebooks run top to bottom on tiny data, and are stored with small outputs."""

import ast
import base64
import os
import re
from pathlib import Path
from typing import Any

import cv2
import nbformat
import numpy as np
import pytest
from fakes.workdir import build_workdir
from nbclient import NotebookClient

from mtdepth.datasets.label_store import LabelStore

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
MAX_BYTES = 600_000  # of a file that people read in a browser
PICTURE = "image/jpeg"

each_notebook = pytest.mark.parametrize(
    "path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem
)


@each_notebook
def test_a_notebook_is_stored_as_it_came_out_of_one_run(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert any(PICTURE in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.output_type == "error"]
    text = "".join(output.get("text", "") for output in outputs)
    assert not re.search(r"/(home|root|tmp|work)/|Warning", text)
    assert path.stat().st_size <= MAX_BYTES


@each_notebook
def test_what_a_notebook_imports_is_there(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    plain = re.sub(r"^%", "# %", code, flags=re.MULTILINE)
    for node in ast.walk(ast.parse(plain)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(ast.unparse(node), {})


@pytest.fixture
def executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a notebook by the start of its name; returns its text and its pictures."""

    def run(start: str, **settings: Any) -> tuple[str, list[np.ndarray]]:
        for name, value in settings.items():
            monkeypatch.setenv(f"MTDEPTH_{name}", str(value))
        # The test's backend would keep the notebook from drawing inline.
        monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        # A kernel of its own needs no lasting settings of a user's.
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
        (path,) = NOTEBOOKS.glob(f"{start}_*.ipynb")
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": NOTEBOOKS}})
        client.execute(env=dict(os.environ))
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        assert not [output for output in outputs if output.output_type == "error"]
        contents = [output.get("data", {}) for output in outputs]
        encoded = [each.get(PICTURE) or each.get("image/png") for each in contents]
        pictures = [
            cv2.imdecode(np.frombuffer(base64.b64decode(each), np.uint8), 1)
            for each in encoded
            if each
        ]
        assert all(picture.std() > 5 for picture in pictures)
        return "".join(output.get("text", "") for output in outputs), pictures

    return run


@pytest.mark.slow
def test_the_labels_notebook_shows_coverage_rows_and_the_laser(
    tree: Path, labels: LabelStore, executed: Any
) -> None:
    text, pictures = executed("01", KITTI_ROOT=tree, LABELS=labels.root, NUM_FRAMES=4)
    assert len(pictures) == 5
    assert f"{len(labels.frames)} frames, 4 of them looked at here" in text
    assert "Depth, protocol camera_z_garg_80m" in text


@pytest.mark.slow
def test_the_results_notebook_runs_and_draws_its_figures(
    tree: Path, labels: LabelStore, tmp_path: Path, executed: Any
) -> None:
    workdir = build_workdir(tmp_path / "run")
    text, pictures = executed(
        "02", KITTI_ROOT=tree, LABELS=labels.root, WORKDIR=workdir.path, NUM_FRAMES=4
    )
    assert len(pictures) == 5
    assert "Depth, protocol camera_z_garg_80m" in text
    assert "not scored" not in text


@pytest.mark.slow
def test_the_export_notebook_compares_eight_files_and_makes_one(
    tree: Path, labels: LabelStore, executed: Any
) -> None:
    text, pictures = executed("03", KITTI_ROOT=tree, LABELS=labels.root, NUM_FRAMES=2)
    assert len(pictures) == 1
    for size in ("L", "M", "S", "XS"):
        for precision in ("float32", "int8"):
            assert re.search(rf"^{size} {precision}\s+\d\.\d{{3}}", text, re.MULTILINE)
    assert "model.tflite" in text


@pytest.mark.slow
def test_the_video_notebook_draws_depth_scales_it_and_scores_it(
    tree: Path, labels: LabelStore, executed: Any
) -> None:
    text, pictures = executed("04", KITTI_ROOT=tree, LABELS=labels.root, NUM_FRAMES=4)
    assert len(pictures) == 3
    assert "without a unit" in text
    assert "depth 1 is" in text
    assert "Depth, protocol camera_z_garg_80m_median" in text


@pytest.mark.slow
def test_the_photo_notebook_takes_any_picture(tmp_path: Path, executed: Any) -> None:
    rows = np.linspace(60, 200, 150).astype(np.uint8)
    photo = tmp_path / "mine.jpg"
    cv2.imwrite(str(photo), np.repeat(np.repeat(rows[:, None, None], 200, 1), 3, 2))
    text, pictures = executed("05", PHOTO=photo, FOV_DEG=70)
    assert len(pictures) == 2
    assert "field of view of 70 degrees" in text
    assert "_overlay.png" in text
