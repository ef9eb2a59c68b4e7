"""One network on its way to a device: tuned while it is rounded, while it is pruned, or both."""

import dataclasses
import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow_model_optimization as tfmot
from absl import logging

from export.artefact import Part
from export.fine_tune import pruned, quantised
from export.fine_tune.loop import FineTuneSchedule, FineTuning, Objective
from export.fine_tune.options import Options
from export.fine_tune.pictures import (
    HeldOut,
    held_out,
    labelled_batches,
    loading_recipe,
    picture_batches,
)
from export.fine_tune.tf_keras_copy import build_copy, trained_graph
from export.graph import ExportError, NetworkGraph, read_graph
from export.origin import origin_of
from export.tflite.target import FILE_NAME, export_tflite
from mtdepth.contract import Precision, Treatment
from mtdepth.files import sha256_of, write_json
from mtdepth.models.normalisation import InputNormalisation
from mtdepth.recipes.base import TrainRecipe
from mtdepth.trained import InferenceNetwork, TrainedNetwork, load_trained

GZIP_LEVEL = 9


@dataclasses.dataclass(frozen=True)
class Tuned:
    """A network after a fine-tuning; without ranges it was not rounded.

    The scores are (step, held-out Abs Rel) along the way; none without held-out labels.
    """

    graph: NetworkGraph
    ranges: quantised.Ranges | None
    scores: list[tuple[int, float]]

    @property
    def abs_rel(self) -> float | None:
        """Held-out Abs Rel of the best state, which was kept; None without held-out labels."""
        return min((score for _, score in self.scores), default=None)


