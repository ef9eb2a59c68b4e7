"""Quantisation-aware training and pruning as programs, which import what would poison tests."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes.conditioned import pictures
from fakes.programs import run_program
from fakes.tuning import mininet_workdir, student_workdir

from export.tflite.delegation import delegation_of
from mtdepth.contract import Contract
from mtdepth.datasets.label_store import LabelStore
from mtdepth.runtime.tflite import TfliteBackend
from mtdepth.workdir import Workdir

ROOT = Path(__file__).parents[2]
SIZE = (64, 96)


@pytest.fixture(scope="module")
def student(labels: LabelStore, tmp_path_factory: pytest.TempPathFactory) -> Workdir:
    return student_workdir(tmp_path_factory.mktemp("student") / "run", labels)


def tune(program: str, workdir: Workdir, *arguments: object) -> subprocess.CompletedProcess[str]:
    small = ("--workdir", workdir.path, "--batch_size", 2, "--num_calibration", 4)
    return run_program(f"export.{program}", *small, *arguments)


def run_patched(patch: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`export.qat` with a few lines run before it."""
    code = f"{patch}\nfrom mtdepth import program\nfrom export import qat\nprogram.run(qat.main)\n"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def difference(a: TfliteBackend, b: TfliteBackend) -> float:
    """Median relative difference of depth."""
    image = pictures(1, size=SIZE, seed=9)[0]
    return float(np.median(np.abs(a.infer(image).depth_m / b.infer(image).depth_m - 1)))


