"""What came of the whole way, and where it lies: a few lines to end with."""

import shlex
from collections.abc import Mapping
from typing import Any

from data_prep.auto.plan import Paths
from mtdepth.files import read_record


def summary(paths: Paths, took_s: Mapping[str, float]) -> list[str]:
    """The closing lines.

    Args:
      paths: Of a way whose steps are all finished.
      took_s: Seconds of each step, by its name.

    Raises:
      FileNotFoundError: If a file of it has vanished.
      DataError: If the scores are damaged.
    """
    each = ", ".join(f"{name} {duration(seconds)}" for name, seconds in took_s.items())
    (scored,) = read_record(paths.scores)["depth"].values()
    int8 = shlex.quote(str(paths.int8))
    return [
        f"finished    in {duration(sum(took_s.values()))}: {each}",
        *errors_in_words(scored["rows"]),
        f"look at     {paths.report / 'index.html'} (scores, pictures, a film)",
        f"            {paths.labels / 'contact_sheet.png'} (what was learned from)",
        f"int8        {paths.int8}, {paths.int8.stat().st_size / 1e3:.0f} kB, model.json beside it",
        f"here        mtdepth predict photo.jpg --model {int8}",
        f"on a Pi     mtdepth bundle --model {int8}    # packs all that it needs",
    ]


def errors_in_words(rows: Mapping[str, Any]) -> list[str]:
    """How far off depth is as int8, as trained and before, and whether training has helped.

    Args:
      rows: Of the report step's scores, under its one protocol.
    """
    names = {
        "model": "as int8",
        "model_2": "as trained",
        "model_3": "before training",
        "baseline": "for the mean of the labels, a guess",
        "oracle": "for the labels themselves",
    }
    off = {name: rows[name]["per_image_mean"]["abs_rel"] for name in names if name in rows}
    said = ", ".join(f"{100 * off[name]:.1f} % {names[name]}" for name in off)
    lines = [f"errors      depth is off by {said} (Abs Rel)"]
    if off["model_2"] >= off["model_3"]:
        lines.append(
            "            training has not helped: train longer (--override num_epochs=10), label "
            "more, or take `pretrained` as it is"
        )
    return lines


def duration(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
