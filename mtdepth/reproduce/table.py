"""What a table of a paper is made of, as plain data."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

Where = Literal["depth", "depth_50m", "exact", "make3d", "odometry_09", "odometry_10", "cost"]
LabelKind = Literal["lidar", "teacher", "corrected", "misscaled", "misscaled_corrected"]
Claimed = Literal["lower", "no higher"]

# What an old checkpoint's disparities are divided by where a new framework resizes otherwise
# (align_corners): 17 % too small, so depth is 17 % too large.
MISSCALED = 1.17


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """One quantity.

    Attributes:
      key: Of a row's printed numbers, and of the measurement (`mtdepth.reproduce.measured`).
      heading: With its unit.
      digits: After the decimal point.
      where: Which result it is read from.
      quantity: What is read there, where `key` is not its name.
    """

    key: str
    heading: str
    digits: int = 3
    where: Where = "depth"
    quantity: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """What decides the weights, but for length and seed. Rows that have the same share them.

    Attributes:
      model: `student` or `mininet`.
      size: Name of the input's size; a length says how many pixels that is.
      overrides: Fields of the recipe, `key=value`.
      labels: How the student's labels are made; None for MiniNet.
      epochs_share: Of the recipe's epochs.
      data: `raw`, or `odometry`: its sequences 00 to 08.
    """

    model: Literal["student", "mininet"]
    size: str
    overrides: tuple[str, ...] = ()
    labels: LabelKind | None = None
    epochs_share: float = 1.0
    data: Literal["raw", "odometry"] = "raw"

    @property
    def recipe(self) -> str:
        """The published one."""
        return "multitask_kitti" if self.model == "student" else "mininet_kitti"

    @property
    def has_classes(self) -> bool:
        """Whether classes are learned beside depth."""
        return self.model == "student" and "student.tasks=[depth]" not in self.overrides


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table.

    Attributes:
      name: As the paper calls it.
      training: Of its weights.
      cut: The output or decoder that is scored.
      paper: The printed numbers by column key; empty where the row is ours.
      timed_size: (height, width) at which the network is timed; None where the table has no times.
      note: What a reader must know.
    """

    name: str
    training: Training
    cut: str
    paper: Mapping[str, float] = dataclasses.field(default_factory=dict)
    timed_size: tuple[int, int] | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """What a paper says of two of its rows.

    Attributes:
      sentence: The claim.
      row: Name of the row that it praises.
      than: Name of the other.
      column: Key of the column that decides.
      claimed: `lower` than the other's, or `no higher`.
    """

    sentence: str
    row: str
    than: str
    column: str = "rmse"
    claimed: Claimed = "lower"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a paper.

    Attributes:
      name: What `--table` calls it.
      title: With the paper.
      columns: In their order.
      rows: In their order.
      claims: What it is printed for.
      notes: Sentences below it.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...] = ()
    notes: tuple[str, ...] = ()

    def row(self, name: str) -> Row:
        """The row of that name."""
        return next(row for row in self.rows if row.name == name)

    def column(self, key: str) -> Column:
        """The column of that key."""
        return next(column for column in self.columns if column.key == key)


RMSE = Column(key="rmse", heading="RMSE m")
ERRORS = (
    Column(key="abs_rel", heading="Abs Rel"),
    Column(key="sq_rel", heading="Sq Rel m"),
    RMSE,
    Column(key="rmse_log", heading="RMSE log"),
    Column(key="d1", heading="d1"),
    Column(key="d2", heading="d2"),
    Column(key="d3", heading="d3"),
)
PARAMS = Column(key="params_m", heading="parameters M", where="cost")