def test_a_network_is_trained_as_integers(
    student: Workdir, labels: LabelStore, tmp_path: Path
) -> None:
    output = tmp_path / "qat"
    done = tune(
        *("qat", student, "--decoder", "XS", "--steps", 3, "--score_every", 2),
        *("--teach", "both", "--val_data", labels.root, "--max_rise", 9, "--output", output),
    )
    assert done.returncode == 0, done.stderr
    contract = Contract.load(output / "model.json")
    assert (contract.treatment, contract.precision, contract.decoder) == ("qat", "int8", "XS")
    assert (contract.input.dtype, contract.input.scale, contract.input.zero_point) == (
        *("uint8", 1.0),
        0,
    )
    assert {out.name: out.dtype for out in contract.outputs} == {
        "depth_code": "int8",
        "class_scores": "int8",
    }
    delegation = delegation_of(output / "model.tflite")
    assert delegation.num_partitions == 1
    assert set(delegation.undelegated) <= {"QUANTIZE"}
    found = TfliteBackend(output / "model.tflite").infer(pictures(1, size=SIZE)[0])
    assert found.depth_m.shape == (4, 6)
    record = json.loads((output / "fine_tuning.json").read_text())
    scores = record["stages"]["quantise"]["scores"]
    assert [step for step, _ in scores] == [0, 2, 3]
    assert record["stages"]["quantise"]["abs_rel"] == min(score for _, score in scores)
    assert record["files"]["int8"]["against_float"]["median_relative"] < 0.08
    assert not list(output.glob("*state*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--decoder", "L"), "does not contain decoder L"),
        (("--data", "nowhere"), "nowhere"),
        (("--pictures", "tests", "--teach", "labels"), "holds no picture"),
        (("--sparsity", "1.5"), "sparsity"),
    ],
)
def test_a_wrong_line_is_answered_in_words(
    student: Workdir, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = tune("prune", student, *arguments, "--output", tmp_path / "out")
    assert done.returncode != 0
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_half_of_the_weights_become_zero_and_stay_so(student: Workdir, tmp_path: Path) -> None:
    output = tmp_path / "pruned"
    done = tune(
        *("prune", student, "--decoder", "S", "--steps", 30, "--qat", "--sparsity", 0.5),
        *("--output", output),
    )
    assert done.returncode == 0, done.stderr
    treatments = {
        folder: Contract.load(output / folder / "model.json").treatment
        for folder in ("float32", "int8", "qat")
    }
    assert treatments == {"float32": "pruned", "int8": "pruned", "qat": "pruned_qat"}
    record = json.loads((output / "fine_tuning.json").read_text())
    for stage in ("prune", "quantise"):
        shares = record["sparsity"][stage]
        assert len(shares) > 10
        # A share of a small layer's weights is a whole number of them.
        assert all(share > 0.45 for share in shares.values())
    files = record["files"]
    assert files["float32"]["gzip_bytes"] < 0.9 * files["float32"]["size_bytes"]
    backends = {name: TfliteBackend(output / name / "model.tflite") for name in treatments}
    assert difference(backends["float32"], backends["int8"]) < 0.1
    for backend in backends.values():
        assert delegation_of(backend.path).num_partitions == 1


@pytest.mark.slow
def test_a_mininet_is_taught_by_its_float_self(labels: LabelStore, tmp_path: Path) -> None:
    workdir = mininet_workdir(tmp_path / "run", labels)
    done = tune("qat", workdir, "--steps", 3, "--output", tmp_path / "qat")
    assert done.returncode == 0, done.stderr
    contract = Contract.load(tmp_path / "qat" / "model.json")
    assert (contract.network, contract.decoder, contract.treatment) == ("mininet", "Q", "qat")
    assert delegation_of(tmp_path / "qat" / "model.tflite").num_partitions == 1
    done = tune("qat", workdir, "--teach", "labels", "--output", tmp_path / "no")
    assert done.returncode == 1
    assert "taught by the float network" in done.stderr


@pytest.mark.slow
def test_hard_swish_is_trained_as_integers(labels: LabelStore, tmp_path: Path) -> None:
    workdir = student_workdir(tmp_path / "run", labels, activation="hard_swish")
    done = tune("qat", workdir, "--decoder", "S", "--steps", 3, "--output", tmp_path / "qat")
    assert done.returncode == 0, done.stderr
    delegation = delegation_of(tmp_path / "qat" / "model.tflite")
    assert delegation.num_partitions == 1
    assert set(delegation.undelegated) <= {"QUANTIZE"}
    record = json.loads((tmp_path / "qat" / "fine_tuning.json").read_text())
    assert record["files"]["int8"]["against_float"]["median_relative"] < 0.05


@pytest.mark.slow
def test_what_got_worse_is_not_written(
    student: Workdir, labels: LabelStore, tmp_path: Path
) -> None:
    # Against a float network of an error of nearly nothing, every result is worse.
    done = run_patched(
        "from export.fine_tune import job\njob.Job.float_abs_rel = lambda self: 1e-6\n",
        *("--workdir", student.path, "--decoder", "XS", "--steps", 1, "--batch_size", 2),
        *("--num_calibration", 4, "--val_data", labels.root, "--output", tmp_path / "qat"),
    )
    assert done.returncode == 1
    assert "held-out Abs Rel rose" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.tflite"))


@pytest.mark.slow
def test_a_killed_fine_tuning_goes_on(student: Workdir, labels: LabelStore, tmp_path: Path) -> None:
    # The kill: it saves after every step and ends at the third.
    stop = (
        "import sys\n"
        "from export.fine_tune import loop\n"
        "loop.SAVE_SECONDS = -1.0\n"
        "real = loop.TrainingState.save\n"
        "def stop(self):\n"
        "    real(self)\n"
        "    if self.progress.step == 3: sys.exit(9)\n"
        "loop.TrainingState.save = stop\n"
    )
    flags = [
        *("--workdir", student.path, "--decoder", "XS", "--steps", 5, "--batch_size", 2),
        *("--num_calibration", 4, "--val_data", labels.root, "--score_every", 2),
        *("--max_rise", 9),
    ]
    killed = run_patched(stop, *flags, "--output", tmp_path / "a")
    assert killed.returncode == 9, killed.stderr
    assert (tmp_path / "a" / "quantise_state" / "resume.npz").is_file()
    other = tune("qat", student, *flags[2:], "--learning_rate", 0.5, "--output", tmp_path / "a")
    assert other.returncode == 1
    assert "state of another fine-tuning" in other.stderr
    for name in ("a", "b"):
        done = tune("qat", student, *flags[2:], "--output", tmp_path / name)
        assert done.returncode == 0, done.stderr
    records = [json.loads((tmp_path / name / "fine_tuning.json").read_text()) for name in "ab"]
    scores = [record["stages"]["quantise"]["scores"] for record in records]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-3)
