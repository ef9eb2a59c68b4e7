r"""Makes the papers' tables: trains every row, scores it, sets it beside what was printed.

All tables, their rows and what each needs:

    python -m mtdepth.reproduce --list

On streets that it renders itself, whose depth is exactly known; some minutes a run and seed:

    python -m mtdepth.reproduce --table I --table II --length demo --output runs/tables

At full length, for those who have KITTI (labels of PSMNet and DeepLab as PNG folders, or the
networks themselves by --psmnet_weights, --deeplab_weights):

    python -m mtdepth.reproduce --table I --data KITTI --disparity_dir DISPARITIES \
        --train_id_dir TRAIN_IDS --output runs/tables

On some real frames in KITTI's raw layout:

    python -m mtdepth.reproduce --table II --length mini --data KITTI --train_split train.txt \
        --test_split val.txt --disparity_dir DISPARITIES --train_id_dir TRAIN_IDS \
        --output runs/tables_mini

OUTPUT/table_I then holds table.md, table.tex, table.csv and runs.json: the printed number, ours as
mean and deviation over seeds, frames, protocol, code, and for each claim of the paper whether it
holds here. Rows that have a training in common share it, also over tables in one OUTPUT. The same
line again goes on where it stopped and repeats nothing that is finished; what failed is recorded,
the rest goes on, and the status is then 1. --dry_run prints the commands.
"""

import sys
from pathlib import Path
from typing import Any

from absl import flags, logging
from tqdm import tqdm

from mtdepth import program
from mtdepth.child import Children
from mtdepth.files import UserError
from mtdepth.reproduce.lengths import LENGTHS, Length
from mtdepth.reproduce.listing import commands, listed
from mtdepth.reproduce.machine import commit_of_code, trainings_that_fit
from mtdepth.reproduce.plan import Plan, Sources
from mtdepth.reproduce.running import Runner, Units
from mtdepth.reproduce.tables import TABLES, tables_named
from mtdepth.reproduce.writing import make, markdown, write
from mtdepth.steps import Journal, Step

_TABLE = flags.DEFINE_multi_string(
    "table", [], f"A table, repeatable: {', '.join(TABLES)}; all for all of them."
)
_LENGTH = flags.DEFINE_enum("length", "full", list(LENGTHS), "How long, and on what.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder of all that is made.")
_SEEDS = flags.DEFINE_integer("seeds", 3, "Runs of every row.", lower_bound=1)
_NUM_PROCESSES = flags.DEFINE_integer(
    "num_processes", 1, "Trainings at a time, as far as memory allows.", lower_bound=1
)
_DATA = flags.DEFINE_string("data", None, "KITTI raw; length demo renders its own.")
_TRAIN_SPLIT = flags.DEFINE_string("train_split", None, "Full: eigen_train; or a list file.")
_TEST_SPLIT = flags.DEFINE_string("test_split", None, "Full: eigen_test; or a list file.")
_VIDEO_SPLIT = flags.DEFINE_string(
    "video_split", None, "Frames that MiniNet learns from. Default: --train_split."
)
_DISPARITY_DIR = flags.DEFINE_string("disparity_dir", None, "PSMNet's disparities as PNG files.")
_PSMNET_WEIGHTS = flags.DEFINE_string("psmnet_weights", None, "PSMNet itself, in their place.")
_TRAIN_ID_DIR = flags.DEFINE_string("train_id_dir", None, "Classes as PNG files.")
_DEEPLAB_WEIGHTS = flags.DEFINE_string("deeplab_weights", None, "DeepLab, in their place.")
_ODOMETRY = flags.DEFINE_string("odometry", None, "KITTI's odometry, for table 3.")
_MAKE3D = flags.DEFINE_string("make3d", None, "Make3D's test set, for table 4.")
_LIST = flags.DEFINE_bool("list", False, "Shows tables, rows and what each needs.")
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Prints the commands, and runs none.")


