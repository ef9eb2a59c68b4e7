"""What the stereo teacher learns, and how it is judged."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mtdepth.data.loader import Batch, Cache
from mtdepth.files import UserError
from mtdepth.metrics.disparity import DisparityErrors, disparity_errors
from teachers.imagenet import normalise_imagenet
from teachers.psmnet.checkpoint import (
    AUTHORS_SUFFIXES,
    SUFFIX,
    PsmnetCheckpoint,
    read_checkpoint,
)
from teachers.psmnet.checkpoint import save as save_checkpoint
from teachers.psmnet.loss import disparity_loss
from teachers.psmnet.network import build_psmnet, compiled
from teachers.psmnet.teacher import padded_input
from teachers.psmnet.weights import assign_weights, tensors_of
from teachers.training.examples import PairExample, read_pair, vary_pair
from teachers.training.labelled_sets import PairFiles
from teachers.training.recipes import PsmnetRecipe

LEFT, RIGHT, DISPARITY_PX = "left", "right", "disparity_px"


class PairTask:
    """PSMNet on pairs with disparity; see `teachers.training.run.TeacherTask`.

    Args:
      recipe: The network, what it starts from, how pairs are varied.
      cache_bytes: Memory for decoded training frames.

    Raises:
      UserError: If the weights to start from follow another upsampling rule than the recipe says.
      FileNotFoundError: If they are missing.
      DataError: If they are damaged.
    """

    score_name = "val_epe_px"
    is_lower_better = True
    weights_suffix = SUFFIX

    def __init__(self, recipe: PsmnetRecipe, *, cache_bytes: int = 0) -> None:
        self._recipe = recipe
        read = functools.partial(read_pair, max_disparity_px=recipe.max_disparity_px)
        self._read = read
        self._reader = Cache[PairFiles, PairExample](read, cache_bytes=cache_bytes)
        start = _start(recipe) if recipe.start_from else None
        self.graph = build_psmnet(
            max_disparity_px=recipe.max_disparity_px,
            align_corners=recipe.align_corners,
            outputs="all",
        )
        if start is not None:
            assign_weights(self.graph, start.tensors)
        # The finest disparity alone, of the same weights.
        self._run = compiled(keras.Model(self.graph.inputs, self.graph.outputs[-1]))

    def example(self, files: PairFiles, rng: np.random.Generator) -> Batch:
        """One varied training example."""
        recipe = self._recipe
        example = vary_pair(
            self._reader(files), rng, size_px=recipe.crop_px, augmentation=recipe.augmentation
        )
        return {
            LEFT: normalise_imagenet(example.left),
            RIGHT: normalise_imagenet(example.right),
            DISPARITY_PX: example.disparity_px,
        }

    def losses(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Runs the graph in training mode."""
        predicted_px = self.graph([batch[LEFT], batch[RIGHT]], training=True)
        max_disparity_px = self._recipe.max_disparity_px
        return {
            "total": disparity_loss(
                batch[DISPARITY_PX], predicted_px, max_disparity_px=max_disparity_px
            )
        }

    def scores(self, held_out: Sequence[PairFiles]) -> dict[str, float]:
        """EPE and D1 of whole held-out pictures, over all measured pixels, beyond the range too."""
        total = DisparityErrors()
        for files in held_out:
            pair = self._read(files)
            total += disparity_errors(pair.disparity_px, self._predict(pair))
        return _scores(total)

    def baseline(
        self, train: Sequence[PairFiles], held_out: Sequence[PairFiles]
    ) -> dict[str, float]:
        """The scores of the median of the training disparities, given everywhere."""
        measured = [self._read(files).disparity_px for files in train]
        median_px = np.median(np.concatenate([frame[frame > 0] for frame in measured]))
        total = DisparityErrors()
        for files in held_out:
            truth_px = self._read(files).disparity_px
            total += disparity_errors(truth_px, np.full_like(truth_px, median_px))
        return _scores(total)

    def save(self, path: Path, *, origin: str) -> None:
        """Writes the file that `--psmnet_weights` takes."""
        checkpoint = PsmnetCheckpoint(
            tensors=tensors_of(self.graph),
            align_corners=self._recipe.align_corners,
            max_disparity_px=self._recipe.max_disparity_px,
            origin=origin,
        )
        save_checkpoint(checkpoint, path)

    def _predict(self, pair: PairExample) -> Any:
        height, width = pair.disparity_px.shape
        views = [padded_input(view)[None] for view in (pair.left, pair.right)]
        disparity_px = self._run(*views)[0]
        return disparity_px[disparity_px.shape[0] - height :, :width]


def _start(recipe: PsmnetRecipe) -> PsmnetCheckpoint:
    path = Path(recipe.start_from)
    if path.suffix in AUTHORS_SUFFIXES:
        raise UserError(
            f"{path} does not say which upsampling rule it was trained with; convert it first: "
            f"`python -m teachers.psmnet.convert` makes a {SUFFIX} that does"
        )
    checkpoint = read_checkpoint(path)
    if checkpoint.align_corners != recipe.align_corners:
        raise UserError(
            f"{path} holds weights with align_corners={checkpoint.align_corners}; give "
            f"--override align_corners={str(checkpoint.align_corners).lower()}"
        )
    return checkpoint


def _scores(total: DisparityErrors) -> dict[str, float]:
    return {"val_epe_px": total.end_point_error_px(), "val_d1": total.outlier_share()}
