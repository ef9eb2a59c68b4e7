"""What tables there are and what would be done, for people."""

from collections.abc import Sequence

from mtdepth.reproduce.lengths import Length
from mtdepth.reproduce.plan import Unit
from mtdepth.reproduce.table import Table
from mtdepth.steps import Journal


def listed(tables: Sequence[Table], length: Length) -> list[str]:
    """Tables, rows, what each needs and is trained by, and claims."""
    lines = []
    for table in tables:
        lines += ["", f"{table.name}: {table.title}"]
        for row in table.rows:
            training = row.training
            needs = {
                "depth teacher": training.labels not in (None, "lidar"),
                "LiDAR": training.labels not in (None, "teacher", "misscaled"),
                "classes": training.has_classes,
                "video": training.labels is None and training.data == "raw",
                "--odometry": training.data == "odometry",
                "--make3d": any(column.where == "make3d" for column in table.columns),
            }
            overrides = ", ".join(length.overrides_of(training))
            needed = ", ".join(name for name, is_needed in needs.items() if is_needed)
            lines.append(f"  {row.name}, output {row.cut}; needs {needed}")
            lines.append(f"      recipe {training.recipe}: {overrides}")
        lines += [f"  claim: {claim.sentence}" for claim in table.claims]
    return lines


def commands(unit: Unit, journal: Journal) -> list[str]:
    """A unit's commands, a line each, with what is finished of them."""
    lines = ["", f"# {unit.name}"]
    for step in unit.steps:
        done = journal.seconds(step) is not None
        lines += [f"# {step.name}{': done before' if done else ''}", step.line]
    return lines
