"""A workdir with weights that were never trained, for tests that need only a network that runs."""

import dataclasses
import shutil
from hashlib import sha256
from pathlib import Path

import keras
import numpy as np
from fakes.once import built_once
from fakes.recipes import TINY_STUDENT

from mtdepth.geometry.camera import Intrinsics
from mtdepth.models.student import build_training_graph
from mtdepth.recipes.base import overridden
from mtdepth.recipes.registry import find_recipe
from mtdepth.workdir import Workdir

INPUT_SIZE_PX = (32, 96)
CAMERA = Intrinsics(fx_px=60.0, fy_px=58.0, cx_px=46.5, cy_px=15.0, width_px=96, height_px=32)


def build_workdir(
    path: Path, *, overrides: tuple[str, ...] = (), camera: Intrinsics = CAMERA, seed: int = 3
) -> Workdir:
    """Writes a workdir of the demo recipe at 32x96, of a tiny student with random weights.

    Args:
      path: Folder to create.
      overrides: Further `key=value` changes of the recipe.
      camera: That it claims to have been trained with, at the input's size.
      seed: Of the weights. The output layers' biases are set so that depths look like depths.
    """
    name = f"workdir-{sha256(repr((overrides, camera, seed)).encode()).hexdigest()[:12]}"
    shutil.copytree(
        built_once(name, lambda folder: _build(folder, overrides, camera, seed)),
        path,
        dirs_exist_ok=True,
    )
    return Workdir(path)


def _build(path: Path, overrides: tuple[str, ...], camera: Intrinsics, seed: int) -> None:
    height_px, width_px = INPUT_SIZE_PX
    tiny = dataclasses.replace(find_recipe("demo"), student=TINY_STUDENT, start_from="")
    recipe = overridden(tiny, [f"input_size_px=[{height_px},{width_px}]", *overrides])
    workdir = Workdir(path)
    run = {"labels": "none", "labels_digest": "0", "val_labels": None}
    camera_fields = {"training_camera": camera.to_dict(), "scale_source": "none: not trained"}
    workdir.begin(recipe, {**run, **camera_fields, "versions": {}})
    keras.utils.set_random_seed(seed)
    graph = build_training_graph(recipe.spec, input_size=recipe.input_size_px)
    rng = np.random.default_rng(seed)
    for variable in graph.variables:
        # Batch-norm statistics as after a training, so that a wrong mode of the layers shows.
        if variable.name == "moving_mean":
            variable.assign(rng.normal(0, 0.1, variable.shape))
        if variable.name == "moving_variance":
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    graph.save_weights(workdir.weights_path("best"))
    for variable in graph.trainable_variables:
        variable.assign(variable * 1.05)
    graph.save_weights(workdir.weights_path("last"))
