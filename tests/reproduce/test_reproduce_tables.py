"""The tables as data, and the commands that they become."""

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import pytest
from fakes.programs import run_program

from mtdepth.__main__ import COMMANDS
from mtdepth.models.counting import describe_mininet
from mtdepth.models.student import build_training_graph
from mtdepth.recipes.base import overridden
from mtdepth.recipes.registry import find_recipe, find_video_recipe
from mtdepth.reproduce.lengths import LENGTHS, Length
from mtdepth.reproduce.plan import Plan, Sources, Unit
from mtdepth.reproduce.table import Row, Training
from mtdepth.reproduce.tables import TABLES, tables_named

ROWS = [(table, row) for table in TABLES.values() for row in table.rows]


def recipe_of(training: Training, length: Length) -> Any:
    find = find_recipe if training.model == "student" else find_video_recipe
    return overridden(find(training.recipe), length.overrides_of(training))


def plan_of(*tables: str, length: str = "demo", seeds: int = 3, **sources: Any) -> Plan:
    train, test = "train.txt", "val.txt"
    given = {
        "data": None,
        "teacher": ("--depth_teacher", "sgm"),
        "classes": ("--train_id_dir", "t"),
    }
    return Plan(
        tables_named(tables),
        length=LENGTHS[length],
        seeds=seeds,
        sources=Sources(output=Path("out"), splits=(train, test, train), **{**given, **sources}),
    )


def named(units: list[Unit]) -> list[str]:
    return [unit.name for unit in units]


@pytest.mark.parametrize("length", LENGTHS.values(), ids=lambda length: length.name)
def test_every_rows_recipe_is_one(length: Length) -> None:
    for training in {row.training for _, row in ROWS}:
        recipe = recipe_of(training, length)
        assert recipe.name == training.recipe
        if length.name == "full":
            published = recipe.__class__.from_dict(recipe.to_dict())
            assert published.num_epochs in (10, 20, 40)  # both papers


def test_at_full_length_the_best_model_is_the_recipe_as_it_stands() -> None:
    best = TABLES["IV"].rows[0].training
    assert recipe_of(best, LENGTHS["full"]) == find_recipe("multitask_kitti")
    mininet = TABLES["1"].rows[0].training
    assert recipe_of(mininet, LENGTHS["full"]) == find_video_recipe("mininet_kitti")


def test_table_one_tells_metres_and_table_three_has_half_the_epochs() -> None:
    full = LENGTHS["full"]
    assert {recipe_of(row.training, full).depth_law for row in TABLES["I"].rows} == {"linear"}
    splits = [recipe_of(row.training, full) for row in TABLES["III"].rows]
    assert [each.student.num_individual for each in splits] == [0, 1, 2, 3]
    assert {each.num_epochs for each in splits} == {10}


def test_claims_and_columns_name_what_there_is() -> None:
    for table in TABLES.values():
        names = [row.name for row in table.rows]
        assert len(set(names)) == len(names)
        for claim in table.claims:
            assert {claim.row, claim.than} <= set(names)
            assert table.column(claim.column).where in ("depth", "exact")
        printed = {key for row in table.rows for key in row.paper}
        assert printed <= {column.key for column in table.columns}


@pytest.mark.parametrize(
    ("table", "row", "key", "printed"),
    [
        ("I", 2, "rmse", 3.945),
        ("II", 1, "rmse", 3.884),
        ("III", 3, "rmse", 5.222),
        ("IV", 0, "d3", 0.9997),
        ("VI", 3, "fps_tx2", 54.1),
        ("1", 0, "rmse_50m", 4.067),
        ("2", 3, "rmse", 5.302),
        ("4", 0, "rmse_log10", 0.192),
        ("5", 1, "pi_s", 9.078),
    ],
)
def test_numbers_as_printed(table: str, row: int, key: str, printed: float) -> None:
    assert TABLES[table].rows[row].paper[key] == printed


def test_printed_parameters_are_the_networks() -> None:
    """MiniNet's are cut off after three decimals; the student's are rounded, for depth alone."""
    full = LENGTHS["full"]
    # Tests of the models have every count; here, that a row's recipe is of its network.
    counted: dict[tuple[Training, str], float] = {}
    for name in ("2", "5"):
        for row in TABLES[name].rows:
            if row.cut in ("F", "E") and row.training.size == "mininet":
                key = (row.training, row.cut)
                if key not in counted:
                    spec = recipe_of(row.training, full).mininet
                    _, counts = describe_mininet(spec, output=row.cut, input_size=(32, 64))
                    counted[key] = math.floor(counts["params"] / 1e3) / 1e3
                assert counted[key] == row.paper["params_m"], row.name
    single = TABLES["II"].rows[1].training
    graph = build_training_graph(recipe_of(single, full).spec, input_size=(32, 64))
    assert round(graph.count_params() / 1e6, 2) == TABLES["V"].rows[0].paper["params_m"]


