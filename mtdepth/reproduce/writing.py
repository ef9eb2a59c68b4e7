"""A table as Markdown, LaTeX and CSV, and everything it was made of as JSON."""

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtdepth.files import write_json, write_text
from mtdepth.metrics.protocols import protocol_named
from mtdepth.reproduce.claims import verdict
from mtdepth.reproduce.measured import Measured, frames_of, measured
from mtdepth.reproduce.plan import Plan, Run
from mtdepth.reproduce.running import Outcome
from mtdepth.reproduce.table import Column, Row, Table

FORMAT_VERSION = 1
NONE = "-"
_TEX = str.maketrans(
    {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "±": r"$\pm$", "|": r"\textbar{}"}
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Made:
    """A table with what was measured.

    Attributes:
      plan: It is of.
      table: Itself.
      cells: By row and column.
      verdicts: A sentence for each claim.
    """

    plan: Plan
    table: Table
    cells: Mapping[tuple[str, str], Measured]
    verdicts: tuple[str, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The table's, and those of this length."""
        return self.plan.length.columns_of(self.table)

    def text_rows(self) -> list[list[str]]:
        """A heading, then a line for each row: paper's number and ours, quantity by quantity."""
        heading = [""]
        shown = [(column, has) for column in self.columns for has in [self._has(column)]]
        for column, (in_paper, here) in shown:
            both = in_paper and here
            heading += [f"{column.heading}, paper" if both else column.heading] * in_paper
            heading += [f"{column.heading}, here" if both else column.heading] * here
        lines = [[*heading, "seeds", "frames"]]
        for row in self.table.rows:
            line = [row.name]
            for column, (in_paper, here) in shown:
                printed, found = row.paper.get(column.key), self.cells.get((row.name, column.key))
                line += [NONE if printed is None else _printed(printed, column)] * in_paper
                line += [NONE if found is None else found.in_words(column.digits)] * here
            lines.append([*line, self._num_seeds(row), self._num_frames(row)])
        return lines

    def sentences(self, commit: str) -> list[str]:
        """What stands below it: claims, notes, protocol, length, what is missing."""
        length, model = self.plan.length, self.table.rows[0].training.model
        notes = [*self.table.notes, *(f"{r.name}: {r.note}." for r in self.table.rows if r.note)]
        missing = [
            f"{row.name} is not made: it needs {needed}."
            for row in self.table.rows
            if (needed := self.plan.missing(row))
        ]
        wheres = dict.fromkeys(
            column.where
            for column in self.columns
            if column.where in ("depth", "depth_50m", "exact")
        )
        names = dict.fromkeys(length.protocol(where, model) for where in wheres)
        protocols = [f"Protocol {name}: {protocol_named(name).description}" for name in names]
        made = f"Length {length.name}: {length.in_words}. Code: {commit or 'unknown'}."
        return [*self.verdicts, *notes, *missing, *protocols, made]

    def _has(self, column: Column) -> tuple[bool, bool]:
        rows = self.table.rows
        is_printed = any(column.key in row.paper for row in rows)
        return is_printed, not (is_printed and column.heading.endswith(", paper"))

    def _num_seeds(self, row: Row) -> str:
        found = [self.cells.get((row.name, column.key)) for column in self.columns]
        return str(max((len(each.values) for each in found if each), default=0))

    def _num_frames(self, row: Row) -> str:
        number = frames_of(self.plan, self.table, row)
        return NONE if number is None else str(number)


def make(plan: Plan, table: Table) -> Made:
    """Reads all results of a table.

    Raises:
      DataError: If one is damaged.
    """
    columns = plan.length.columns_of(table)
    cells = {
        (row.name, column.key): found
        for row in table.rows
        for column in columns
        if (found := measured(plan, table, row, column))
    }
    said = []
    for claim in table.claims:
        column = plan.length.deciding(table, claim.column)
        pair = (cells.get((name, column.key)) for name in (claim.row, claim.than))
        said.append(f"{claim.sentence}? {column.heading}: {verdict(claim, *pair)}.")
    return Made(plan=plan, table=table, cells=cells, verdicts=tuple(said))


def write(folder: Path, made: Made, *, outcomes: Mapping[str, Outcome], commit: str) -> None:
    """Writes `table.md`, `table.tex`, `table.csv` and `runs.json`."""
    lines, sentences = made.text_rows(), made.sentences(commit)
    write_text(folder / "table.md", markdown(made.table.title, lines, sentences))
    write_text(folder / "table.tex", latex(made.table.title, lines, sentences))
    write_text(folder / "table.csv", comma_separated(lines))
    write_json(folder / "runs.json", record(made, outcomes=outcomes, commit=commit))


def markdown(title: str, lines: Sequence[Sequence[str]], sentences: Sequence[str]) -> str:
    """A title, a table and a list."""
    rows = [
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    ]
    rule = f"| {' | '.join(['---'] * len(lines[0]))} |"
    return "\n".join(
        [f"## {title}", "", rows[0], rule, *rows[1:], "", *(f"- {each}" for each in sentences), ""]
    )


def latex(title: str, lines: Sequence[Sequence[str]], sentences: Sequence[str]) -> str:
    """A `table` of LaTeX, its sentences as comments."""
    rows = [" & ".join(cell.translate(_TEX) for cell in line) + r" \\" for line in lines]
    return "\n".join(
        [
            *(f"% {each}" for each in sentences),
            r"\begin{table}",
            rf"\caption{{{title.translate(_TEX)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(lines[0]) - 1)}}}",
            r"\hline",
            rows[0],
            r"\hline",
            *rows[1:],
            r"\hline",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def comma_separated(lines: Sequence[Sequence[str]]) -> str:
    """The cells alone."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def record(made: Made, *, outcomes: Mapping[str, Outcome], commit: str) -> dict[str, Any]:
    """All that the table was made of, for machines."""
    plan, table = made.plan, made.table
    rows = []
    for row in table.rows:
        runs = [Run(plan.length, row.training, seed) for seed in plan.seeds]
        rows.append(
            {
                "name": row.name,
                "paper": dict(row.paper),
                "needs": plan.missing(row),
                "cut": row.cut,
                "frames": frames_of(plan, table, row),
                "here": {
                    column.key: {
                        "values": found.values,
                        "mean": found.mean,
                        "deviation": found.deviation,
                    }
                    for column in made.columns
                    if (found := made.cells.get((row.name, column.key)))
                },
                "runs": [
                    {
                        "unit": run.name,
                        "settings": run.settings,
                        **dataclasses.asdict(outcomes[run.name]),
                    }
                    for run in runs
                    if run.name in outcomes
                ],
            }
        )
    wheres = dict.fromkeys(column.where for column in made.columns)
    model = table.rows[0].training.model
    return {
        "format_version": FORMAT_VERSION,
        "table": table.name,
        "title": table.title,
        "length": plan.length.name,
        "commit": commit,
        "protocols": {
            where: plan.length.protocol(where, model)
            for where in wheres
            if where in ("depth", "depth_50m", "exact")
        },
        "rows": rows,
        "claims": [
            {**dataclasses.asdict(claim), "verdict": said}
            for claim, said in zip(table.claims, made.verdicts, strict=True)
        ],
    }


def _printed(value: float, column: Column) -> str:
    """With the digits that were printed, where they are more than ours."""
    decimals = len(f"{value:g}".partition(".")[2])
    return f"{value:.{max(column.digits, decimals)}f}"
