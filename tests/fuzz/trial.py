"""Reads one damaged file after another, and says what is wrong with what comes out."""

import copy
import dataclasses
import logging
import random
import resource
import signal
import traceback
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from fuzz.case import Case, Reader

from export.board.build_engine import BuildError
from export.board.convert_tftrt import ConvertError
from export.board.run_engine import RunError
from mtdepth.files import DataError, UserError

ROOT = Path(__file__).parents[2]
REFUSALS = (DataError, UserError, FileNotFoundError, BuildError, ConvertError, RunError)
MAX_BYTES = 10**9
MAX_CPU_S = 5


@dataclasses.dataclass(frozen=True)
class Fault:
    """One kind of fault, with the first input that showed it.

    Attributes:
      reader: Whose.
      what: The exception and where it arose, or what is nonsense about the result.
      index: Of the input.
    """

    reader: str
    what: str
    index: int


@dataclasses.dataclass
class Counts:
    """What became of a reader's inputs."""

    inputs: int = 0
    refused: int = 0
    unchanged: int = 0
    faults: dict[str, Fault] = dataclasses.field(default_factory=dict)

    def add(self, other: "Counts") -> None:
        """Adds those of other inputs."""
        self.inputs += other.inputs
        self.refused += other.refused
        self.unchanged += other.unchanged
        self.faults = {**other.faults, **self.faults}


class TooLongError(BaseException):
    """Out of reach of what a reader catches."""


def try_inputs(
    reader: Reader, folder: Path, *, seed: int, indices: range, watch: Any = None
) -> Counts:
    """Gives a reader the damaged files of some numbers.

    Args:
      reader: The reader.
      folder: New; its files are made in it.
      seed: With an input's number it says the input.
      indices: The numbers.
      watch: Its `value` is set to the number before each.
    """
    folder.mkdir(parents=True)
    case = reader.prepare(folder)
    content = case.file.read_bytes()
    counts = Counts()
    with _bounded():
        if found := _outcome(reader, case, right := []):
            raise AssertionError(f"{reader.name}: the right file is not read: {found}")
        for index in indices:
            if watch is not None:
                watch.value = index
            rng = random.Random(f"{seed}/{reader.name}/{index}")
            case.file.write_bytes(reader.change(content, rng))
            counts.inputs += 1
            found = _outcome(reader, case, right)
            if found == _REFUSED:
                counts.refused += 1
            elif found == _UNCHANGED:
                counts.unchanged += 1
            elif found and found not in counts.faults:
                counts.faults[found] = Fault(reader.name, found, index)
    return counts


_REFUSED, _UNCHANGED = "refused", "unchanged"


def _outcome(reader: Reader, case: Case, right: list[Any]) -> str:
    """What became of a file; empty for a sane result that is not the right file's.

    `right` holds what that gave, or is empty and then filled.
    """
    signal.setitimer(signal.ITIMER_PROF, MAX_CPU_S)
    try:
        found = case.read()
        if fault := next(nonsense(found), ""):
            return fault
        reader.check(found)
        if not right:
            right.append(copy.deepcopy(found))
            return ""
        if same(found, right[0]):
            return _UNCHANGED
        return "" if reader.other else "read as something else, which its checksum should tell"
    except REFUSALS:
        return _REFUSED
    except (Exception, TooLongError) as error:  # noqa: BLE001 (that is what is looked for)
        # The last place of ours on the way to it.
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename).is_relative_to(ROOT) and ".venv" not in frame.filename
        ]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"
        return f"{type(error).__name__} at {where}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


class _bounded:  # noqa: N801 (a context manager)
    """Bounds time and memory of this process while files are read; nothing is logged."""

    def __enter__(self) -> None:
        self._handler = signal.signal(signal.SIGPROF, _stop)
        self._limits = resource.getrlimit(resource.RLIMIT_AS)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MAX_BYTES, self._limits[1]))
        logging.disable(logging.CRITICAL)

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_AS, self._limits)
        signal.signal(signal.SIGPROF, self._handler)
        logging.disable(logging.NOTSET)


def _stop(*_: object) -> None:
    raise TooLongError


def same(a: Any, b: Any) -> bool:
    """Whether two results are equal."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b)
    if dataclasses.is_dataclass(a):
        return all(
            same(getattr(a, each.name), getattr(b, each.name)) for each in dataclasses.fields(a)
        )
    if isinstance(a, Mapping):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def nonsense(value: Any, name: str = "result") -> Iterator[str]:
    """What no right result holds: NaN, infinity, and values of other types than their record's."""
    if isinstance(value, np.ndarray | np.floating | float):
        array = np.asarray(value)
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            yield f"{name} is not finite"
        if array.dtype.kind == "O":
            yield f"{name} is an array of objects"
    elif dataclasses.is_dataclass(value):
        for field, hint in _hints(type(value)).items():
            inner, place = getattr(value, field), f"{type(value).__name__}.{field}"
            if not _fits(inner, hint):
                yield f"{place} is of another type"
            yield from nonsense(inner, place)
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from nonsense(inner, name)


def _hints(record: type) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(record)
    except NameError:  # of an import for types only
        return {}
    return {field.name: hints[field.name] for field in dataclasses.fields(record)}


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or isinstance(hint, typing.TypeVar):
        return True
    if origin is typing.Literal:
        return value in inner
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        each_hint = [inner[0]] * len(value) if inner[-1:] == (...,) else inner
        return len(each_hint) == len(value) and all(map(_fits, value, each_hint))
    if origin is list:
        return isinstance(value, list) and all(_fits(each, inner[0]) for each in value)
    kind = origin or hint
    is_protocol = getattr(kind, "_is_protocol", False)
    return not isinstance(kind, type) or is_protocol or isinstance(value, kind)
