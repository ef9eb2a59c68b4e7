"""The evaluation loop: every row on every frame under every protocol.

A frame that fails for one row is scored for none, so that all rows of a table stand for
the same frames.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy.typing as npt

from mtdepth.attempts import Failed, attempt
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import LabelStore
from mtdepth.datasets.recordings import Recordings
from mtdepth.evaluation.prediction_store import PredictionStore
from mtdepth.evaluation.predictors import Cost, Row, Scene
from mtdepth.evaluation.steadiness import SteadinessMeter
from mtdepth.evaluation.truth import TruthReader
from mtdepth.files import UserError
from mtdepth.metrics.depth import DepthErrors, per_image_mean
from mtdepth.metrics.obstacles import NearObstacles, near_obstacles
from mtdepth.metrics.protocols import ImageScore, score_image
from mtdepth.metrics.protocols import Protocol as DepthProtocol
from mtdepth.metrics.segmentation import Confusion, confusion
from mtdepth.metrics.steadiness import Flicker
from mtdepth.runtime.pipeline import Prediction


@dataclasses.dataclass
class RowScores:
    """The scores of one row.

    Attributes:
      title: What tables call it.
      depth: By protocol name, one score a frame.
      classes: Against the label store's train ids; None where either has none.
      near_obstacles: By the depth and the classes of the label store.
      flicker: Over the frames that are neighbours in time and whose motion is known.
      cost: Of running it; None for what is no network.
      steps: Of its training, done and all, where it is known.
    """

    title: str
    steps: tuple[int, int] | None = None
    depth: dict[str, list[tuple[FrameId, ImageScore]]] = dataclasses.field(default_factory=dict)
    classes: Confusion | None = None
    near_obstacles: NearObstacles = dataclasses.field(default_factory=NearObstacles)
    flicker: Flicker = dataclasses.field(default_factory=Flicker)
    cost: Cost | None = None

    def errors(self, protocol: DepthProtocol) -> DepthErrors | None:
        """The seven errors under a protocol, mean over images; None where nothing was scored."""
        images = [score.sums for _, score in self.depth.get(protocol.name, [])]
        return per_image_mean(images) if images else None


@dataclasses.dataclass
class Scores:
    """Everything that an evaluation found.

    Attributes:
      rows: By short name, in the order of the tables.
      frames: Those that were scored.
      failures: Those that were not, with the reason.
    """

    rows: dict[str, RowScores]
    frames: list[FrameId] = dataclasses.field(default_factory=list)
    failures: list[tuple[FrameId, str]] = dataclasses.field(default_factory=list)


# Called with each scene, the truth by protocol name, and the prediction by row.
Observer = Callable[[Scene, dict[str, npt.NDArray[Any]], dict[str, Prediction]], None]


def prediction_saver(store: PredictionStore) -> Observer:
    """Returns an observer that writes the model's predictions to `store`."""

    def save(
        scene: Scene, truths: dict[str, npt.NDArray[Any]], predictions: dict[str, Prediction]
    ) -> None:
        del truths
        store.write(scene.frame, predictions["model"])

    return save


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is compared with what.

    Attributes:
      raw: The recordings.
      truth: Where true depth comes from.
      protocols: How depth is compared; the first is the one that pictures show.
      rows: Who is scored, by short name.
      labels: Label store; None for none.
      observers: Each sees everything of each frame whose score is known.
    """

    raw: Recordings
    truth: TruthReader
    protocols: Sequence[DepthProtocol]
    rows: dict[str, Row]
    labels: LabelStore | None = None
    observers: Sequence[Observer] = ()

    def run(self, frames: Iterable[FrameId]) -> Scores:
        """Scores the frames; one that fails is recorded, and the others go on."""
        scores = Scores({name: RowScores(row.title, row.steps) for name, row in self.rows.items()})
        meter = SteadinessMeter(self.raw, self.protocols)
        observers = (*self.observers, meter.observe)
        for frame in frames:
            found = attempt(self._score, frame, observers)
            if isinstance(found, Failed):
                scores.failures.append((frame, found.why))
                continue
            scores.frames.append(frame)
            for name, (depth, classes, near) in found.items():
                scored = scores.rows[name]
                scored.near_obstacles += near
                for protocol, score in depth.items():
                    scored.depth.setdefault(protocol, []).append((frame, score))
                if classes is not None:
                    scored.classes = (scored.classes or Confusion.zero()) + classes
        for name, row in self.rows.items():
            scored = scores.rows[name]
            scored.cost = row.cost()
            scored.flicker = meter.by_row.get(name, Flicker())
            if scored.classes is not None and not scored.classes.counts.any():
                scored.classes = None  # no pixel had both classes, so there is no agreement
        return scores

    def scene(self, frame: FrameId) -> Scene:
        """Reads a frame.

        Raises:
          FileNotFoundError: If a file is missing.
          DataError: If a file is damaged, the labels have another size than the picture, or the
            picture another aspect ratio than its calibration.
        """
        if self.labels is None:
            image, depth_m, train_id = self.raw.read_image(frame), None, None
        else:
            image, depth_m, train_id = self.labels.read_sample(frame)
        return Scene(
            frame=frame,
            image=image,
            camera=self.raw.camera(frame, size=image.shape[:2]),
            label_depth_m=depth_m,
            label_train_id=train_id,
        )

    def _score(
        self, frame: FrameId, observers: Iterable[Observer]
    ) -> dict[str, tuple[dict[str, ImageScore], Confusion | None, NearObstacles]]:
        scene = self.scene(frame)
        truths = {
            protocol.name: self.truth.read(
                protocol.truth,
                frame,
                size=scene.image.shape[:2],
                label_depth_m=scene.label_depth_m,
            )
            for protocol in self.protocols
        }
        predictions = {name: row.predict(scene) for name, row in self.rows.items()}
        found = {
            name: (
                self._depth_scores(self.rows[name], scene, truths, prediction),
                _class_score(scene, prediction),
                _obstacle_score(self.rows[name], scene, prediction),
            )
            for name, prediction in predictions.items()
        }
        for observe in observers:
            observe(scene, truths, predictions)
        return found

    def _depth_scores(
        self,
        row: Row,
        scene: Scene,
        truths: dict[str, npt.NDArray[Any]],
        prediction: Prediction,
    ) -> dict[str, ImageScore]:
        scores = {}
        for protocol in self.protocols:
            # Labels scored against themselves are perfect and say nothing.
            if row.is_oracle and protocol.truth == "labels":
                continue
            try:
                score = score_image(
                    truths[protocol.name],
                    prediction.depth_m,
                    protocol,
                    train_id=scene.label_train_id,
                )
            except UserError as error:
                raise UserError(f"{row.title}: {error}") from error
            if not score.sums.num_pixels:
                raise UserError(
                    f"{protocol.name}: of {score.num_valid} valid pixels none has a prediction "
                    f"of {row.title!r}, so the frame has no error"
                )
            scores[protocol.name] = score
        return scores


def _class_score(scene: Scene, prediction: Prediction) -> Confusion | None:
    if scene.label_train_id is None or prediction.train_id is None:
        return None
    return confusion(scene.label_train_id, prediction.train_id)


def _obstacle_score(row: Row, scene: Scene, prediction: Prediction) -> NearObstacles:
    if row.is_oracle or not row.is_metric:
        return NearObstacles()
    if scene.label_depth_m is None or scene.label_train_id is None:
        return NearObstacles()
    return near_obstacles(scene.label_depth_m, scene.label_train_id, prediction.depth_m)
