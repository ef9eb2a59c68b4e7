"""What a fine-tuning tells: `fine_tuning.json` and the last lines of the program."""

from pathlib import Path
from typing import Any

from absl import logging

from export.fine_tune.job import Job, Tuned
from export.fine_tune.pruned import sparsity_of
from export.graph import NetworkGraph
from export.tflite.target import FILE_NAME


def tuning_record(
    job: Job, stages: dict[str, Tuned], files: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """The content of `fine_tuning.json`.

    Args:
      job: What was tuned.
      stages: `prune` and `quantise`, as far as they were run.
      files: The reports of the exported files.
    """
    return {
        "workdir": str(job.trained.workdir.path),
        "decoder": job.trained.size,
        "float_abs_rel": job.float_abs_rel(),
        "stages": {
            name: {"abs_rel": tuned.abs_rel, "scores": tuned.scores}
            for name, tuned in stages.items()
        },
        "sparsity": {
            name: sparsity_of(tuned.graph) for name, tuned in stages.items() if "prune" in stages
        },
        "files": files,
    }


def log_file(folder: Path, report: dict[str, Any]) -> None:
    """Says how large a file became and how far it is from the float network."""
    logging.info(
        "wrote %s (%d bytes, %d with gzip)",
        folder / FILE_NAME,
        report["size_bytes"],
        report["gzip_bytes"],
    )
    measured = report["against_float"]
    logging.info(
        "depth differs from the float network by %.2g %% (median of %d pictures), "
        "%.2g %% (99 %% of pixels)",
        100 * measured["median_relative"],
        report["num_frames"],
        100 * measured["p99_relative"],
    )


def log_sparsity(graph: NetworkGraph) -> None:
    """Lists the share of zeros of every layer."""
    for name, share in sparsity_of(graph).items():
        logging.info("zeros in %s: %.1f %%", name, 100 * share)
