"""A trained run's network with all that travels with it, whichever kind of network it is."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from absl import logging

from mtdepth.contract import MININET, NO_SCALE, STUDENT, Fit
from mtdepth.files import DataError, UserError, is_there, read_record, sha256_of
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import DepthCodec, SigmoidDisparityCodec
from mtdepth.models import mininet, student
from mtdepth.models.normalisation import MININET_INPUT, STUDENT_INPUT, InputNormalisation
from mtdepth.models.weights import load_weights
from mtdepth.recipes.base import TrainRecipe
from mtdepth.runtime.pipeline import NetworkOutput
from mtdepth.workdir import Checkpoint, Workdir


@dataclasses.dataclass(frozen=True, kw_only=True)
class InferenceNetwork:
    """A network cut to one decoder size, between bytes and metres.

    Attributes:
      network: Input `image` `[B, height, width, 3]`, already through `normalisation`; outputs, a
        dict: `depth_code` `[B, h, w, 1]` and, with segmentation, `class_scores`
        `[B, h, w, classes]`.
      codec: From code to depth.
      normalisation: From RGB in 0..255 to the network's input.
    """

    network: keras.Model
    codec: DepthCodec
    normalisation: InputNormalisation

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width)."""
        return _pair(self.network.input_shape[1:3])

    @property
    def tasks(self) -> tuple[str, ...]:
        """`("depth",)` or `("depth", "segmentation")`."""
        has_classes = "class_scores" in self.network.output
        return ("depth", "segmentation") if has_classes else ("depth",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainedNetwork(InferenceNetwork):
    """A run's network with all that is known of it.

    Attributes:
      family: `student` or `mininet`.
      size: Its decoder: L, M, S, XS or F, H, Q, E.
      fit: How a picture is brought to the input's size.
      training_camera: At the input size that was trained; None where unknown.
      scale_source: Where the metres come from; `none` where depth is relative.
      recipe: The whole recipe, as JSON.
      workdir: The run.
      checkpoint: Which weights.
    """

    family: str
    size: str
    fit: Fit
    training_camera: Intrinsics | None
    scale_source: str
    recipe: dict[str, Any]
    workdir: Workdir
    checkpoint: Checkpoint

    @property
    def is_metric(self) -> bool:
        """Whether its depth has a unit."""
        return self.scale_source != NO_SCALE

    @property
    def file(self) -> Path:
        """The weight file that it was read from."""
        return self.workdir.weights(self.checkpoint)

    def identity(self) -> dict[str, Any]:
        """Which network it is: kind, path, digest, decoder, checkpoint, recipe."""
        return {
            "kind": "keras",
            "path": str(self.workdir.path),
            "network": self.family,
            "decoder": self.size,
            "precision": "float32",
            "checkpoint": self.checkpoint,
            "sha256": sha256_of(self.file),
            "recipe": self.recipe["name"],
            "scale_source": self.scale_source,
        }

    def infer(self, image: npt.NDArray[np.uint8]) -> NetworkOutput:
        """Runs the network on a fitted RGB picture `[height, width, 3]`."""
        code, train_id = self._compiled(image)
        depth_m = np.asarray(self.codec.decode(code.numpy()), np.float32)
        return NetworkOutput(depth_m, None if train_id is None else train_id.numpy())

    @functools.cached_property
    def _compiled(self) -> Any:
        """From uint8 `[height, width, 3]` to code `[h, w]` and train id `[h, w]` or None."""
        shape = (*self.input_size, 3)

        def infer(image: Any) -> Any:
            fed = self.normalisation(tf.cast(image, tf.float32))
            outputs = self.network(fed[None], training=False)
            code = outputs["depth_code"][0, :, :, 0]
            if "segmentation" not in self.tasks:
                return code, None
            scores = outputs["class_scores"][0]
            return code, tf.cast(tf.argmax(scores, axis=-1), tf.uint8)

        # One fixed shape is traced once.
        return graph_function(infer, [tf.TensorSpec(shape, tf.uint8)])


def load_trained(
    workdir: Workdir,
    *,
    size: str | None = None,
    checkpoint: Checkpoint = "best",
    input_size: tuple[int, int] | None = None,
) -> TrainedNetwork:
    """Opens a run's network.

    Args:
      workdir: The run.
      size: Decoder to cut; None for the one that was trained.
      checkpoint: Which weights.
      input_size: Another (height, width) than the recipe's; the weights fit any.

    Raises:
      FileNotFoundError: If there is no such run or checkpoint.
      DataError: If the weights are damaged or of another network.
      UserError: If the size is not in it, or Keras runs on another back end than TensorFlow.
    """
    require_tensorflow()
    recipe = workdir.recipe()
    decoder: Any = workdir.checked_size(size)
    graph = load_training_graph(workdir, checkpoint, input_size=input_size)
    run = {"recipe": recipe.to_dict(), "fit": recipe.fit, "size": decoder}
    run |= {"workdir": workdir, "checkpoint": checkpoint}
    if isinstance(recipe, TrainRecipe):
        return TrainedNetwork(
            family=STUDENT,
            network=student.detach(graph, recipe.spec, decoder=decoder),
            codec=recipe.codec,
            normalisation=STUDENT_INPUT,
            training_camera=workdir.training_camera(),
            scale_source=str(workdir.run().get("scale_source") or "unknown"),
            **run,
        )
    scale, source = scale_of(workdir, checkpoint)
    return TrainedNetwork(
        family=MININET,
        network=mininet.detach(graph, recipe.mininet, output=decoder),
        codec=SigmoidDisparityCodec(scale=scale),
        normalisation=MININET_INPUT,
        training_camera=workdir.training_camera_or_none(),
        scale_source=source,
        **run,
    )


def graph_function(function: Callable[..., Any], signature: list[Any] | None = None) -> Any:
    """`function` of tensors as a graph, traced as it stands.

    XLA makes graphs of our networks several times slower on a CPU, and AutoGraph rewrites every
    function on the way, which takes as long as the tracing: what depends on a tensor's value is
    written as `tf.cond`.
    """
    return tf.function(function, signature, jit_compile=False, autograph=False)


def require_tensorflow() -> None:
    """Refuses another back end of Keras.

    Raises:
      UserError: Naming it.
    """
    if (name := keras.backend.backend()) != "tensorflow":
        raise UserError(
            f"Keras runs on {name} (KERAS_BACKEND), but networks are trained, run and exported on "
            "TensorFlow: unset it; weights that were learned on another back end fit"
        )


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
    input_size = input_size or recipe.input_size_px
    if isinstance(recipe, TrainRecipe):
        graph = student.build_training_graph(recipe.spec, input_size=input_size)
    else:
        graph = mininet.build_training_graph(recipe.mininet, input_size=input_size)
    load_weights(graph, workdir.weights(checkpoint))
    return graph


def scale_of(workdir: Workdir, checkpoint: Checkpoint) -> tuple[float, str]:
    """Metres of depth 1 and where they come from; (1, none) where no scale was found.

    Warns if it was found with other weights than the checkpoint's of now.

    Raises:
      DataError: If the file is damaged.
    """
    path = workdir.scale_path
    if not is_there(path):
        return 1.0, NO_SCALE
    content = read_record(path)
    try:
        scale, source = content["scale"], str(content["source"])
        SigmoidDisparityCodec(scale=scale)  # has the rule
        sha256 = content.get("weights_sha256")
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            path,
            f"not a metric scale ({error}); find it again (`python -m mtdepth.metric_scale`), or "
            "delete the file",
        ) from error
    if sha256 not in (None, sha256_of(workdir.weights(checkpoint))):
        logging.warning(
            "%s was found with other weights than the %s of now, whose metres may differ: find it "
            "again (`python -m mtdepth.metric_scale --checkpoint %s`)",
            path,
            checkpoint,
            checkpoint,
        )
    return scale, source


def _pair(size: tuple[int, ...]) -> tuple[int, int]:
    height_px, width_px = size
    return height_px, width_px
