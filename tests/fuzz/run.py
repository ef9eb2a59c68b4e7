"""`make fuzz`: damaged files for every reader, over processes; a table of what became of them.

An input is known by its reader, the seed and its number, so a run with a larger --inputs or another
--seed goes on where one ended. Each kind of fault is told once, and its file is kept.
"""

import argparse
import concurrent.futures
import multiprocessing
import os
import queue
import random
import sys
import tempfile
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

from fakes.once import VARIABLE
from fuzz.case import NO_CHANGE, Reader
from fuzz.readers import READERS
from fuzz.trial import Counts, Fault, try_inputs


def main() -> int:
    """Runs all chunks and writes the table; 1 if there was a fault."""
    options = _parsed()
    readers = [each for each in READERS if options.reader in each.name]
    counts: dict[str, Counts] = defaultdict(Counts)
    with tempfile.TemporaryDirectory(prefix="mtdepth-fuzz-") as scratch:
        os.environ[VARIABLE] = scratch
        chunks: queue.Queue[tuple[Reader, range]] = queue.Queue()
        for chunk in _chunks(readers, options):
            chunks.put(chunk)
        lock = threading.Lock()

        def work(number: int) -> None:
            lane = _Lane(Path(scratch) / f"lane-{number}", options.seed)
            while True:
                try:
                    reader, indices = chunks.get_nowait()
                except queue.Empty:
                    return
                result = lane.run(reader, indices)
                with lock:
                    counts[reader.name].add(result)
                    _write_table(options.table, readers, counts)

        with concurrent.futures.ThreadPoolExecutor(options.processes) as threads:
            list(threads.map(work, range(options.processes)))
        faults = [fault for each in counts.values() for fault in each.faults.values()]
        _keep(options.keep, faults, options.seed, Path(scratch))
    sys.stdout.write(_table(readers, counts))
    return 1 if faults else 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="in all, over all readers")
    parser.add_argument("--first", type=int, default=0, help="number of each reader's first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--reader", default="", help="part of its name; all by default")
    parser.add_argument("--table", type=Path, default=Path("fuzz/table.txt"))
    parser.add_argument("--keep", type=Path, default=Path("fuzz/faults"), help="where files go")
    return parser.parse_args()


def _chunks(readers: list[Reader], options: argparse.Namespace) -> list[tuple[Reader, range]]:
    """A reader's inputs in pieces, so that all readers advance alike."""
    per_share = options.inputs / sum(reader.share for reader in readers)
    chunks = []
    for reader in readers:
        end = options.first + max(1, round(reader.share * per_share))
        size = max(1, round(5000 * reader.share))
        starts = range(options.first, end, size)
        chunks += [
            (number / len(starts), reader, range(start, min(start + size, end)))
            for number, start in enumerate(starts)
        ]
    return [(reader, indices) for _, reader, indices in sorted(chunks, key=lambda each: each[0])]


class _Lane:
    """A process that reads, begun again where a file has killed it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed, self._number = folder, seed, 0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._watch = context.Value("q", 0)
        self._pool = concurrent.futures.ProcessPoolExecutor(
            1, mp_context=context, initializer=_begin, initargs=(self._watch,)
        )

    def run(self, reader: Reader, indices: range) -> Counts:
        counts = Counts()
        while indices:
            self._number += 1
            folder = self._folder / str(self._number)
            task = self._pool.submit(_try, reader.name, folder, self._seed, indices)
            try:
                counts.add(task.result())
                return counts
            except concurrent.futures.process.BrokenProcessPool:
                index = self._watch.value
                what = "the process died"
                counts.add(
                    Counts(
                        index - indices.start + 1, faults={what: Fault(reader.name, what, index)}
                    )
                )
                indices = range(index + 1, indices.stop)
                self._start()
        return counts


_WATCH: Any = None


def _begin(watch: Any) -> None:
    global _WATCH
    _WATCH = watch


def _try(name: str, folder: Path, seed: int, indices: range) -> Counts:
    reader = next(each for each in READERS if each.name == name)
    return try_inputs(reader, folder, seed=seed, indices=indices, watch=_WATCH)


def _table(readers: list[Reader], counts: dict[str, Counts]) -> str:
    lines = [
        "| reader | inputs | refused | read as undamaged | read as other | kinds of fault |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    rows = [(each.name, counts[each.name]) for each in readers if each.name in counts]
    total = Counts()
    for _, row in rows:
        total.add(Counts(row.inputs, row.refused, row.unchanged))
    for name, row in [*rows, ("all", total)]:
        lines.append(
            f"| {name} | {row.inputs:,} | {row.refused:,} | {row.unchanged:,} "
            f"| {row.inputs - row.refused - row.unchanged:,} | {len(row.faults)} |"
        )
    for why in sorted({each.other for each in readers} - {NO_CHANGE}):
        names = [each.name for each in readers if each.other == why]
        lines.append(f"read as other: {why}: {', '.join(names)}")
    for name, row in rows:
        lines += [f"{name}: input {each.index}: {each.what}" for each in row.faults.values()]
    return "\n".join(lines) + "\n"


def _write_table(path: Path, readers: list[Reader], counts: dict[str, Counts]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_table(readers, counts))


def _keep(folder: Path, faults: list[Fault], seed: int, scratch: Path) -> None:
    for number, fault in enumerate(faults):
        reader = next(each for each in READERS if each.name == fault.reader)
        place = scratch / f"keep-{number}"
        place.mkdir()
        case = reader.prepare(place)
        rng = random.Random(f"{seed}/{reader.name}/{fault.index}")
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{reader.name.replace(' ', '_').replace(':', '')}-{fault.index}-{case.file.name}"
        (folder / name).write_bytes(reader.change(case.file.read_bytes(), rng))


if __name__ == "__main__":
    sys.exit(main())
