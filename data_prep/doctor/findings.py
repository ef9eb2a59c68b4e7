"""What a check is, what it finds, and the report of all of them."""

import dataclasses
from collections.abc import Iterable
from typing import Any, Literal

NUM_SHOWN = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """One question to a data set.

    Attributes:
      name: As tables and JSON call it.
      severity: `error`: a program would fail or, worse, learn from it. `note`: good to know.
      fault: What is wrong where it finds something.
      remedy: What to do then.
    """

    name: str
    severity: Literal["error", "note"]
    fault: str
    remedy: str


@dataclasses.dataclass(frozen=True)
class Finding:
    """One offender.

    Attributes:
      check: What found it.
      where: File, folder, drive or frame.
      why: What was found there.
    """

    check: Check
    where: str
    why: str


class Report:
    """What all checks looked at and found.

    Args:
      checks: In the order of the table.
    """

    def __init__(self, checks: Iterable[Check]) -> None:
        self._found: dict[Check, list[Finding]] = {check: [] for check in checks}
        self._looked_at = dict.fromkeys(self._found, 0)

    def looked(self, *checks: Check, number: int = 1) -> None:
        """Counts what checks have looked at."""
        for check in checks:
            self._looked_at[check] += number

    def add(self, findings: Iterable[Finding]) -> None:
        """Takes findings in."""
        for finding in findings:
            self._found[finding.check].append(finding)

    def findings(self, check: Check) -> list[Finding]:
        """What a check found, by place."""
        return sorted(self._found[check], key=lambda finding: (finding.where, finding.why))

    @property
    def is_healthy(self) -> bool:
        """Whether no check of severity `error` found anything."""
        return not any(found for check, found in self._found.items() if check.severity == "error")

    def offenders(self) -> str:
        """A block for each check that found something: the first ten and the remedy."""
        blocks = []
        for check in self._found:
            found = self.findings(check)
            if not found:
                continue
            lines = [f"{check.severity} {check.name}: {check.fault} ({len(found)})"]
            lines += [f"    {each.where}: {each.why}" for each in found[:NUM_SHOWN]]
            if len(found) > NUM_SHOWN:
                lines.append(f"    and {len(found) - NUM_SHOWN} more; --json lists all")
            blocks.append("\n".join([*lines, f"    remedy: {check.remedy}"]))
        return "\n\n".join(blocks)

    def table(self) -> str:
        """One line for each check: how much it looked at, how much it found."""
        width = max(len(check.name) for check in self._found)
        lines = [f"{'check':{width}}  looked at     found"]
        for check, found in self._found.items():
            state = f"{check.severity}: {check.fault}" if found else ""
            number = str(self._looked_at[check] or "-")
            lines.append(f"{check.name:{width}}  {number:>9}  {len(found) or '-':>8}  {state}")
        return "\n".join(line.rstrip() for line in lines)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it: every check with everything that it found."""
        return {
            "is_healthy": self.is_healthy,
            "checks": [
                {
                    "name": check.name,
                    "severity": check.severity,
                    "fault": check.fault,
                    "looked_at": self._looked_at[check],
                    "num_found": len(found),
                    "found": [
                        {"where": each.where, "why": each.why} for each in self.findings(check)
                    ],
                    "remedy": check.remedy,
                }
                for check, found in self._found.items()
            ],
        }
