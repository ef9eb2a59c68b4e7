"""From a workdir back to a network."""

import keras

from mtdepth.files import DataError
from mtdepth.models.student import build_training_graph
from mtdepth.workdir import Checkpoint, Workdir


def load_training_graph(
    workdir: Workdir,
    checkpoint: Checkpoint = "best",
    *,
    input_size: tuple[int, int] | None = None,
) -> keras.Model:
    """Rebuilds a run's training graph and loads a checkpoint into it.

    Args:
      workdir: The run.
      checkpoint: `"best"` or `"last"`.
      input_size: Another (height, width) than the recipe's; the weights fit any.

    Raises:
      FileNotFoundError: If there is no such run or checkpoint.
      DataError: If the weights are damaged or of another network.
    """
    recipe = workdir.recipe()
    path = workdir.weights(checkpoint)
    graph = build_training_graph(recipe.spec, input_size=input_size or recipe.input_size_px)
    try:
        graph.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            path, f"not the weights of this recipe's network ({error}); train again"
        ) from error
    return graph
