"""Units that run, fail and go on; what is measured of them; what is written."""

import csv
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fakes.programs import run_program
from fakes.recipes import TINY_STUDENT

from mtdepth.files import DataError, write_json
from mtdepth.reproduce.claims import verdict
from mtdepth.reproduce.lengths import LENGTHS
from mtdepth.reproduce.measured import Measured
from mtdepth.reproduce.plan import Plan, Sources, Unit
from mtdepth.reproduce.running import Units
from mtdepth.reproduce.table import Claim
from mtdepth.reproduce.tables import TABLES
from mtdepth.reproduce.writing import latex, make, write
from mtdepth.steps import Journal, Step


def unit(name: str, *words: str, needs: tuple[str, ...] = ()) -> Unit:
    return Unit(name=name, steps=tuple(Step(word, (name, word)) for word in words), needs=needs)


class Programs:
    """Stands in for processes: notes what ran, and ends with the statuses that it is told."""

    def __init__(self, statuses: Mapping[str, int] | None = None) -> None:
        self.ran: list[str] = []
        self.statuses = dict(statuses or {})

    def __call__(self, step: Step, log: Path) -> int:
        assert log.name == "log.txt"
        self.ran.append(" ".join(step.words))
        return self.statuses.get(" ".join(step.words), 0)


def units_of(folder: Path, programs: Programs, commit: str = "abc") -> Units:
    return Units(folder, journal=Journal(folder / "j.json"), run=programs, commit=commit)


@pytest.mark.parametrize("num_processes", [1, 3])
def test_a_failed_unit_is_recorded_and_the_others_go_on(tmp_path: Path, num_processes: int) -> None:
    programs = Programs({"b train": 3})
    units = units_of(tmp_path, programs)
    units.go([unit("world", "draw"), unit("labels", "label", needs=("world",))])
    units.go(
        [unit(name, "train", "score", needs=("labels",)) for name in "abc"],
        num_processes=num_processes,
    )
    units.go([unit("cost", "time", needs=("a", "b"))])
    assert sorted(units.failed) == ["b", "cost"]
    assert sorted(programs.ran) == [
        *("a score", "a train", "b train", "c score", "c train", "labels label"),
        "world draw",
    ]
    failed = units.outcomes["b"]
    assert failed.status == "failed"
    assert "train ended with status 3" in failed.why
    assert "mtdepth b train" in failed.why
    assert units.outcomes["cost"].why == "it needs b, which is not finished"


def test_what_is_finished_is_never_run_again_and_keeps_its_commit(tmp_path: Path) -> None:
    both = [unit("a", "train", "score"), unit("b", "train", "score")]
    units_of(tmp_path, Programs({"b score": 1})).go(both)
    programs = Programs()
    again = units_of(tmp_path, programs, commit="def")
    again.go(both)
    assert programs.ran == ["b score"]
    assert [again.outcomes[name].commit for name in "ab"] == ["abc", "def"]
    assert not again.failed


def test_a_score_more_is_made_without_another_training(tmp_path: Path) -> None:
    units_of(tmp_path, Programs()).go([unit("a", "train", "score L")])
    programs = Programs()
    units_of(tmp_path, programs).go([unit("a", "train", "score L", "score S")])
    assert programs.ran == ["a score S"]


def test_a_signal_stops_and_a_wrong_status_may_be_right(tmp_path: Path) -> None:
    units = units_of(tmp_path, Programs({"a train": 143, "b label": 1}))
    wrong_on_purpose = Unit(name="b", steps=(Step("label", ("b", "label"), accepts=(0, 1)),))
    units.go([unit("a", "train"), wrong_on_purpose])
    assert units.outcomes["a"].status == "stopped"
    assert units.outcomes["b"].status == "finished"


def test_mean_and_deviation_by_hand() -> None:
    # Mean 5; squared differences 1, 0, 1, over n - 1 = 2.
    found = Measured((4.0, 5.0, 6.0))
    assert (found.mean, found.deviation) == (5.0, 1.0)
    assert found.in_words(2) == "5.00 ± 1.00"
    assert Measured((4.0,)).deviation is None
    assert Measured((4.0,)).in_words(1) == "4.0"


# Deviations of 3 and 4: the spread of a difference is 5.
@pytest.mark.parametrize(
    ("shift", "lower", "no_higher"),
    [
        (-6.0, "holds (", "holds ("),
        (-4.9, "none (", "holds: no difference ("),
        (4.9, "none (", "holds: no difference ("),
        (6.0, "does not hold (", "does not hold ("),
    ],
)
def test_a_difference_below_the_spread_is_none(shift: float, lower: str, no_higher: str) -> None:
    ours, other = Measured((97 + shift, 100 + shift, 103 + shift)), Measured((96, 100, 104))
    for claimed, expected in (("lower", lower), ("no higher", no_higher)):
        claim = Claim(sentence="s", row="a", than="b", claimed=claimed)  # type: ignore[arg-type]
        said = verdict(claim, ours, other)
        assert said.startswith(expected)
        assert "spread over seeds 5.000" in said


