"""Which bias table to use, if any: every choice scored on drives that it was not fitted to."""

import dataclasses
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from data_prep.audit.bias_evidence import FAR_M, NEAR_M, BiasEvidence
from data_prep.bias_table import BiasTable, Index, Statistic, fit_bias_table

Floats = npt.NDArray[np.floating[Any]]

Protocol = Literal["drives_out", "first_half"]

# ours: a smaller gain is not worth a correction that somebody has to know about
MIN_GAIN = 0.01
MAX_RMSE_LOSS = 0.01  # ours: what Abs Rel gains nearby must not be paid for far away


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChoiceScore:
    """What one choice of table is worth.

    Attributes:
      statistic: Of the table; None is no table.
      index: Of the table; None is no table.
      abs_rel: Over the scored pairs.
      rmse_m: Over the scored pairs.
      abs_rel_by_drive: Of each drive that has scored pairs.
    """

    statistic: Statistic | None
    index: Index | None
    abs_rel: float
    rmse_m: float
    abs_rel_by_drive: tuple[float, ...]

    @property
    def title(self) -> str:
        """For tables."""
        return "no table" if self.statistic is None else f"{self.statistic} by {self.index}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The choice that is recommended.

    Attributes:
      best: The table with the smallest Abs Rel, recommended or not.
      is_recommended: Whether it is; otherwise no table is.
      why: In one sentence, with the gain.
    """

    best: ChoiceScore
    is_recommended: bool
    why: str


def scored_evidence(evidence: BiasEvidence, protocol: Protocol) -> BiasEvidence:
    """The pairs that are scored: all of them, or the second half in the order of the frames."""
    return evidence if protocol == "drives_out" else _part(evidence, slice(_half(evidence), None))


def corrected_m(
    evidence: BiasEvidence, protocol: Protocol, *, statistic: Statistic, index: Index
) -> Floats:
    """Depth of the scored pairs, corrected by a table that was not fitted to them.

    Args:
      evidence: All pairs, in the order of the frames.
      protocol: `drives_out`: by tables of the other drives. `first_half`: by the table of the first
        half of all pairs, which may end inside a drive.
      statistic: Of the table.
      index: Of the table.
    """
    if protocol == "drives_out":
        return evidence.held_out_m(statistic=statistic, index=index)
    half = _half(evidence)
    table = fit_bias_table(
        evidence.predicted_m[:half], evidence.lidar_m[:half], statistic=statistic, index=index
    )
    return table.apply(evidence.predicted_m[half:])


def score_choices(evidence: BiasEvidence, protocol: Protocol) -> list[ChoiceScore]:
    """Scores no table, which comes first, and every choice of statistic and index."""
    scored = scored_evidence(evidence, protocol)
    scores = [_score(scored, scored.predicted_m, statistic=None, index=None)]
    for statistic in get_args(Statistic):
        for index in get_args(Index):
            depth_m = corrected_m(evidence, protocol, statistic=statistic, index=index)
            scores.append(_score(scored, depth_m, statistic=statistic, index=index))
    return scores


def recommend(scores: list[ChoiceScore], *, is_held_out: bool) -> Recommendation:
    """Chooses between the best table and none.

    A table is recommended if it was scored on what it had not seen, lowers Abs Rel by at least 1 %
    of itself and on more than half of the drives, and does not raise RMSE by more than 1 %.

    Args:
      scores: Of `score_choices`.
      is_held_out: Whether the scores are of drives that were left out.
    """
    before, *tables = scores
    best = min(tables, key=lambda score: score.abs_rel)
    gain = 1 - best.abs_rel / before.abs_rel
    pairs = zip(before.abs_rel_by_drive, best.abs_rel_by_drive, strict=True)
    num_better, num_drives = sum(a > b for a, b in pairs), len(before.abs_rel_by_drive)
    numbers = (
        f"Abs Rel {before.abs_rel:.4f} -> {best.abs_rel:.4f} ({-gain:+.1%}), RMSE "
        f"{before.rmse_m:.3f} -> {best.rmse_m:.3f} m, better on {num_better} of {num_drives} drives"
    )
    if not is_held_out:
        why = "all pairs are of one drive, so no table could be tried on another one"
        return Recommendation(best=best, is_recommended=False, why=f"none: {why}")
    against = [
        reason
        for reason, is_so in (
            (f"gains less than {MIN_GAIN:.0%}", gain < MIN_GAIN),
            ("helps no more than half of the drives", 2 * num_better <= num_drives),
            ("raises RMSE", best.rmse_m > (1 + MAX_RMSE_LOSS) * before.rmse_m),
        )
        if is_so
    ]
    if against:
        why = f"none: the best table, {best.title}, {' and '.join(against)}; {numbers}"
        return Recommendation(best=best, is_recommended=False, why=why)
    return Recommendation(best=best, is_recommended=True, why=f"{best.title}: {numbers}")


def table_of(evidence: BiasEvidence, choice: ChoiceScore) -> BiasTable:
    """The table of a choice, fitted to all pairs.

    Raises:
      ValueError: If the choice is no table.
    """
    if choice.statistic is None or choice.index is None:
        raise ValueError("the choice of no table has no table")
    return evidence.fit(statistic=choice.statistic, index=choice.index)


def _score(
    scored: BiasEvidence, depth_m: Floats, *, statistic: Statistic | None, index: Index | None
) -> ChoiceScore:
    errors = scored.errors(depth_m)
    inside = (scored.lidar_m >= NEAR_M) & (scored.lidar_m <= FAR_M)
    lidar_m, drive = scored.lidar_m[inside], scored.drive[inside]
    relative = np.abs(np.minimum(depth_m[inside], FAR_M) - lidar_m) / lidar_m
    num_points = np.bincount(drive, minlength=scored.num_drives)
    sums = np.bincount(drive, relative, minlength=scored.num_drives)
    return ChoiceScore(
        statistic=statistic,
        index=index,
        abs_rel=errors.abs_rel,
        rmse_m=errors.rmse,
        abs_rel_by_drive=tuple((sums[num_points > 0] / num_points[num_points > 0]).tolist()),
    )


def _half(evidence: BiasEvidence) -> int:
    return len(evidence.lidar_m) // 2


def _part(evidence: BiasEvidence, part: slice) -> BiasEvidence:
    return dataclasses.replace(
        evidence,
        predicted_m=evidence.predicted_m[part],
        lidar_m=evidence.lidar_m[part],
        drive=evidence.drive[part],
    )
