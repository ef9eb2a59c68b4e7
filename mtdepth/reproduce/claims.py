"""Whether a paper's claims hold here: a difference against the spread over seeds."""

import math

from mtdepth.reproduce.measured import Measured
from mtdepth.reproduce.table import Claim


def verdict(claim: Claim, ours: Measured | None, other: Measured | None) -> str:
    """One word and its figures.

    The difference of the means is judged by the deviation of a difference of two single runs, the
    root of the sum of both squared deviations: what is smaller is none.

    Args:
      claim: With what it says of the two.
      ours: The deciding quantity of the row that the claim praises, lower is better.
      other: Of the other row.
    """
    if ours is None or other is None:
        return "not measured"
    difference = ours.mean - other.mean
    figures = f"{ours.mean:.3f} against {other.mean:.3f}, difference {difference:+.3f}"
    if ours.deviation is None or other.deviation is None:
        return f"not judged: {figures}, and one seed has no spread"
    spread = math.hypot(ours.deviation, other.deviation)
    figures = f"{figures}, spread over seeds {spread:.3f}"
    if abs(difference) < spread:
        holds = "holds: no difference" if claim.claimed == "no higher" else "none"
        return f"{holds} ({figures})"
    return f"{'holds' if difference < 0 else 'does not hold'} ({figures})"