def test_one_seed_or_none_is_not_judged() -> None:
    claim = Claim(sentence="s", row="a", than="b")
    assert verdict(claim, Measured((1.0,)), Measured((9.0,))).startswith("not judged")
    assert verdict(claim, None, Measured((9.0,))) == "not measured"


def results(rmse: float, near: float) -> dict[str, Any]:
    names = ("abs_rel", "sq_rel", "rmse", "rmse_log", "d1", "d2", "d3")
    row = {
        "per_image_mean": dict.fromkeys(names, rmse),
        "by_distance": [
            {"from_m": 0.0, "to_m": 10.0, "mean_abs_error_m": near},
            {"from_m": 10.0, "to_m": 20.0, "mean_abs_error_m": 99.0},
        ],
    }
    names = ("eigen_garg_80m", "labels_garg_80m")
    return {"frames": ["f"] * 7, "depth": {name: {"rows": {"model": row}} for name in names}}


@pytest.fixture
def scored(tmp_path: Path) -> Plan:
    """Table II with two seeds; its last row has one, and log depth is better near alone."""
    sources = Sources(
        output=tmp_path,
        data=None,
        splits=("a", "b", "a"),
        teacher=("--depth_teacher", "sgm"),
        classes=("--train_id_dir", "t"),
    )
    plan = Plan([TABLES["II"]], length=LENGTHS["demo"], seeds=2, sources=sources)
    values = {0: [(5.0, 2.0), (5.2, 2.2)], 1: [(5.1, 1.0), (5.1, 1.2)], 2: [(4.0, 1.0)]}
    for number, of_seeds in values.items():
        for seed, (rmse, near) in enumerate(of_seeds):
            row = TABLES["II"].rows[number]
            write_json(plan.result_path(TABLES["II"], row, seed, "depth"), results(rmse, near))
    return plan


def test_a_table_in_three_forms_and_what_it_was_made_of(scored: Plan, tmp_path: Path) -> None:
    made = make(scored, TABLES["II"])
    write(tmp_path / "table", made, outcomes={}, commit="abc1234")
    with (tmp_path / "table" / "table.csv").open() as file:
        heading, *rows = csv.reader(file)
    assert heading[:4] == ["", "RMSE m, paper", "RMSE m, here", "|error| m, 0-10 m"]
    assert rows[0][:4] == ["Depth teacher", "3.945", "5.100 ± 0.141", "2.100 ± 0.141"]
    assert rows[2][:3] == ["+ segment teacher", "3.871", "4.000"]
    assert [row[-2:] for row in rows] == [["2", "7"], ["2", "7"], ["1", "7"]]
    text = (tmp_path / "table" / "table.md").read_text()
    assert r"| \|error\| m, 0-10 m |" in text
    # sqrt(0.1414^2 + 0.1414^2) = 0.2
    assert (
        "- Log depth helps near? |error| m, 0-10 m, exact: holds (1.100 against 2.100, difference "
        "-1.000, spread over seeds 0.200)." in text
    )
    assert "Log depth lowers the error? RMSE m, exact: none (5.100 against 5.100" in text
    assert "not judged" in text
    for said in ("Length demo", "abc1234", "semi-global matching, not PSMNet", "Protocol eigen_"):
        assert said in text
    tex = (tmp_path / "table" / "table.tex").read_text()
    assert r"Depth teacher & 3.945 & 5.100 $\pm$ 0.141 &" in tex
    assert tex.count(r"\\") == 4
    record = json.loads((tmp_path / "table" / "runs.json").read_text())
    assert record["rows"][0]["here"]["rmse"]["values"] == [5.0, 5.2]
    assert record["rows"][0]["frames"] == 7
    assert record["protocols"]["exact"] == "labels_garg_80m"
    assert len(record["claims"]) == 3


def test_latex_knows_its_own_signs() -> None:
    assert r"a\_b \& 5\%" in latex("t", [["a_b & 5%"]], [])


def test_a_damaged_result_names_file_and_remedy(scored: Plan) -> None:
    table = TABLES["II"]
    path = scored.result_path(table, table.rows[0], 0, "depth")
    write_json(path, {"frames": [], "depth": {}})
    with pytest.raises(DataError, match=r"depth_L\.json: has no rmse .*remove it and give"):
        make(scored, table)


