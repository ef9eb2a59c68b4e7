"""What results say: numbers of one run, and their mean and deviation over seeds."""

import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtdepth.files import DataError, is_there, read_record
from mtdepth.reproduce.plan import Plan
from mtdepth.reproduce.table import Column, Row, Table

_CONVENTION = "monodepth2"  # of ego-motion


@dataclasses.dataclass(frozen=True)
class Measured:
    """A quantity over seeds.

    Attributes:
      values: One a seed.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over seeds."""
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Standard deviation over seeds, of a sample; None of a single one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def in_words(self, digits: int) -> str:
        """Mean and deviation."""
        mean = f"{self.mean:.{digits}f}"
        return mean if self.deviation is None else f"{mean} ± {self.deviation:.{digits}f}"


def measured(plan: Plan, table: Table, row: Row, column: Column) -> Measured | None:
    """What a row's runs have of a column; None where there is no result.

    Raises:
      DataError: If a result is damaged.
    """
    # A network's cost is its own, whatever its weights.
    seeds: Sequence[int] = plan.seeds if column.where != "cost" else plan.seeds[:1]
    found = []
    for seed in seeds:
        path = plan.result_path(table, row, seed, column.where)
        if is_there(path):
            found.append(_value(plan, table, row, column, path))
    values = tuple(value for value in found if value is not None)
    return Measured(values) if values else None


def frames_of(plan: Plan, table: Table, row: Row) -> int | None:
    """How many frames were scored; None where nothing was, or nothing says so."""
    for column in table.columns:
        path = plan.result_path(table, row, 0, column.where)
        if column.where == "depth" and is_there(path):
            return len(read_record(path)["frames"])
    return None


def _value(plan: Plan, table: Table, row: Row, column: Column, path: Path) -> float | None:
    if column.where == "cost":
        return _cost(path, column.key)
    content, key = read_record(path), column.quantity or column.key
    try:
        if column.where == "make3d":
            return float(content["models"][0]["mean"][key])
        if column.where in ("odometry_09", "odometry_10"):
            return float(content[_CONVENTION]["ate_mean_m"])
        protocol = plan.length.protocol(column.where, row.training.model)
        scored = content["depth"][protocol]["rows"]["model"]
        if key == "near":
            (nearest,) = [each for each in scored["by_distance"] if each["from_m"] == 0]
            return nearest["mean_abs_error_m"]
        return float(scored["per_image_mean"][key])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(
            path,
            f"has no {key} for row {row.name!r} of table {table.name} ({error!r}); remove it and "
            "give the same line again",
        ) from error


def _cost(path: Path, key: str) -> float | None:
    if key == "params_m":
        return float(read_record(path)["params"]) / 1e6
    times = path.parents[1] / "times.json"
    if key not in ("ms", "fps", "memory_mb") or not is_there(times):
        return None
    network: dict[str, Any] = next(
        each
        for each in read_record(times)["models"]
        if Path(each["model"]).parent.name == path.parent.name
    )
    if key == "memory_mb":
        return network.get("peak_memory_mb")
    milliseconds = float(network["inference"]["median_ms"])
    return milliseconds if key == "ms" else 1000 / milliseconds
