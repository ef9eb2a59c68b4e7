r"""Scores models on Make3D: another camera, other places, no fine-tuning.

Full example:

    python -m mtdepth.evaluate_make3d --root MAKE3D --model runs/mininet \
        --model runs/mininet_int8/model.tflite --output make3d.json --pictures make3d

MAKE3D holds the unpacked `Test134.tar.gz` and `Test134Depth.tar.gz`: 134 pictures of 1704x2272 with
laser depths. Protocol: central crop of aspect 2:1 (1704x852; 21 of the 55 laser rows), criterion
C1 (laser depths under 70 m), each prediction scaled by median(truth) / median(prediction), mean
over pictures. The logarithmic error is to base 10 first, as Make3D's tables have it, and natural
beside it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags, logging
from tqdm import tqdm

from mtdepth import program
from mtdepth.attempts import Failed, attempt
from mtdepth.datasets.splits import evenly_spaced
from mtdepth.evaluation.make3d import Make3dFrame, find_frames, make3d_columns, score_frame
from mtdepth.evaluation.tables import aligned
from mtdepth.files import UserError, write_json
from mtdepth.metrics.depth import ErrorSums, per_image_mean
from mtdepth.pictures import write_png
from mtdepth.predictor import open_predictor
from mtdepth.runtime.colors import depth_colors

_MODEL = flags.DEFINE_multi_string("model", None, "Workdir or exported file.")
_ROOT = flags.DEFINE_string("root", None, "Folder of the unpacked archives.")
_CHECKPOINT = flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "Weights of a workdir.")
_DECODER = flags.DEFINE_string("decoder", None, "Size to detach from a workdir.")
_OUTPUT = flags.DEFINE_string("output", None, "Results as JSON.")
_PICTURES = flags.DEFINE_string("pictures", None, "Folder for pictures of the first model.")
_NUM_PICTURES = 12

HEADINGS = ("Abs Rel", "Sq Rel m", "RMSE m", "RMSE log10", "RMSE ln")


def main() -> int:
    """Scores."""
    program.require("model", "root")
    frames = find_frames(Path(_ROOT.value))
    logging.info("%d pictures below %s", len(frames), _ROOT.value)
    results, failed = [], 0
    lines: list[Sequence[str]] = [("", "pictures", *HEADINGS)]
    for number, model in enumerate(_MODEL.value):
        predictor = open_predictor(model, decoder=_DECODER.value, checkpoint=_CHECKPOINT.value)
        errors, failures = _score(
            frames, predictor, are_shown=number == 0 and bool(_PICTURES.value)
        )
        if not errors:
            raise UserError(f"{model}: no picture was scored")
        mean = make3d_columns(per_image_mean(list(errors.values())))
        failed += len(failures)
        lines.append((str(model), str(len(errors)), *(f"{value:.3f}" for value in mean.values())))
        results.append(
            {
                "model": predictor.backend.identity(),
                "mean": mean,
                "per_image": {name: make3d_columns(each.errors()) for name, each in errors.items()},
                "failures": failures,
            }
        )
    sys.stdout.write(f"\nMake3D, C1 (below 70 m), central crop, median scaling\n{aligned(lines)}\n")
    if _OUTPUT.value:
        write_json(Path(_OUTPUT.value), {"protocol": "make3d_c1_median", "models": results})
    return 1 if failed else 0


def _score(
    frames: list[Make3dFrame], predictor: Any, *, are_shown: bool
) -> tuple[dict[str, ErrorSums], dict[str, str]]:
    shown = {frame.name for frame in evenly_spaced(frames, number=_NUM_PICTURES)}
    errors: dict[str, ErrorSums] = {}
    failures: dict[str, str] = {}
    for frame in tqdm(frames, unit="picture"):
        scored = attempt(score_frame, frame, predictor)
        if isinstance(scored, Failed):
            logging.error("not scored: %s: %s", frame.name, scored.why)
            failures[frame.name] = scored.why
            continue
        errors[frame.name], seen = scored
        if are_shown and frame.name in shown:
            image, _, predicted = seen
            folder = Path(_PICTURES.value)
            write_png(folder / f"{frame.name}.png", image)
            seen_depth = predicted[predicted > 0]  # 0 where the network's crop leaves out
            colours = depth_colors(
                predicted, near_m=float(seen_depth.min()), far_m=float(seen_depth.max()) * 1.001
            )
            write_png(folder / f"{frame.name}_depth.png", colours)
    return errors, failures


if __name__ == "__main__":
    program.run(main)
