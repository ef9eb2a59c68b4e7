"""A benchmark's results as a record for machines and as a table for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from export.benchmark.network import TimedNetwork
from export.benchmark.timing import Times


@dataclass
class Measured:
    """One file's results: times of its stages, XNNPACK's share, memory, and a profile if asked."""

    network: TimedNetwork
    times: dict[str, Times]
    delegation: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    profile: dict[str, Any] = field(default_factory=dict)

    def to_dict(self, first: "Measured") -> dict[str, Any]:
        """For machines; `inference_ratio` is to the first file."""
        content = {
            "model": str(self.network.path),
            "name": self.network.name,
            "size_bytes": self.network.path.stat().st_size,
            **self.network.about,
            **{stage: times.to_dict() for stage, times in self.times.items()},
            "inference_ratio": self.times["inference"].ratio_to(first.times["inference"]),
            **self.delegation,
            **self.memory,
        }
        return {**content, "profile": self.profile} if self.profile else content


def table(results: Sequence[Measured]) -> str:
    """The results as lines for people: milliseconds, ratios to the first row, memory."""
    lines = [
        f"{'model':<34} {'inference: median':>17} {'p90':>8} {'min':>8} {'cpu':>8} {'ratio':>7} "
        f"{'before':>8} {'after':>8} {'peak MB':>8}"
    ]
    for result in results:
        inference = result.times["inference"].to_dict()
        ratio = result.times["inference"].ratio_to(results[0].times["inference"])["wall"]
        lines.append(
            f"{result.network.name[:34]:<34} {inference['median_ms']:>17.2f} "
            f"{inference['p90_ms']:>8.2f} {inference['min_ms']:>8.2f} "
            f"{inference['cpu_median_ms']:>8.2f} {ratio:>7.3f} "
            f"{_median(result, 'preprocess'):>8} {_median(result, 'postprocess'):>8} "
            f"{result.memory.get('peak_memory_mb', '-'):>8}"
        )
    return "\n".join([*lines, *_notes(results)]) + "\n"


def profile_table(result: Measured) -> str:
    """Where the time of one network goes, as lines for people."""
    profile = result.profile
    whole_ms = result.times["inference"].to_dict()["cpu_median_ms"]
    lines = [
        "",
        f"{result.network.name}: operators by themselves {profile['sum_cpu_ms']:.2f} ms, "
        f"the whole call {whole_ms:.2f} ms (CPU)",
    ]
    for title in ("parts", "kinds"):
        lines.append(f"{title:<24} {'ms':>8} {'share':>7} {'MMAC':>9} {'GMAC/s':>8}")
        lines += [
            f"  {name:<22} {row['cpu_ms']:>8.3f} {row['cpu_ms'] / profile['sum_cpu_ms']:>7.1%} "
            f"{row['mmac']:>9.1f} {row['gmac_per_s']:>8.1f}"
            for name, row in profile[title].items()
        ]
    return "\n".join(lines) + "\n"


def machine_line(machine: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """The machine in one line."""
    parts = [machine.get("board"), machine.get("processor"), f"LiteRT {machine.get('litert', '?')}"]
    parts += [
        f"{label} {state[name]}{unit}"
        for name, label, unit in (
            ("temperature_c", "temperature", " C"),
            ("frequency_mhz", "frequency", " MHz"),
            ("load_average", "load", ""),
        )
        if name in state
    ]
    if machine.get("governor"):
        parts.append(f"governor {machine['governor']}")
    return ", ".join(str(part) for part in parts if part)


def _notes(results: Sequence[Measured]) -> list[str]:
    lines = []
    for result in results:
        parts, outside = (result.delegation.get(n) for n in ("xnnpack_partitions", "undelegated"))
        if parts != 1 or outside:
            lines.append(
                f"{result.network.name}: XNNPACK runs it in {parts} part(s); "
                f"outside it: {outside or 'nothing'}"
            )
    return lines


def _median(result: Measured, stage: str) -> str:
    times = result.times.get(stage)
    return "-" if times is None else f"{times.to_dict()['median_ms']:.2f}"