def test_rows_of_one_training_share_it_also_over_tables() -> None:
    assert TABLES["II"].rows[0].training == TABLES["I"].rows[2].training
    assert TABLES["IV"].rows[0].training == TABLES["II"].rows[2].training
    both = named(plan_of("I", "II", "IV", "V", seeds=2).trainings())
    assert len(both) == len(set(both)) == 2 * (5 + 2)
    # 12 rows of table 2 are four trainings; that of table 1 is among them.
    plan = plan_of("2", "1", seeds=1)
    assert len(plan.trainings()) == 4
    (original,) = [
        unit for unit in plan.trainings() if unit.name in named(plan_of("1").trainings())
    ]
    assert [step.name for step in original.steps[1:]] == [f"scores of {each}" for each in "FHQE"]


def test_other_settings_are_another_run() -> None:
    names = [
        named(plan_of("IV", length=length, seeds=2, data=data).trainings())
        for length, data in (("demo", None), ("mini", Path("k")))
    ]
    assert len({name for each in names for name in each}) == 4


def test_labels_are_derived_of_one_teacher() -> None:
    units = {unit.name: unit for unit in plan_of("I").preparations()}
    assert list(units) == [
        *("world", "labels_lidar", "labels_teacher", "labels_corrected", "labels_misscaled"),
        *("labels_misscaled_corrected", "labels_exact"),
    ]
    lines = {name: unit.steps[0].line for name, unit in units.items()}
    store = "--depth_dir out/units/labels_teacher/labels/depth"
    assert f"{store} --bias fit" in lines["labels_corrected"]
    assert f"{store} --depth_factor 1.17 --bias none" in lines["labels_misscaled"]
    assert units["labels_misscaled"].steps[0].accepts == (0, 1)
    assert "labels_teacher" in units["labels_misscaled"].needs
    assert "--depth_teacher lidar --bias none" in lines["labels_lidar"]


def test_of_kitti_no_world_is_made_and_no_exact_depth() -> None:
    plan = plan_of("II", length="full", data=Path("KITTI"))
    assert named(plan.preparations()) == ["labels_teacher", "labels_corrected"]
    assert all("--protocol eigen_garg_80m " in unit.steps[1].line for unit in plan.trainings())
    assert all("labels_garg" not in unit.steps[1].line for unit in plan.trainings())


def test_what_is_missing_is_named_and_the_rest_is_made() -> None:
    plan = plan_of("I", "II", "3", "4", length="full", data=Path("K"), teacher=(), classes=())
    made = [row.name for _, row in plan.rows()]
    assert made == ["Sparse depth map"]
    missing = {row.name: plan.missing(row) for table in plan.tables for row in table.rows}
    assert "--disparity_dir" in missing["PSMNet (origin)"]
    assert "Make3D" in missing["MiniNet"] or "odometry" in missing["MiniNet"]
    assert "--train_id_dir" in plan_of("IV", length="full", data=Path("K"), classes=()).missing(
        TABLES["IV"].rows[0]
    )


def test_times_are_of_all_rows_in_turn_at_the_papers_size() -> None:
    (unit,) = plan_of("VI").costs()
    exports = [step.line for step in unit.steps if step.words[0] == "export"]
    assert [line.split("--decoder ")[1].split()[0] for line in exports] == ["L", "M", "S", "XS"]
    assert all("--height 320 --width 480" in line for line in exports)
    assert unit.steps[-1].line.count("--model") == 4
    assert unit.needs == (plan_of("VI", seeds=1).trainings()[0].name,)


def test_every_command_has_flags_that_its_program_knows() -> None:
    everything = {"odometry": Path("odo"), "make3d": Path("make3d")}
    used: dict[str, set[str]] = {}
    for length, data in (("demo", None), ("full", Path("K"))):
        plan = plan_of(*TABLES, length=length, data=data, **everything)
        for unit in (*plan.preparations(), *plan.trainings(), *plan.costs()):
            for step in unit.steps:
                flags = {word[2:] for word in step.words if word.startswith("--")}
                used.setdefault(step.words[0], set()).update(flags)
    assert len(used) == 9
    for word, flags in used.items():
        done = run_program(COMMANDS[word][0], "--helpfull")
        if not done.stdout:  # argparse
            done = run_program(COMMANDS[word][0], "--help")
        known = set(re.findall(r"--(?:\[no\])?(\w+)", done.stdout))
        assert flags <= known, (word, flags - known)


def test_exact_depth_decides_where_it_is_known() -> None:
    table = TABLES["I"]
    deciding = LENGTHS["demo"].deciding(table, "near")
    assert (deciding.where, deciding.quantity) == ("exact", "near")
    assert LENGTHS["full"].deciding(table, "near").where == "depth"
    assert LENGTHS["demo"].deciding(TABLES["5"], "abs_rel").where == "depth"


def test_a_row_is_found_by_its_name() -> None:
    row: Row = TABLES["2"].row("small E")
    assert dataclasses.asdict(row)["cut"] == "E"
