"""From a workdir back to a network."""

from typing import cast

import keras

from mtdepth.files import DataError
from mtdepth.models import mininet, student
from mtdepth.recipes.video import VideoRecipe
from mtdepth.workdir import Checkpoint, Workdir


def load_training_graph(
    workdir: Workdir,
    checkpoint: Checkpoint = "best",
    *,
    input_size: tuple[int, int] | None = None,
) -> keras.Model:
    """Rebuilds a student's training graph and loads a checkpoint into it.

    Args:
      workdir: The run.
      checkpoint: `"best"` or `"last"`.
      input_size: Another (height, width) than the recipe's; the weights fit any.

    Raises:
      FileNotFoundError: If there is no such run or checkpoint.
      DataError: If the weights are damaged or of another network.
      ValueError: If the run holds another network than a student.
    """
    recipe = workdir.student_recipe()
    graph = student.build_training_graph(recipe.spec, input_size=input_size or recipe.input_size_px)
    return _loaded(graph, workdir, checkpoint)


def load_mininet_graph(
    workdir: Workdir,
    checkpoint: Checkpoint = "best",
    *,
    input_size: tuple[int, int] | None = None,
) -> keras.Model:
    """Rebuilds a MiniNet's training graph and loads a checkpoint into it; see above."""
    recipe = cast(VideoRecipe, workdir.recipe())
    size = input_size or recipe.input_size_px
    return _loaded(
        mininet.build_training_graph(recipe.mininet, input_size=size), workdir, checkpoint
    )


def _loaded(graph: keras.Model, workdir: Workdir, checkpoint: Checkpoint) -> keras.Model:
    path = workdir.weights(checkpoint)
    try:
        graph.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            path, f"not the weights of this recipe's network ({error}); train again"
        ) from error
    return graph
