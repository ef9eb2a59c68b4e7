"""The report: one page, without other files, of what evaluations and trainings have left."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtdepth.evaluation import page_artefacts, page_frames, page_groups
from mtdepth.evaluation.findings import Findings
from mtdepth.evaluation.markup import attached, chart, paragraphs, table, text, whole_page
from mtdepth.evaluation.predictors import EXPLANATION
from mtdepth.evaluation.verdicts import difference
from mtdepth.files import DataError, UserError, write_text
from mtdepth.metrics.depth import ERROR_NAMES
from mtdepth.metrics.published import PUBLISHED, SPLIT
from mtdepth.reporting import error_by_distance_figure, png_of, training_figure

PAGE_NAME = "index.html"

_HEADINGS = ("Abs Rel", "Sq Rel m", "RMSE m", "RMSE log", "δ < 1.25", "δ < 1.25²", "δ < 1.25³")
_ERRORS = {
    "Abs Rel": "the mean of |predicted - true| / true: 0.10 is 10 % off on average.",
    "Sq Rel, RMSE": "the same with the error squared, so that a few large errors count more; RMSE "
    "log compares ratios.",
    "δ < 1.25": "the share of pixels whose ratio of predicted to true, whichever is larger on top, "
    "is below 1.25; the next two allow 1.25 twice and three times over. 1 is best.",
    "coverage": "the share of the true pixels that were predicted at all; errors are of those.",
}
_CLASSES = {
    "mIoU": "mean intersection over union: of the pixels that prediction or label call a class, "
    "the share that both do, averaged over the classes that occur. The label is a teacher's, so "
    "it is agreement with the teacher, not with a human.",
    "pixels right": "the share of labelled pixels that have the label's class.",
}


def write_report(path: Path, runs: Sequence[Findings], *, attach: Sequence[Path] = ()) -> None:
    """Writes the page of one run, or of two beside one another.

    Args:
      path: The page.
      runs: One or two.
      attach: Films, pictures and other files to show, too.

    Raises:
      FileNotFoundError: If a file to attach is missing.
      DataError: If the results are not what an evaluation writes.
      UserError: If two runs were scored under no common protocol.
    """
    try:
        title, body = _title(runs), _body(runs)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        where = " or ".join(str(run.results_path) for run in runs)
        raise DataError(where, f"no results of this version ({error!r}); evaluate again") from error
    shown = [attached(each) for each in attach]
    write_text(path, whole_page(title, [*body[:1], *shown, *body[1:]]))


def _body(runs: Sequence[Findings]) -> list[str]:
    common = [
        protocol
        for protocol in runs[0].results["depth"]
        if all(protocol in run.results["depth"] for run in runs)
    ]
    if not common:
        named = "; ".join(f"{run.name}: {', '.join(run.results['depth'])}" for run in runs)
        raise UserError(f"scored under no common protocol ({named}); evaluate with one --protocol")
    return [
        f"<h1>{text(_title(runs))}</h1>" + _verdict(runs, common[0]),
        *(_depth(runs, protocol) for protocol in common),
        page_frames.section(runs),
        *(_by_distance(runs, protocol) for protocol in common),
        page_groups.section(runs, common[0]),
        _classes(runs),
        page_groups.obstacles(runs),
        page_groups.steadiness(runs),
        page_artefacts.section(runs, common[0]),
        _training(runs),
        _origin(runs),
    ]


def _title(runs: Sequence[Findings]) -> str:
    if len(runs) > 1:
        return "Two runs beside one another: " + " and ".join(run.name for run in runs)
    rows = next(iter(runs[0].results["depth"].values()))["rows"]
    return f"Depth and classes from one camera: {rows['model']['title']}"


def _verdict(runs: Sequence[Findings], protocol: str) -> str:
    said = []
    for run in runs:
        settings = run.results
        if len(runs) > 1:
            said.append(f"<h2>{text(run.name)}</h2>")
        said.append(paragraphs(settings.get("verdict", []), kind="verdict"))
        frames = f"{len(settings['frames'])} frames of {settings['split']}"
        failed = f", {len(settings['failures'])} more failed" if settings["failures"] else ""
        said.append(
            paragraphs([f"Model {settings['model']['path']}, {frames}{failed}."], kind="note")
        )
    if len(runs) > 1:
        first, second = (_model(run, protocol)["abs_rel"] for run in runs)
        names = (runs[0].name, runs[1].name)
        sentence = difference(first, second, names=names)
        if runs[0].results["frames"] != runs[1].results["frames"]:
            sentence += (
                " The two were scored on different frames, so a difference may be the frames'."
            )
        said.insert(0, paragraphs([sentence], kind="verdict"))
    return "\n".join(said)


def _model(run: Findings, protocol: str) -> dict[str, float]:
    errors: dict[str, float] = run.results["depth"][protocol]["rows"]["model"]["per_image_mean"]
    return errors


def _depth(runs: Sequence[Findings], protocol: str) -> str:
    lines = _depth_lines(runs, protocol, are_models=True)
    if len(runs) > 1:
        first, second = (_model(run, protocol) for run in runs)
        changes = {name: second[name] - first[name] for name in ERROR_NAMES}
        lines.append(("second run - first run", *_numbers(changes, sign="+"), "", ""))
    lines += _depth_lines(runs, protocol, are_models=False)
    notes = [
        f"Protocol {protocol}: {runs[0].results['depth'][protocol]['protocol']['description']}"
    ]
    paper = PUBLISHED.get(protocol)
    if paper and all(run.results["split"] == SPLIT for run in runs):
        errors = {name: getattr(paper.errors, name) for name in ERROR_NAMES}
        lines.append((paper.title, *_numbers(errors), "697", ""))
        notes.append(f"{paper.title}: as printed, on the 697 frames of {SPLIT}. {paper.note}")
    else:
        named = ", ".join(PUBLISHED)
        notes.append(
            f"What the papers print is shown beside scores of {SPLIT} under {named}; it cannot be "
            "compared with these, which are of other frames or another protocol."
        )
    notes.append(EXPLANATION)
    explained = _explained(_ERRORS)
    shown = table(("", *_HEADINGS, "frames", "coverage"), lines)
    return f"<h2>Depth</h2>{shown}{explained}{paragraphs(notes, kind='note')}"


def _depth_lines(
    runs: Sequence[Findings], protocol: str, *, are_models: bool
) -> list[tuple[str, ...]]:
    return [
        (
            _of(run, runs, row["title"]),
            *_numbers(row["per_image_mean"]),
            str(row["num_frames"]),
            f"{row['coverage']:.4f}",
        )
        for run in runs
        for name, row in run.results["depth"][protocol]["rows"].items()
        if name.startswith("model") == are_models
    ]


def _numbers(errors: dict[str, float], *, sign: str = "") -> tuple[str, ...]:
    return tuple(f"{errors[name]:{sign}.3f}" for name in ERROR_NAMES)


def _of(run: Findings, runs: Sequence[Findings], title: str) -> str:
    return f"{run.name}: {title}" if len(runs) > 1 else title


def _explained(terms: dict[str, str]) -> str:
    listed = "".join(f"<dt>{text(each)}</dt><dd>{text(what)}</dd>" for each, what in terms.items())
    return f"<dl>{listed}</dl>"


def _by_distance(runs: Sequence[Findings], protocol: str) -> str:
    by_title = {
        _of(run, runs, row["title"]): row["by_distance"]
        for run in runs
        for name, row in run.results["depth"][protocol]["rows"].items()
        if len(runs) == 1 or name == "model"
    }
    figure = error_by_distance_figure(by_title, title=f"protocol {protocol}")
    caption = (
        "Above: how much too far (+) or too near (-) on average. Below: the mean of |error| / "
        "distance; grey bars: how many of the pixels lie there."
    )
    return f"<h2>Error by distance</h2>{chart(png_of(figure), caption=caption)}"


def _classes(runs: Sequence[Findings]) -> str:
    rows = [
        (_of(run, runs, row["title"]), row)
        for run in runs
        for row in run.results["segmentation"]["rows"].values()
    ]
    if not rows:
        return ""
    lines = [
        (title, f"{row['mean_iou']:.3f}", f"{100 * row['pixel_accuracy']:.1f} %")
        for title, row in rows
    ]
    shown = table(("", "mIoU", "pixels right"), lines)
    return f"<h2>Classes</h2>{shown}{_explained(_CLASSES)}{page_groups.class_iou(rows)}"


def _training(runs: Sequence[Findings]) -> str:
    histories = {run.name: run.history for run in runs if run.history}
    if not histories:
        said = (
            "No history.jsonl of a training was found; where there is one, its curves come by "
            f"`python -m mtdepth.report {runs[0].place} WORKDIR`."
        )
        return f"<h2>Training</h2>{paragraphs([said], kind='note')}"
    caption = (
        "Losses and held-out scores by step, a point an epoch. The training loss is what is "
        "minimised; what is held out was never learned from, and chooses the best weights."
    )
    return f"<h2>Training</h2>{chart(png_of(training_figure(histories)), caption=caption)}"


def _origin(runs: Sequence[Findings]) -> str:
    lines: list[tuple[str, str]] = []
    for run in runs:
        labels: dict[str, Any] = run.results["labels"] or {}
        versions = run.results["versions"]
        facts = {
            "results": run.results_path,
            "recordings": run.results["kitti_root"],
            "labels": labels.get("path", "none"),
            "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        }
        lines += [(_of(run, runs, name), str(fact)) for name, fact in facts.items()]
    listed = "".join(f"<dt>{text(name)}</dt><dd>{text(fact)}</dd>" for name, fact in lines)
    return f"<h2>Made from</h2><dl>{listed}</dl>"
