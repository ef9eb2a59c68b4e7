"""What the papers print on KITTI's Eigen test frames, by the protocol of each row."""

import dataclasses

from mtdepth.metrics.depth import DepthErrors

SPLIT = "eigen_test"


@dataclasses.dataclass(frozen=True)
class Published:
    """A row of a paper.

    Attributes:
      title: For tables.
      errors: As printed.
      note: What a reader should know of it; empty for nothing.
    """

    title: str
    errors: DepthErrors
    note: str = ""


def _errors(*values: float) -> DepthErrors:
    return DepthErrors(
        **dict(zip((f.name for f in dataclasses.fields(DepthErrors)), values, strict=True))
    )


# By protocol name. A paper that does not name its own stands by the one that its neighbours in the
# table were scored by, and its note says so.
PUBLISHED: dict[str, Published] = {
    "eigen_garg_80m": Published(
        "multi-task paper, table IV",
        _errors(0.106, 0.502, 3.871, 0.160, 0.897, 0.998, 0.9997),
        "The paper names neither its test frames nor its crop; this protocol is that of the rows "
        "beside it. Its second and third δ lie far from every other row's.",
    ),
    "eigen_garg_80m_median": Published(
        "MiniNet paper, table 1, up to 80 m",
        _errors(0.141, 1.080, 5.264, 0.216, 0.825, 0.941, 0.976),
        "The paper does not state its crop; this is the usual one.",
    ),
    "eigen_garg_50m_median": Published(
        "MiniNet paper, table 1, up to 50 m",
        _errors(0.135, 0.839, 4.067, 0.205, 0.838, 0.947, 0.978),
        "The paper does not state its crop; this is the usual one.",
    ),
}
