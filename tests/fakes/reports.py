"""What an evaluation of the synthetic tree leaves, by a network that answers scaled labels."""

import json
from pathlib import Path

import numpy as np

from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import LabelStore
from mtdepth.evaluation.pictures import write_pictures
from mtdepth.evaluation.predictors import Row, Scene, baseline_row, mean_of_labels, named_rows
from mtdepth.evaluation.scoring import Evaluation
from mtdepth.evaluation.tables import results_dict
from mtdepth.evaluation.truth import TruthReader
from mtdepth.metrics.protocols import protocol_named
from mtdepth.runtime.pipeline import Prediction

# As odd as a name may be; what a browser took for a tag would end the page.
ODD_TITLE = 'a <b> & "c" </script>'


def build_evaluation(
    folder: Path, tree: Path, labels: LabelStore, *, factor: float, title: str = ODD_TITLE
) -> None:
    """Writes what `mtdepth.evaluate --pictures` does but the page, and a history.

    Args:
      folder: To write to.
      tree: Recordings.
      labels: Of them.
      factor: By which the first frame's depth is wrong; each further one is less so.
      title: Of the network.
    """
    frames = labels.frames[:4]

    def predict(scene: Scene) -> Prediction:
        assert scene.label_depth_m is not None
        wrong = 1 + (factor - 1) / (1 + frames.index(scene.frame))
        return Prediction(scene.label_depth_m * np.float32(wrong), scene.label_train_id)

    raw = KittiRaw(tree)
    evaluation = Evaluation(
        raw=raw,
        truth=TruthReader(raw=raw),
        protocols=[protocol_named("labels_80m"), protocol_named("eigen_garg_80m")],
        rows=named_rows(
            [Row(title=title, predict=predict)],
            baseline=baseline_row(mean_of_labels(labels)),
            labels=labels,
        ),
        labels=labels,
    )
    scores = evaluation.run(frames)
    settings = {"model": {"path": title}, "compared_with": [], "split": "val", "labels": None}
    settings |= {"kitti_root": str(tree)}
    write_pictures(folder, scores, evaluation, number=3)
    results = results_dict(scores, evaluation.protocols, settings=settings)
    (folder / "results.json").write_text(json.dumps(results))
    history = [
        {"epoch": epoch, "step": 10 * epoch, "train_loss": 3 / epoch, "val_abs_rel": value}
        for epoch, value in enumerate([0.4, None, 0.2], start=1)
    ]
    (folder / "history.jsonl").write_text("".join(json.dumps(each) + "\n" for each in history))