def test_costs_are_read_from_the_rows_own_file(tmp_path: Path) -> None:
    sources = Sources(
        output=tmp_path,
        data=None,
        splits=("a", "b", "a"),
        teacher=("x",),
        classes=("y",),
    )
    table = TABLES["VI"]
    plan = Plan([table], length=LENGTHS["demo"], seeds=1, sources=sources)
    times = []
    for row, median_ms in zip(table.rows, (20.0, 10.0, 5.0, 4.0), strict=True):
        folder = plan.cost_folder(table, row)
        write_json(folder / "cost.json", {"params": 324_724})
        model = str(folder / "model.tflite")
        times.append({"model": model, "inference": {"median_ms": median_ms}})
    write_json(plan.cost_folder(table, table.rows[0]).parent / "times.json", {"models": times})
    made = make(plan, table)
    assert [made.cells[row.name, "fps"].mean for row in table.rows] == [50, 100, 200, 250]
    heading, first, *_ = made.text_rows()
    shown = dict(zip(heading, first, strict=True))
    assert shown["frames/s TX2, paper"] == "33.5"
    assert shown["frames/s here"] == "50.0"


def test_the_list_and_a_dry_run_train_nothing(tmp_path: Path) -> None:
    listed = run_program("mtdepth.reproduce", "--list")
    assert listed.returncode == 0, listed.stderr
    assert all(f"\n{name}: Table {name}," in listed.stdout for name in TABLES)
    line = ("--table", "II", "--length", "demo", "--output", tmp_path / "o", "--dry_run")
    dry = run_program("mtdepth.reproduce", *line)
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout.count("\nmtdepth train ") == 9
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("--table", "VII"), "no table 'VII'; there are I, II"),
        (("--table", "I"), "--output needed"),
        (("--table", "I", "--output", "o"), "--data needed for length full"),
        (("--table", "I", "--output", "o", "--data", "gone"), "gone: no such folder; --data names"),
        (
            ("--table", "I", "--output", "o", "--length", "mini", "--data", "."),
            "--train_split and --test_split needed for length mini",
        ),
        (("--table", "I", "--output", "o", "--length", "demo", "--data", "."), "renders its own"),
        (("--table", "3", "--output", "o", "--length", "demo"), "no row can be made; they need"),
    ],
)
def test_a_wrong_line_is_one_sentence(line: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = run_program("mtdepth.reproduce", *line, cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failed_unit_makes_the_status_nonzero_and_the_table_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any, command: list[str], *, log: Path) -> int:
        del self, log
        return 5 if "train" in command else 0

    monkeypatch.setattr("mtdepth.child.Children.run", fail)
    line = ("--table", "IV", "--length", "demo", "--seeds", "1", "--output", tmp_path)
    done = run_program("mtdepth.reproduce", *line)
    assert done.returncode == 1
    assert "training ended with status 5" in done.stderr
    assert "0.106" in (tmp_path / "table_IV" / "table.md").read_text()
    runs = json.loads((tmp_path / "table_IV" / "runs.json").read_text())["rows"][0]["runs"]
    assert [run["status"] for run in runs] == ["failed"]


@pytest.mark.slow
def test_a_table_is_made_from_nothing_and_not_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ("--drives", "4", "--frames", "2", "--width", "416", "--height", "128")
    monkeypatch.setattr("mtdepth.reproduce.plan.WORLD", small)
    demo, tiny = LENGTHS["demo"], dataclasses.asdict(TINY_STUDENT)
    overrides = (
        *(*demo.overrides["student"], "steps_per_epoch=2", "statistics_batches=1"),
        *(f"student.{name}={json.dumps(tiny[name])}" for name in ("stages", "blocks")),
    )
    shortest = dataclasses.replace(
        demo, num_epochs={"student": 1}, overrides={"student": overrides}
    )
    monkeypatch.setitem(LENGTHS, "demo", shortest)
    line = ("--table", "V", "--length", "demo", "--seeds", "2", "--output", tmp_path / "o")
    done = run_program("mtdepth.reproduce", *line)
    assert done.returncode == 0, done.stderr
    row = json.loads((tmp_path / "o" / "table_V" / "runs.json").read_text())["rows"][0]
    assert row["here"]["params_m"]["values"] == [0.324724]  # of the design, not of this tiny one
    assert len(row["here"]["rmse_exact"]["values"]) == 2
    assert {run["status"] for run in row["runs"]} == {"finished"}
    monkeypatch.setattr("mtdepth.child.Children.run", None)  # would fail if it were called
    again = run_program("mtdepth.reproduce", *line)
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout
