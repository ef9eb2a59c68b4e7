"""The report's networks and files: bytes, milliseconds, and what each costs against float32."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtdepth.evaluation.findings import Artefact, Findings
from mtdepth.evaluation.markup import Cell, paragraphs, table

_NOTE = (
    "ms is the median time of the network alone for one picture, on the machine that scored it and "
    "while it did. Differences are to the float32 network of the same recipe and size, where that "
    "was scored, too: what int8 costs."
)


def section(runs: Sequence[Findings], protocol: str) -> str:
    """What was scored with its cost, exported files that were not, and benchmarks."""
    scored = [line for run in runs for line in _scored(run, runs, protocol)]
    headings = (
        "",
        "bytes",
        "ms",
        "Abs Rel",
        "RMSE m",
        "mIoU",
        "to float32: bytes",
        "Abs Rel",
        "mIoU",
    )
    parts = [table(headings, scored), paragraphs([_NOTE], kind="note") if scored else ""]
    files = [_file(each, run) for run in runs for each in run.artefacts]
    parts.append(
        table(("exported file", "network", "precision", "input", "bytes", "sha256"), files)
    )
    timed = [line for run in runs for record in run.benchmarks for line in _timed(record)]
    parts.append(
        table(("benchmark", "machine", "threads", "median ms", "p90 ms", "peak MB", "bytes"), timed)
    )
    if not any(parts):
        return ""
    if not timed:
        said = (
            "To add the times of a device: `python -m export.benchmark --model model.tflite --json "
            f"benchmark.json` there, `python -m mtdepth.report {runs[0].place} benchmark.json` here"
        )
        parts.append(paragraphs([said], kind="note"))
    return "<h2>Networks and files</h2>" + "".join(parts)


def _scored(run: Findings, runs: Sequence[Findings], protocol: str) -> list[list[Cell]]:
    rows = run.results["depth"][protocol]["rows"]
    classes = run.results["segmentation"]["rows"]
    identities = [run.results["model"], *run.results["compared_with"]]
    names = [name for name in rows if name.startswith("model")]
    costs = {
        name: {
            "identity": identity,
            "errors": rows[name]["per_image_mean"],
            "mean_iou": classes.get(name, {}).get("mean_iou"),
            **rows[name]["cost"],
        }
        for name, identity in zip(names, identities, strict=True)
        if "cost" in rows[name]
    }
    lines: list[list[Cell]] = []
    for name, found in costs.items():
        title = rows[name]["title"]
        errors, mean_iou = found["errors"], found["mean_iou"]
        lines.append(
            [
                f"{run.name}: {title}" if len(runs) > 1 else title,
                f"{found['num_bytes']:,}",
                f"{found['network_ms']:.1f}",
                f"{errors['abs_rel']:.4f}",
                f"{errors['rmse']:.3f}",
                "-" if mean_iou is None else f"{mean_iou:.4f}",
                *_against(found, _float_of(found, list(costs.values()))),
            ]
        )
    return lines


def _float_of(found: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The float32 network that one is a form of: a file of its kind before a workdir."""

    def alike(other: dict[str, Any]) -> bool:
        names = ("network", "decoder", "recipe")
        pair = (found["identity"], other["identity"])
        return all(len({str(each.get(name)) for each in pair}) == 1 for name in names)

    floats = [other for other in others if other["identity"].get("precision") == "float32"]
    kind = found["identity"].get("kind")
    near = sorted(filter(alike, floats), key=lambda other: other["identity"].get("kind") != kind)
    return near[0] if near and near[0] is not found else None


def _against(found: dict[str, Any], reference: dict[str, Any] | None) -> list[str]:
    if reference is None or found["identity"].get("precision") == "float32":
        return ["", "", ""]
    both = (found["mean_iou"], reference["mean_iou"])
    return [
        f"{found['num_bytes'] / reference['num_bytes']:.2f} times",
        f"{found['errors']['abs_rel'] - reference['errors']['abs_rel']:+.4f}",
        "-" if None in both else f"{both[0] - both[1]:+.4f}",
    ]


def _file(artefact: Artefact, run: Findings) -> list[Cell]:
    contract = artefact.contract
    height, width = contract.input_size
    name = Path(artefact.path.parent.name) / artefact.path.name
    return [
        f"{run.name}: {name}",
        f"{contract.network} {contract.decoder}",
        contract.precision,
        f"{width}x{height}",
        f"{artefact.num_bytes:,}",
        contract.sha256[:12],
    ]


def _timed(record: dict[str, Any]) -> list[list[Cell]]:
    machine = record["machine"]
    board = " ".join(str(machine[name]) for name in ("board", "processor") if machine.get(name))
    return [
        [
            str(each["name"]),
            board,
            str(record["num_threads"]),
            f"{each['inference']['median_ms']:.2f}",
            f"{each['inference']['p90_ms']:.2f}",
            str(each.get("peak_memory_mb", "-")),
            f"{each['size_bytes']:,}",
        ]
        for each in record["models"]
    ]
