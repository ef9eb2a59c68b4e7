"""What the segmentation teacher learns, and how it is judged."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mtdepth.data.loader import Batch, Cache
from mtdepth.datasets.label_map import CLASS_NAMES, IGNORE_ID, NUM_CLASSES
from mtdepth.files import UserError
from mtdepth.metrics.segmentation import Confusion, confusion
from mtdepth.trained import graph_function
from teachers.deeplab_v3.checkpoint import SUFFIX, DeepLabInfo, save_deeplab
from teachers.deeplab_v3.keras_network import padded_to_multiple
from teachers.deeplab_v3.loss import cross_entropy
from teachers.deeplab_v3.network import SIZE_MULTIPLE_PX, build_deeplab, load_deeplab
from teachers.imagenet import normalise_imagenet
from teachers.training.examples import ClassExample, read_classes, vary_classes
from teachers.training.labelled_sets import ClassFiles
from teachers.training.recipes import DeepLabRecipe

IMAGE, TRAIN_ID = "image", "train_id"


class ClassTask:
    """DeepLab on pictures with classes; see `teachers.training.run.TeacherTask`.

    Args:
      recipe: The network, what it starts from, how pictures are varied.
      cache_bytes: Memory for decoded training frames.

    Raises:
      UserError: If the weights to start from are of another network than the recipe's.
      FileNotFoundError: If they are missing.
      DataError: If they are damaged.
    """

    score_name = "val_mean_iou"
    is_lower_better = False
    weights_suffix = SUFFIX

    def __init__(self, recipe: DeepLabRecipe, *, cache_bytes: int = 0) -> None:
        self._recipe = recipe
        self._reader = Cache[ClassFiles, ClassExample](read_classes, cache_bytes=cache_bytes)
        self.graph = _network(recipe)
        self._winner = graph_function(self._traced_winner)

    def example(self, files: ClassFiles, rng: np.random.Generator) -> Batch:
        """One varied training example."""
        recipe = self._recipe
        example = vary_classes(
            self._reader(files),
            rng,
            size_px=recipe.crop_px,
            zooms=(recipe.min_zoom, recipe.augmentation.max_zoom),
            augmentation=recipe.augmentation,
        )
        return {IMAGE: normalise_imagenet(example.image), TRAIN_ID: example.train_id}

    def losses(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Runs the graph in training mode."""
        logits = self.graph(batch[IMAGE], training=True)
        return {"total": cross_entropy(batch[TRAIN_ID], logits)}

    def scores(self, held_out: Sequence[ClassFiles]) -> dict[str, float]:
        """Mean IoU and pixel accuracy of whole held-out pictures, at their own size."""
        total = Confusion.zero()
        for files in held_out:
            example = read_classes(files)
            total += confusion(example.train_id, self._predict(example.image))
        return _scores(total)

    def baseline(
        self, train: Sequence[ClassFiles], held_out: Sequence[ClassFiles]
    ) -> dict[str, float]:
        """The scores of the class that most training pixels have, given everywhere."""
        counts = np.zeros(NUM_CLASSES, np.int64)
        for files in train:
            ids = read_classes(files).train_id
            counts += np.bincount(ids[ids != IGNORE_ID], minlength=NUM_CLASSES)
        total = Confusion.zero()
        for files in held_out:
            ids = read_classes(files).train_id
            total += confusion(ids, np.full_like(ids, counts.argmax()))
        return _scores(total, with_classes=False)

    def save(self, path: Path, *, origin: str) -> None:
        """Writes the file that `--deeplab_weights` takes."""
        info = DeepLabInfo(backbone=self._recipe.backbone, head=self._recipe.head, origin=origin)
        save_deeplab(path, self.graph, info)

    def _predict(self, image: Any) -> Any:
        height, width = image.shape[:2]
        padded = padded_to_multiple(image, multiple_px=SIZE_MULTIPLE_PX)
        winner = self._winner(tf.constant(normalise_imagenet(padded)[None]))
        return np.asarray(winner)[0, :height, :width].astype(np.uint8)

    def _traced_winner(self, normalised: Any) -> Any:
        return tf.argmax(self.graph(normalised, training=False), axis=-1)


def _scores(total: Confusion, *, with_classes: bool = True) -> dict[str, float]:
    scores = {"val_mean_iou": total.mean_iou(), "val_pixel_accuracy": total.pixel_accuracy()}
    if with_classes:
        per_class = zip(CLASS_NAMES, total.class_iou(), strict=True)
        scores |= {f"val_iou/{name}": float(iou) for name, iou in per_class if not np.isnan(iou)}
    return scores


def _network(recipe: DeepLabRecipe) -> keras.Model:
    if not recipe.start_from:
        weights = Path(recipe.backbone_weights) if recipe.backbone_weights else None
        return build_deeplab(backbone=recipe.backbone, head=recipe.head, backbone_weights=weights)
    model, info = load_deeplab(Path(recipe.start_from))
    asked = DeepLabInfo(backbone=recipe.backbone, head=recipe.head, origin=info.origin)
    if info != asked:
        raise UserError(
            f"{recipe.start_from} holds {info.head} on {info.backbone} with {info.num_classes} "
            f"classes, the recipe has {recipe.head} on {recipe.backbone} with {NUM_CLASSES}; give "
            f"--override backbone={info.backbone} --override head={info.head}"
        )
    return model
