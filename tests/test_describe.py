"""`python -m mtdepth.describe`: its numbers, its table, and what reaches standard output."""

import json
import subprocess

import pytest
from absl import flags
from fakes.programs import run_program

import mtdepth.describe
from mtdepth.describe import build
from mtdepth.models.counting import describe, part_of, table


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run_program("mtdepth.describe", *arguments)


def test_standard_output_is_only_json() -> None:
    done = _run("--decoder", "S", "--height", "320", "--width", "480", "--tasks", "both",
                "--json", "-")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "params": 306_868,
        "trainable_params": 292_660,
        "macs": 202_656_000,
        "outputs": {"depth_code": [40, 60, 1], "class_scores": [40, 60, 19]},
    }


def test_json_goes_into_a_file(tmp_path) -> None:
    path = tmp_path / "counts" / "xs.json"
    done = _run("--decoder", "XS", "--json", str(path), "--graph", "training")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    content = json.loads(path.read_text())
    assert content["params"] == 292_221
    assert content["outputs"] == {"depth_code_1": [20, 30, 1]}


def test_illegal_size_ends_with_one_sentence() -> None:
    done = _run("--height", "300")
    assert done.returncode == 1
    assert "height 300 (nearest: 288 or 320)" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_help_shows_a_full_example() -> None:
    done = _run("--help")
    assert done.returncode == 0  # it was asked for, and is no fault
    assert "python -m mtdepth.describe --model student --decoder L --height 320" in done.stdout


def test_training_graph_has_the_heads_of_every_block() -> None:
    model = build(
        decoder="L", input_size=(64, 96), tasks=("depth", "segmentation"), graph="training"
    )
    counted = describe(model)
    assert counted["params"] == 326_064
    assert list(counted["outputs"])[:3] == ["depth_code_1", "class_scores_1", "depth_code_2"]


def test_the_fast_design_has_the_same_outputs_and_half_the_operations() -> None:
    fast = describe(
        build(
            decoder="L",
            input_size=(320, 480),
            tasks=("depth", "segmentation"),
            graph="detached",
            design="fast",
        )
    )
    assert (fast["params"], fast["macs"]) == (311_936, 256_876_800)
    assert fast["outputs"]["depth_code"] == (160, 240, 1)


def test_table_shows_the_layer_tables_parts_and_its_rows_add_up() -> None:
    model = build(decoder="L", input_size=(320, 480), tasks=("depth",), graph="detached")
    rows = {line.split("  ")[0]: line.split() for line in table(model).splitlines()}
    # The reconstructed layer table at 480x320
    assert rows["encoder block_16"][-3:] == ["10x15x112", "62,608", "8.92"]
    assert rows["decoder_1 bottleneck_1"][-3:] == ["20x30x24", "21,012", "11.34"]
    assert rows["decoder_4 concat + shuffle"][-3:] == ["160x240x6", "0", "0.00"]
    assert rows["depth_code_4"][-3:] == ["160x240x1", "9", "0.31"]
    assert rows["total"][-2:] == ["324,553", "467.6"]
    lines = table(model).splitlines()
    last = next(i for i, line in enumerate(lines) if line.startswith("total"))
    params = [int(line.split()[-2].replace(",", "")) for line in lines[1:last]]
    assert sum(params) == 324_553


@pytest.mark.parametrize(
    ("layer", "part"),
    [
        ("bn_Conv1", "encoder stem"),
        ("expanded_conv_project_BN", "encoder block_0"),
        ("block_12_add", "encoder block_12"),
        ("decoder_2_shuffle", "decoder_2 concat + shuffle"),
        ("decoder_3_bottleneck_2_expand", "decoder_3 bottleneck_2"),
        ("decoder_3_segmentation_bottleneck_2_add", "decoder_3 segmentation bottleneck_2"),
        ("class_scores_4", "class_scores_4"),
    ],
)
def test_layers_belong_to_parts(layer: str, part: str) -> None:
    assert part_of(layer) == part


def test_mininet_counts_reach_standard_output() -> None:
    done = _run("--model", "mininet", "--variant", "original", "--output", "E", "--no_reuse",
                "--height", "192", "--width", "640", "--json", "-")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "params": 618_212,
        "trainable_params": 618_212,
        "macs": 2_655_580_672,
        "outputs": {"depth_code": [24, 80, 1]},
        "params_inference": 616_097,
    }


def _run_main(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The program's standard output without a process of its own."""
    values = flags.FlagValues()
    mtdepth.describe._define_flags(values)
    values(["describe", *arguments])
    mtdepth.describe.report(values)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model=mininet", "--decoder=S"), "--decoder has no meaning for --model mininet"),
        (("--model=mininet", "--tasks=both"), "--tasks has no meaning for --model mininet"),
        (("--variant=small",), "--variant has no meaning for --model student"),
        (("--nosignal",), "--signal has no meaning for --model student"),
        (("--model=mininet", "--graph=training", "--output=E"), "--output has no meaning for --gr"),
        (("--model=mininet", "--signal", "--graph=training"), "--graph has no meaning for --sig"),
    ],
)
def test_a_flag_without_meaning_is_named(arguments, message, capsys) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        _run_main(capsys, *arguments)


def test_mininets_table_adds_up(capsys) -> None:
    lines = _run_main(
        capsys, "--model=mininet", "--variant=small", "--output=H", "--height=64", "--width=96"
    ).splitlines()
    rows = [line.split() for line in lines]
    last = next(i for i, line in enumerate(lines) if line.startswith("total"))
    # module: 19,720 parameters, once for its four passes
    assert ["module", "block_1", "16x24x64", "19,720"] in [row[:4] for row in rows]
    assert sum(int(row[-2].replace(",", "")) for row in rows[1:last]) == 79_561
    assert rows[last][1] == "79,561"
    assert lines[-1].endswith("as the paper counts: 81,676")


def test_mininets_signal_survives_ours_and_not_the_stock_start(capsys) -> None:
    arguments = ("--model=mininet", "--variant=small", "--signal", "--height=32", "--width=64")
    stds = json.loads(_run_main(capsys, *arguments, "--json=-"))
    assert list(stds) == ["ours", "stock"]
    assert list(stds["ours"]) == ["1/2", "1/4", "1/8", "1/16", "1/32"]
    assert stds["ours"]["1/32"] > 1e4 * stds["stock"]["1/32"]
    lines = _run_main(capsys, *arguments).splitlines()
    assert lines[0].split() == ["initialisation", *stds["ours"]]
    assert lines[1].split()[0] == "ours"
