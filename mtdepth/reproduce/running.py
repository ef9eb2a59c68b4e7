"""Runs units, several at a time; a failed one is recorded and the others go on."""

import concurrent.futures
import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from absl import logging

from mtdepth.files import is_there, read_record, write_json
from mtdepth.reproduce.plan import Unit
from mtdepth.steps import Journal, Step

Status = Literal["finished", "failed", "stopped", "not run"]
# Runs a step and adds what it says to a file; gives the exit status.
Runner = Callable[[Step, Path], int]

RECORD = "unit.json"
STOPPED = 128  # statuses above it are of a signal


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a unit.

    Attributes:
      status: `not run` where what it needs failed, or the program was stopped before it began.
      why: Of anything but `finished`.
      seconds: Of its finished steps.
      commit: Of the code that finished it.
    """

    status: Status
    why: str = ""
    seconds: float = 0.0
    commit: str = ""


class Units:
    """Runs units one after the other, or several at a time, and remembers what became of them.

    Args:
      folder: Of all units: each has one of its name, with its log.
      journal: Steps that ended well, of this and earlier times.
      run: Runs a step.
      commit: Of the code.
      done: Called with each unit that is through, by the caller's thread.
    """

    def __init__(
        self,
        folder: Path,
        *,
        journal: Journal,
        run: Runner,
        commit: str = "",
        done: Callable[[Unit], Any] = lambda _: None,
    ) -> None:
        self._folder, self._journal, self._run, self._done = folder, journal, run, done
        self._commit = commit
        self.outcomes: dict[str, Outcome] = {}

    def go(self, units: Iterable[Unit], *, num_processes: int = 1) -> None:
        """Runs units whose needs were run before, or come before them where one runs at a time."""
        with concurrent.futures.ThreadPoolExecutor(num_processes) as pool:
            of_unit = {pool.submit(self._noted, unit): unit for unit in units}
            for future in concurrent.futures.as_completed(of_unit):
                unit, outcome = of_unit[future], future.result()
                if outcome.status != "finished":
                    logging.error("%s: %s, %s", unit.name, outcome.status, outcome.why)
                self._done(unit)

    @property
    def failed(self) -> list[str]:
        """Units that are not finished."""
        return [name for name, each in self.outcomes.items() if each.status != "finished"]

    def _noted(self, unit: Unit) -> Outcome:
        # By its own thread: the next unit may need it before the caller's hears of it.
        self.outcomes[unit.name] = outcome = self._unit(unit)
        return outcome

    def _unit(self, unit: Unit) -> Outcome:
        for name in unit.needs:
            before = self.outcomes.get(name)
            if before is None or before.status != "finished":
                return Outcome(status="not run", why=f"it needs {name}, which is not finished")
        folder = self._folder / unit.name
        log, record = folder / "log.txt", folder / RECORD
        if self._is_finished(unit) and is_there(record):
            commit = str(read_record(record).get("commit", ""))
            return Outcome(status="finished", seconds=self._seconds(unit.steps), commit=commit)
        for number, step in enumerate(unit.steps):
            if self._journal.seconds(step) is not None:
                continue
            self._journal.forget(unit.steps[number : number + 1])
            began_s = time.monotonic()
            status = self._run(step, log)
            if status not in step.accepts:
                return _ended(step, status, log)
            self._journal.add(step, time.monotonic() - began_s)
        outcome = Outcome(status="finished", seconds=self._seconds(unit.steps), commit=self._commit)
        lines = [step.line for step in unit.steps]
        write_json(record, {**dataclasses.asdict(outcome), "commands": lines})
        return outcome

    def _is_finished(self, unit: Unit) -> bool:
        return all(self._journal.seconds(step) is not None for step in unit.steps)

    def _seconds(self, steps: Sequence[Step]) -> float:
        return sum(self._journal.seconds(step) or 0.0 for step in steps)


def _ended(step: Step, status: int, log: Path) -> Outcome:
    if status > STOPPED:
        return Outcome(status="stopped", why=f"{step.name} was stopped; it goes on there")
    return Outcome(
        status="failed",
        why=f"{step.name} ended with status {status}; its error stands at the end of {log}; the "
        f"command alone: {step.line}",
    )
