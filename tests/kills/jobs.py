"""The jobs that are killed and whose disks are filled, small ones, and what they leave."""

import errno
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from fakes.kitti_tree import build_kitti_tree
from fakes.label_store import build_label_store
from fakes.programs import run_program
from fakes.tuning import student_workdir

from mtdepth.data.features import FRAME
from mtdepth.evaluation.prediction_store import PredictionStore
from mtdepth.models.weights import save_weights
from mtdepth.recipes.schedule import TrainingSchedule
from mtdepth.runtime.pipeline import Prediction
from mtdepth.training.batch_statistics import BatchStatistics
from mtdepth.training.loop import TrainingLoop, adam_learner
from mtdepth.workdir import Workdir

Job = Callable[[Path], None]
SCHEDULE = TrainingSchedule(
    batch_size=8, num_epochs=3, steps_per_epoch=4, learning_rate=1e-2, schedule="cosine"
)
NOT_COMPARED = (
    *("data_wait_s", "network_ms", "cost", "versions", "model", "kitti_root", "created"),
)


def prepare(root: Path) -> None:
    """Makes what the jobs read: recordings, labels, predictions, a run."""
    tree = build_kitti_tree(root / "raw", num_drives=2, num_frames=2, size=(96, 320))
    store = build_label_store(root / "labels", tree)
    saved = PredictionStore(root / "saved")
    for frame in store.frames:
        saved.write(frame, Prediction(1.1 * store.read_depth(frame), store.read_train_id(frame)))
    lists = [(tree / f"splits/{part}.txt").read_text().splitlines() for part in ("train", "val")]
    left = [line for line in (*lists[0], *lists[1]) if line.endswith(" l")]
    (tree / "left.txt").write_text("\n".join(left) + "\n")
    student_workdir(root / "run", store)


def jobs(root: Path) -> dict[str, Job]:
    """Each makes everything that it makes in the folder that it is given; by their names."""
    tree, labels = ("--kitti_root", root / "raw"), ("--labels", root / "labels")
    network = ("--workdir", root / "run", *labels)
    return {
        "labels": _program(
            "data_prep.generate_teachers",
            *(*tree, "--split", "all", "--seg_teacher", "none", "--num_processes", "1"),
            output="labels",
        ),
        "training": _train,
        "export.tflite float32": _program("export.tflite", *network, output="float32"),
        "export.tflite int8": _program(
            "export.tflite", *network, "--precision", "int8", output="int8"
        ),
        "export.onnx": _program("export.onnx", *network, output="onnx"),
        "evaluation": _evaluation(
            *("--model", root / "saved", *tree, "--split", root / "raw/left.txt"),
            *(*labels, "--train_labels", root / "labels", "--protocol", "labels_80m"),
        ),
    }


def _program(module: str, *arguments: object, output: str) -> Job:
    return lambda folder: _run(module, *arguments, "--output", folder / output)


def _evaluation(*arguments: object) -> Job:
    """With everything that can be written."""
    return lambda folder: _run(
        "mtdepth.evaluate",
        *(*arguments, "--num_pictures", "2", "--output", folder / "out/results.json"),
        *("--pictures", folder / "pictures", "--save_predictions", folder / "predictions"),
    )


def _run(module: str, *arguments: object) -> None:
    """Runs a program as a user does.

    Raises:
      OSError: If it ends with the one line of a full disk.
      RuntimeError: If it ends otherwise than well.
    """
    done = run_program(module, *arguments)
    if not done.returncode:
        return
    if "Traceback" not in done.stderr and "make room" in done.stderr:
        raise OSError(errno.ENOSPC, done.stderr.strip().splitlines()[-1])
    raise RuntimeError(done.stderr)


def _train(folder: Path) -> None:
    """Trains a small network in `folder` by the one loop, saving after every step."""
    keras.utils.set_random_seed(0)
    image = keras.Input((4,))
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(64)(image))
    network = keras.Model(image, keras.layers.Dense(1)(hidden))

    def losses(batch: dict[str, Any]) -> dict[str, Any]:
        error = network(batch["x"], training=True) - batch["y"]
        return {"total": keras.ops.mean(keras.ops.square(error))}

    def batches(step: int) -> Iterator[dict[str, Any]]:
        for number in itertools.count(step):
            x = np.random.default_rng(number).normal(size=(8, 4)).astype(np.float32)
            yield {"x": x, "y": x.sum(1, keepdims=True), FRAME: np.array([b"frame"])}

    workdir = Workdir(folder / "run")
    loop = TrainingLoop(
        workdir=workdir,
        schedule=SCHEDULE,
        learner=adam_learner(workdir, SCHEDULE, network, losses, ema_decay=0.9),
        checkpoint_seconds=0,
        statistics=BatchStatistics(network, lambda batch: network(batch["x"], training=True)),
        num_statistics_batches=2,
        stream=batches,
        judge=lambda *_: {"val": float(np.square(network.get_weights()[0]).sum())},
        save_weights=lambda checkpoint, _: save_weights(network, workdir.weights_path(checkpoint)),
        weights_path=workdir.weights_path("best"),
        chooser="val",
    )
    loop.run()


def content(folder: Path) -> dict[str, object]:
    """What a job left, without what tells of time and place; a leftover is in it by its name."""
    return {str(path.relative_to(folder)): _comparable(path) for path in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "logs" not in path.parts and not path.name.startswith(".lock"):
            yield path


def _comparable(path: Path) -> object:
    if path.suffix in (".json", ".jsonl"):
        return [_stripped(json.loads(each)) for each in _documents(path)]
    if path.suffix in (".html", ".txt", ".png") and "pictures" in path.parts:
        return len(path.read_bytes()) > 0  # they tell the folder and times
    return path.read_bytes()


def _documents(path: Path) -> list[str]:
    text = path.read_text()
    return text.splitlines() if path.suffix == ".jsonl" else [text]


def _stripped(value: object) -> object:
    if isinstance(value, dict):
        return {key: _stripped(each) for key, each in value.items() if key not in NOT_COMPARED}
    return [_stripped(each) for each in value] if isinstance(value, list) else value


def differences(found: dict[str, object], wanted: dict[str, object]) -> list[str]:
    """Names of files that differ, are missing, or are left over."""
    return [name for name in sorted({*found, *wanted}) if found.get(name) != wanted.get(name)]
