"""What the figures of an evaluation mean, in sentences."""

import numpy as np

from mtdepth.evaluation.scoring import RowScores, Scores
from mtdepth.metrics.depth import added
from mtdepth.metrics.obstacles import NEAR_M, TOO_FAR
from mtdepth.metrics.protocols import Protocol

# ours: what another seed or another choice of frames changes; less is no difference.
_ALIKE = 0.05
_LEANS = 0.1  # ours: mean error of a distance, as a share of it, that is worth a word


def verdicts(scores: Scores, protocol: Protocol) -> list[str]:
    """Says of each model whether it is any good, and where it is wrong.

    Args:
      scores: Of any rows; those whose name begins with `model` are judged.
      protocol: The one that is judged by.

    Returns:
      A sentence or more for each model; nothing for what has no score.
    """
    baseline, oracle = (
        _abs_rel(scores.rows.get(name), protocol) for name in ("baseline", "oracle")
    )
    said = []
    for name, row in scores.rows.items():
        error = _abs_rel(row, protocol)
        if not name.startswith("model") or error is None:
            continue
        parts = [f"{row.title}: depth is off by {100 * error:.0f} % on average (Abs Rel)"]
        if baseline is not None:
            parts.append(_against_baseline(error, baseline, steps=row.steps))
        if oracle is not None and baseline is not None and oracle < error:
            parts.append(f"its teacher's labels are off by {100 * oracle:.0f} %")
        parts += [*_leaning(row, protocol), *_near_obstacles(row)]
        said.append("; ".join(parts) + ".")
    return said


def difference(first: float, second: float, *, names: tuple[str, str]) -> str:
    """Compares the Abs Rel of two runs, and says whether that is more than chance."""
    better, worse = names if first < second else names[::-1]
    low, high = sorted((first, second))
    said = (
        f"{names[0]} is off by {100 * first:.1f} % on average, {names[1]} by {100 * second:.1f} %"
    )
    if low >= high * (1 - _ALIKE):
        return f"{said}: no difference that another seed would not make."
    return f"{said}: {better} makes {100 * (1 - low / high):.0f} % less error than {worse}."


def _abs_rel(row: RowScores | None, protocol: Protocol) -> float | None:
    errors = row.errors(protocol) if row else None
    return None if errors is None else errors.abs_rel


def _against_baseline(error: float, baseline: float, *, steps: tuple[int, int] | None) -> str:
    guess = f"guessing the average of the training labels ({100 * baseline:.0f} %)"
    share = error / baseline
    if share < 1 - _ALIKE:
        return f"that is {100 * (1 - share):.0f} % less than {guess}"
    done = f" ({steps[0]:,} of {steps[1]:,} steps)" if steps and steps[0] < steps[1] else ""
    how = "no better than" if share <= 1 + _ALIKE else "worse than"
    return f"{how} {guess}: train longer{done}, on more streets, or look at the labels"


def _leaning(row: RowScores, protocol: Protocol) -> list[str]:
    """From which distance on the model tells depths too near or too far."""
    bins = added(image.by_distance for _, image in row.depth[protocol.name])
    middles_m = np.array([(each["from_m"] + each["to_m"]) / 2 for each in bins.groups])
    lean = bins.totals[:, 0] / np.maximum(bins.counts, 1) / middles_m
    found = np.where(np.abs(lean) < _LEANS, 0, np.sign(lean)).astype(int).tolist()
    # In the last bin nothing can be told too far: it ends where all depths are cut.
    *found, _ = found
    last = found[-1] if found else 0
    if not last:
        return []
    first = max((index + 1 for index, sign in enumerate(found) if sign != last), default=0)
    word = "near" if last < 0 else "far"
    where = f"beyond {bins.groups[first]['from_m']:g} m it" if first else "it"
    return [f"{where} tells everything too {word}"]


def _near_obstacles(row: RowScores) -> list[str]:
    share = row.near_obstacles.missed_share
    if share is None:
        return []
    return [
        f"{100 * share:.0f} % of what obstacles within {NEAR_M:g} m show of themselves is told "
        f"farther than {TOO_FAR:g} times the truth"
    ]
