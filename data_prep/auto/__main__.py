r"""The whole way in one line: recordings become labels, a network, its scores and an int8 file.

Full example, recordings in KITTI's layout or a rig's folder (rig.json), LiDAR and classes or not:

    mtdepth auto recordings --output runs/garden

    mtdepth auto recordings --output runs/garden --dry_run     # says what it would do, and how

It looks at the recordings (doctor), holds out whole drives, or the end of the only one, labels
both parts, fine-tunes the network that comes along, scores it on what was held out, exports it as
integers, scores that file too, and draws a page. Every step is a program of its own, and its
command stands above what it says: pasted, it does that step alone.

The same line again goes on where it stopped; a finished step is not repeated. A step that fails
ends with its own error and status. Depth is labelled by matching both views, or by the teacher
whose flags are given; without LiDAR the scores are by held-out labels, without class labels depth
alone is learned.
"""

import shlex
import sys
import time
from pathlib import Path

from absl import flags, logging

from data_prep.auto.lists import write_lists
from data_prep.auto.plan import Paths, Plan, Request, make_plan
from data_prep.auto.summary import duration, summary
from data_prep.teacher_choice import (
    define_depth_teacher_flags,
    define_seg_teacher_flags,
    given_teacher_words,
    teachers_from_flags,
)
from mtdepth import program
from mtdepth.child import run_alone
from mtdepth.steps import Journal, Step

_OUTPUT = flags.DEFINE_string("output", None, "Folder of all that is made.")
_SPLIT = flags.DEFINE_string("split", "all", "Frames that take part: a name or a list file.")
_RECIPE = flags.DEFINE_string("recipe", "small_data", "Of the training, see `mtdepth train`.")
_OVERRIDE = flags.DEFINE_multi_string(
    "override", [], "A recipe field to change, key=value; repeatable."
)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Says what would be done, and does nothing.")
define_depth_teacher_flags()
define_seg_teacher_flags()


def main(recordings: str) -> int:
    """Goes the whole way; the exit status of the step that failed, else 0."""
    program.require("output")
    request = Request(
        recordings=Path(recordings),
        output=Path(_OUTPUT.value),
        teachers=teachers_from_flags(Path(recordings)),
        teacher_flags=tuple(given_teacher_words()),
        split=_SPLIT.value,
        recipe=_RECIPE.value,
        overrides=tuple(_OVERRIDE.value),
    )
    plan, journal = make_plan(request), Journal(Paths(request.output).journal)
    _say("", *plan.in_words)
    if _DRY_RUN.value:
        for number, step in enumerate(plan.steps):
            _say("", _title(plan, number, journal), step.line)
        return 0
    write_lists(plan.lists)
    status = _go(plan, journal)
    if not status:
        took_s = {step.name: journal.seconds(step) or 0.0 for step in plan.steps}
        _say("", *summary(Paths(request.output), took_s))
    return status


def _go(plan: Plan, journal: Journal) -> int:
    for number, step in enumerate(plan.steps):
        _say("", _title(plan, number, journal), step.line)
        if journal.seconds(step) is not None:
            continue
        journal.forget(plan.steps[number:])  # what follows was made of what this one makes
        began_s = time.monotonic()
        if status := run_alone([sys.executable, "-m", "mtdepth", *step.words]):
            _log_end(step, status)
            return status
        journal.add(step, time.monotonic() - began_s)
    return 0


def _title(plan: Plan, number: int, journal: Journal) -> str:
    step = plan.steps[number]
    seconds = journal.seconds(step)
    done = "" if seconds is None else f": done before, in {duration(seconds)}"
    return f"[{number + 1}/{len(plan.steps)}] {step.name}{done}"


def _log_end(step: Step, status: int) -> None:
    again = shlex.join(["mtdepth", "auto", *sys.argv[1:]])
    what = "was stopped" if status > 128 else f"failed (status {status}), its error stands above"
    logging.error("%s %s; this goes on there:\n%s", step.name, what, again)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    program.run(main, takes="RECORDINGS")
