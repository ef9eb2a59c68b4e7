"""A benchmark's results as a record for machines and as a table for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from export.benchmark.network import TimedNetwork
from export.benchmark.timing import Times

_STAGES = ("preprocess", "inference", "postprocess")
_RUNTIMES = {"litert": "LiteRT", "onnxruntime": "onnxruntime"}
_PAYS = 0.9  # ours: of float32's time; what runs differ by is no gain


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


def markdown(record: Mapping[str, Any]) -> str:
    """A row for each file that can be pasted, with all that makes it comparable.

    Args:
      record: What `--json` writes.
    """
    machine, before, after = (record[name] for name in ("machine", "before", "after"))
    rows = []
    for model in record["models"]:
        runtime = "onnxruntime" if model["model"].lower().endswith(".onnx") else "litert"
        stages = [model[name]["median_ms"] for name in _STAGES if name in model]
        rows.append(
            {
                "board": machine.get("board") or machine.get("processor") or "-",
                "runtime": f"{_RUNTIMES[runtime]} {machine.get(runtime, '?')}",
                "network": model["name"],
                "input": "x".join(map(str, model.get("input_size", ()))) or "-",
                "precision": model.get("precision", "-"),
                "threads": record["num_threads"],
                "kB": f"{model['size_bytes'] / 1e3:,.0f}",
                "first result s": model.get("first_result_s", "-"),
                "median ms": f"{model['inference']['median_ms']:.1f}",
                "p90 ms": f"{model['inference']['p90_ms']:.1f}",
                "frames/s, in to out": f"{1e3 / sum(stages):.1f}" if len(stages) > 1 else "-",
                "peak MB": model.get("peak_memory_mb", "-"),
                "C": _from_to(before, after, "temperature_c"),
                "MHz": _from_to(before, after, "frequency_mhz"),
                "Abs Rel": _abs_rel(model),
            }
        )
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([*row.values()] for row in rows)]
    table = "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
    return "\n".join([table, *_precision_advice(record["models"])]) + "\n"


def _from_to(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> str:
    return f"{before[name]} to {after[name]}" if name in before and name in after else "-"


def _abs_rel(model: Mapping[str, Any]) -> str:
    """The network's own error before its export, with frames and protocol."""
    for scored in model.get("keras_scores", {}).values():
        for protocol, errors in scored["depth"].items():
            return f"{errors['abs_rel']:.3f} (Keras; {protocol}, {scored['num_frames']} frames)"
    return "-"


def _precision_advice(models: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whether int8 pays here, for each network that is there both ways.

    It does only where the processor multiplies bytes: VNNI or AMX of x86-64, ARM's dot product.
    """
    by_precision: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = {}
    for model in models:
        if "precision" in model:
            network = (model["network"], model["decoder"], *model["input_size"])
            by_precision.setdefault(network, {}).setdefault(model["precision"], model)
    lines = []
    for (network, decoder, *_), found in by_precision.items():
        if {"int8", "float32"} <= set(found):
            # Of the processor's own time, which a busy machine changes least.
            int8, float32 = (found[name]["inference_ratio"]["cpu"] for name in ("int8", "float32"))
            verdict = "pays" if int8 / float32 < _PAYS else "does not pay"
            lines.append(
                f"{network} {decoder}: int8 takes {int8 / float32:.2f} of float32's time, so it "
                f"{verdict} on this machine"
            )
    return lines


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
    lines = _precision_advice([result.to_dict(results[0]) for result in results])
    for result in results:
        parts, outside = (result.delegation.get(n) for n in ("xnnpack_partitions", "undelegated"))
        if result.delegation and (parts != 1 or outside):
            lines.append(
                f"{result.network.name}: XNNPACK runs it in {parts} part(s); "
                f"outside it: {outside or 'nothing'}"
            )
    return lines


def _median(result: Measured, stage: str) -> str:
    times = result.times.get(stage)
    return "-" if times is None else f"{times.to_dict()['median_ms']:.2f}"