def main() -> int:
    """Makes tables; 1 if a unit failed, 128 and more if a signal ended it."""
    length = LENGTHS[_LENGTH.value]
    chosen = tables_named([name for each in _TABLE.value for name in _names(each)])
    if _LIST.value:
        _say(*listed(chosen or list(TABLES.values()), length))
        return 0
    program.require("table", "output")
    plan = Plan(chosen, length=length, seeds=_SEEDS.value, sources=_sources(length))
    stages = [plan.preparations(), plan.trainings(), plan.costs()]
    _check(plan)
    journal = Journal(plan.sources.output / "reproduce.json")
    if _DRY_RUN.value:
        _say(*(line for stage in stages for unit in stage for line in commands(unit, journal)))
        return 0
    commit = commit_of_code()
    with (
        Children() as children,
        tqdm(total=sum(map(len, stages)), unit="unit") as bar,
    ):
        units = Units(
            plan.folder("."),
            journal=journal,
            run=_runner(children),
            commit=commit,
            done=lambda _: bar.update(),
        )
        for stage, num in zip(
            stages, (1, trainings_that_fit(_NUM_PROCESSES.value), 1), strict=True
        ):
            units.go(stage, num_processes=num)
        stopped = children.stopped
    for table in plan.tables:
        made = make(plan, table)
        folder = plan.sources.output / f"table_{table.name}"
        write(folder, made, outcomes=units.outcomes, commit=commit)
        _say("", markdown(table.title, made.text_rows(), made.sentences(commit)))
        logging.info("wrote %s", folder)
    if units.failed:
        logging.error(
            "%d units are not finished; %s/units has a log of each. The same line goes on there",
            len(units.failed),
            plan.sources.output,
        )
    return stopped or bool(units.failed)


def _names(text: str) -> list[str]:
    return list(TABLES) if text == "all" else text.split(",")


def _sources(length: Length) -> Sources:
    output = Path(_OUTPUT.value)
    others: dict[str, Any] = {
        "odometry": Path(_ODOMETRY.value) if _ODOMETRY.value else None,
        "make3d": Path(_MAKE3D.value) if _MAKE3D.value else None,
        "num_processes": _NUM_PROCESSES.value,
    }
    if length.name == "demo":
        if _DATA.value:
            raise UserError("--data: length demo renders its own; take --length mini or full")
        world = output / "world"
        train, test = (str(world / "splits" / f"{part}.txt") for part in ("train", "val"))
        return Sources(
            output=output,
            data=None,
            splits=(train, test, train),
            teacher=("--depth_teacher", "sgm"),
            classes=("--train_id_dir", str(world / "truth" / "train_id")),
            **others,
        )
    if not _DATA.value:
        raise UserError(
            f"--data needed for length {length.name}: KITTI's raw recordings; without them take "
            "--length demo"
        )
    if not Path(_DATA.value).is_dir():
        raise FileNotFoundError(f"{_DATA.value}: no such folder; --data names KITTI's recordings")
    is_full = length.name == "full"
    train = _TRAIN_SPLIT.value or ("eigen_train" if is_full else "")
    test = _TEST_SPLIT.value or ("eigen_test" if is_full else "")
    if not train or not test:
        raise UserError(
            "--train_split and --test_split needed for length mini: list files of frames of drives "
            "that are apart"
        )
    return Sources(
        output=output,
        data=Path(_DATA.value),
        splits=(train, test, _VIDEO_SPLIT.value or train),
        teacher=_one_of("disparity_dir", "psmnet_weights"),
        classes=_one_of("train_id_dir", "deeplab_weights"),
        **others,
    )


def _one_of(*names: str) -> tuple[str, ...]:
    """Words of the one flag that is given; none without."""
    given = [name for name in names if flags.FLAGS[name].value]
    if len(given) > 1:
        raise UserError(f"give either --{given[0]} or --{given[1]}")
    return (f"--{given[0]}", flags.FLAGS[given[0]].value) if given else ()


def _check(plan: Plan) -> None:
    missing = [
        f"table {table.name}, {row.name}: {needed}"
        for table in plan.tables
        for row in table.rows
        if (needed := plan.missing(row))
    ]
    if not list(plan.rows()):
        raise UserError(f"no row can be made; they need {'; '.join(missing)}")
    for each in missing:
        logging.warning("left out: %s is needed", each)


def _runner(children: Children) -> Runner:
    def run(step: Step, log: Path) -> int:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"\n$ {step.line}\n")
        return children.run([sys.executable, "-m", "mtdepth", *step.words], log=log)

    return run


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    program.run(main)
