"""A small trained-looking run for the programs that tune a network further."""

import dataclasses
from pathlib import Path

import keras
from fakes.conditioned import condition
from fakes.recipes import tiny_recipe

from mtdepth.datasets.label_store import LabelStore
from mtdepth.geometry.camera import Intrinsics
from mtdepth.models.mininet import build_training_graph as build_mininet
from mtdepth.models.student import build_training_graph
from mtdepth.recipes.registry import find_video_recipe
from mtdepth.specs.mininet import MiniNetSpec
from mtdepth.specs.student import Activation
from mtdepth.workdir import Workdir

CAMERA = Intrinsics(fx_px=60.0, fy_px=58.0, cx_px=47.5, cy_px=31.5, width_px=96, height_px=64)


def student_workdir(path: Path, labels: LabelStore, *, activation: Activation = "relu6") -> Workdir:
    """A run of the tiny recipe, well conditioned, with random weights."""
    student = dataclasses.replace(tiny_recipe().student, decoder_activation=activation)
    recipe = dataclasses.replace(tiny_recipe(), decoder="M", student=student)
    workdir = _begun(path, recipe, labels)
    keras.utils.set_random_seed(5)
    graph = build_training_graph(recipe.spec, input_size=recipe.input_size_px)
    condition(graph, seed=5)
    graph.save_weights(workdir.weights_path("best"))
    return workdir


def mininet_workdir(path: Path, labels: LabelStore) -> Workdir:
    """A run of the small MiniNet at 64x96 with random weights."""
    recipe = dataclasses.replace(
        find_video_recipe("mininet_kitti"),
        name="tiny",
        mininet=MiniNetSpec(variant="small"),
        output="Q",
        input_size_px=(64, 96),
        num_epochs=1,
        steps_per_epoch=1,
        learning_rate=1e-3,
    )
    workdir = _begun(path, recipe, labels)
    keras.utils.set_random_seed(6)
    graph = build_mininet(recipe.mininet, input_size=recipe.input_size_px)
    graph.save_weights(workdir.weights_path("best"))
    return workdir


def _begun(path: Path, recipe: object, labels: LabelStore) -> Workdir:
    workdir = Workdir(path)
    run = {"labels": str(labels.root), "labels_digest": labels.digest(), "val_labels": None}
    workdir.begin(
        recipe,  # type: ignore[arg-type]  # either kind
        {
            **run,
            "val_labels_digest": None,
            "training_camera": CAMERA.to_dict(),
            "scale_source": "none: not trained",
            "versions": {},
        },
    )
    return workdir
