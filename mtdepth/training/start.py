"""The first weights of a run: random, an encoder from elsewhere, or a whole trained student."""

import math

import keras
import numpy as np
from absl import logging

from mtdepth.files import DataError, UserError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import LinearDepthCodec, LogDepthCodec, StudentCodec
from mtdepth.models.encoder_weights import start_encoder
from mtdepth.models.student import copy_weights
from mtdepth.models.weights import load_weights
from mtdepth.pretrained.names import run_folder
from mtdepth.recipes.base import TrainRecipe
from mtdepth.trained import load_training_graph
from mtdepth.workdir import Workdir


def start_weights(graph: keras.Model, recipe: TrainRecipe, camera: Intrinsics) -> None:
    """Gives a training graph the weights that its recipe starts from.

    Args:
      graph: Of `mtdepth.models.student.build_training_graph`.
      recipe: `start_from` names a workdir (its best weights, with depth carried over to this run's
        law and camera) or a weight file (taken as it is); where it is empty, `encoder_weights`
        says how the encoder starts.
      camera: The run's training camera, at the network's input size.

    Raises:
      FileNotFoundError: If there is no such workdir or file.
      DataError: If the weights are damaged or of another network.
    """
    if not recipe.start_from:
        start_encoder(graph, recipe.encoder_weights)
        return
    path = run_folder(recipe.start_from)
    if path.is_dir():
        _start_from_run(graph, recipe, camera, Workdir(path))
    elif path.is_file():
        load_weights(graph, path)
    else:
        raise FileNotFoundError(
            f"{path}: no such workdir or weight file; --start_from names a run of "
            "`python -m mtdepth.train` or one of its *.weights.h5"
        )
    logging.info("starting from the weights of %s", path)


def _start_from_run(
    graph: keras.Model, recipe: TrainRecipe, camera: Intrinsics, workdir: Workdir
) -> None:
    before = workdir.student_recipe()
    source = load_training_graph(workdir, "best")
    try:
        copy_weights(source=source, target=graph)
    except ValueError as error:
        raise DataError(workdir.weights("best"), f"of another network: {error}") from error
    # What looks the same is farther away through a longer lens.
    scale = camera.focal_px / workdir.training_camera().focal_px
    carry_depth_over(graph, old=before.codec, new=recipe.codec, scale=scale)


def carry_depth_over(
    graph: keras.Model, *, old: StudentCodec, new: StudentCodec, scale: float
) -> None:
    """Changes the depth heads so that they say `scale` times the old depth in another law.

    Both laws are linear in the logarithm of depth, or in depth, so the change is one of each head's
    weights.

    Args:
      graph: Its layers `depth_code_1` and on are changed.
      old: The law that they were trained for.
      new: The law that they shall speak.
      scale: Factor on depth.

    Raises:
      UserError: If one is of the logarithm of depth and the other of depth itself.
    """
    if isinstance(old, LogDepthCodec) and isinstance(new, LogDepthCodec):
        gain = new.slope / old.slope
        shift = new.slope * math.log(scale) + new.offset - gain * old.offset
    elif isinstance(old, LinearDepthCodec) and isinstance(new, LinearDepthCodec):
        gain, shift = scale, 0.0
    else:
        raise UserError(
            "start_from: that network tells depth by another depth_law than this recipe's; give "
            "the same --override depth_law=..., or start from nothing"
        )
    for layer in graph.layers:
        if layer.name.startswith("depth_code_"):
            kernel, bias = layer.get_weights()
            layer.set_weights([np.float32(gain) * kernel, np.float32(gain) * bias + shift])