class Job:
    """Opens everything that the fine-tunings of one network share.

    Args:
      options: What was asked for.
      output: Folder for the results and, meanwhile, for the state.
    """

    def __init__(self, options: Options, output: Path) -> None:
        self._options, self.output = options, output
        self.trained: TrainedNetwork = load_trained(
            options.workdir,
            size=options.decoder,
            checkpoint=options.checkpoint,
        )
        self.graph = read_graph(self.trained.network)
        self._recipe: TrainRecipe = loading_recipe(
            self.trained, batch_size=options.batch_size, seed=options.seed
        )
        self._held_out: HeldOut | None = None
        if options.val_store:
            self._held_out = held_out(self.trained, options.val_store, self._recipe)
        calibration, shown = options.pictures.chosen(num_calibration=options.num_calibration)
        self.calibration = self._fitted(calibration)
        self._shown = self._fitted(shown)

    def float_abs_rel(self) -> float | None:
        """Held-out Abs Rel of the network as it was trained."""
        if self._held_out is None:
            return None
        fed = (
            self.trained.normalisation(image[None].astype(np.float32))
            for image in self._held_out.images
        )
        codes = [np.asarray(self.trained.network(one, training=False)["depth_code"]) for one in fed]
        depth_m = np.asarray(self.trained.codec.decode(np.concatenate(codes)[..., 0]), np.float32)
        return self._held_out.abs_rel(depth_m)

    def quantise(self, graph: NetworkGraph, *, masks: dict[str, Any] | None = None) -> Tuned:
        """Tunes a network while it is rounded as on the device; masked weights stay zero."""
        normalisation = quantised.centred(self.trained.normalisation)
        ranges = quantised.calibrated(
            graph,
            normalisation(np.stack(self.calibration).astype(np.float32)),
            image=(float(normalisation(0.0)), float(normalisation(255.0))),
        )
        model = quantised.build_quantised(graph, ranges)
        scores = self._tune(
            "quantise",
            {},
            model=model,
            graph=graph,
            normalisation=normalisation,
            masks=masks or {},
            before_score=lambda: quantised.refresh_kernel_ranges(model),
        )
        return Tuned(trained_graph(model, graph), quantised.ranges_of(model, graph), scores)

    def prune(self, *, sparsity: float) -> Tuned:
        """Tunes the network while its smallest weights, a share of `sparsity`, become zero."""
        num_steps = self._options.steps
        model, callback = pruned.build_prunable(self.graph, sparsity=sparsity, num_steps=num_steps)
        scores = self._tune(
            "prune",
            {"sparsity": sparsity},
            # Earlier states have too few zeros.
            first_score=min(pruned.pruning_end(num_steps) + pruned.PRUNE_EVERY_STEPS, num_steps),
            model=model,
            graph=self.graph,
            normalisation=self.trained.normalisation,
            before_score=lambda: callback.on_epoch_end(0),
        )
        stripped = tfmot.sparsity.keras.strip_pruning(model)
        return Tuned(trained_graph(stripped, self.graph), None, scores)

    def export(
        self, tuned: Tuned, folder: Path, *, precision: Precision, treatment: Treatment
    ) -> dict[str, Any]:
        """Writes a tuned network as `export.tflite` does, and says how large and how far it is.

        int8 is rounded after training where the network was not tuned so. Returns the content of
        `parity.json` and `gzip_bytes`.

        Raises:
          ExportError: If the file says something else than the network, or the network lost more
            than `--max_rise` allows.
        """
        self._check_loss(tuned)
        origin = dataclasses.replace(origin_of(self.trained), treatment=treatment)
        report = export_tflite(
            {origin.decoder: Part(self._network(tuned), origin, reference=self.trained)},
            folder,
            precision=precision,
            class_output=self._options.class_output,
            calibration=self.calibration if precision == "int8" else [],
            parity_images=self._shown,
        )
        content = (folder / FILE_NAME).read_bytes()
        report["gzip_bytes"] = len(gzip.compress(content, GZIP_LEVEL))
        sizes = report["size_bytes"], report["gzip_bytes"]
        logging.info("wrote %s (%d bytes, %d with gzip)", folder / FILE_NAME, *sizes)
        logging.info(
            "depth differs from the float network by %.2g %% (median of %d pictures), "
            "%.2g %% (99 %% of pixels)",
            100 * report["against_float"]["median_relative"],
            report["num_frames"],
            100 * report["against_float"]["p99_relative"],
        )
        return report

    def write_record(self, stages: dict[str, Tuned], files: dict[str, dict[str, Any]]) -> None:
        """Writes `fine_tuning.json`: the stages that were run, and the files' reports."""
        record = {
            "workdir": str(self.trained.workdir.path),
            "decoder": self.trained.size,
            "float_abs_rel": self.float_abs_rel(),
            "stages": {
                name: {"abs_rel": tuned.abs_rel, "scores": tuned.scores}
                for name, tuned in stages.items()
            },
            "sparsity": {
                name: pruned.sparsity_of(tuned.graph)
                for name, tuned in stages.items()
                if "prune" in stages
            },
            "files": files,
        }
        write_json(self.output / "fine_tuning.json", record)

    def _network(self, tuned: Tuned) -> InferenceNetwork:
        """What the file has to say."""
        trained = self.trained
        if tuned.ranges is None:
            network, normalisation = build_copy(tuned.graph), trained.normalisation
        else:
            centred = quantised.centred(trained.normalisation)
            network = quantised.build_quantised(
                *quantised.in_grey_levels(tuned.graph, tuned.ranges, centred)
            )
            normalisation = InputNormalisation(1.0, -float(trained.normalisation.centre))
        return InferenceNetwork(network=network, codec=trained.codec, normalisation=normalisation)

    def _check_loss(self, tuned: Tuned) -> None:
        before = self.float_abs_rel()
        if before is None or tuned.abs_rel is None:
            return
        rise = tuned.abs_rel / before - 1
        if not rise <= self._options.max_rise:
            raise ExportError(
                f"held-out Abs Rel rose by {100 * rise:.1f} %, from {before:.4f} to "
                f"{tuned.abs_rel:.4f} (--max_rise allows {100 * self._options.max_rise:g} %); try "
                "more --steps, another --learning_rate, or a lower --sparsity"
            )

    def _tune(
        self, kind: str, identity: dict[str, Any], *, first_score: int = 0, **how: Any
    ) -> list[tuple[int, float]]:
        """Tunes a network; `how` are fields of `FineTuning`. Returns the scores along the way."""
        options = self._options
        names = (
            *("decoder", "learning_rate", "batch_size", "score_every"),
            *("seed", "label_weight", "teacher_weight", "num_calibration"),
        )
        tuning = FineTuning(
            objective=Objective(
                float_network=self.trained,
                recipe=self._recipe,
                label_weight=options.label_weight,
                teacher_weight=options.teacher_weight,
            ),
            held_out=self._held_out,
            schedule=FineTuneSchedule(
                batch_size=options.batch_size,
                num_epochs=math.ceil(options.steps / options.score_every),
                steps_per_epoch=options.score_every,
                total_steps=options.steps,
                first_score=first_score,
                learning_rate=options.learning_rate,
                schedule="cosine",
            ),
            identity={
                "kind": kind,
                "num_steps": options.steps,
                "weights": sha256_of(self.trained.file),
                "pictures": str(options.pictures.root),
                "num_pictures": len(options.pictures.names),
                **{name: getattr(options, name) for name in names},
                **identity,
            },
            **how,
        )
        if options.store is not None:
            stream = labelled_batches(self.trained, options.store, self._recipe)
        else:
            stream = picture_batches(options.pictures, self.trained, self._recipe)
        return tuning.run(stream, self.output / f"{kind}_state")

    def _fitted(self, names: list[Any]) -> list[npt.NDArray[np.uint8]]:
        trained = self.trained
        return self._options.pictures.fitted(names, size=trained.input_size, fit=trained.fit)
