"""The benchmark program as a user runs it, and what it is made of."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.artefact import random_onnx_file

from export.benchmark.__main__ import parse, run
from export.benchmark.machine import describe_machine, describe_state
from export.benchmark.memory import _peak_mb, peak_memory
from export.benchmark.network import open_network, synthetic
from export.benchmark.report import markdown
from export.benchmark.timing import Schedule, Times, time_in_turn
from mtdepth.contract import contract_path
from mtdepth.files import DataError, UserError
from mtdepth.pictures import write_png

ROOT = Path(__file__).parents[2]
QUICK = ["--rounds", "2", "--runs", "2", "--warm_up", "1", "--picture_size", "40x60"]


def times_of(rows: list[list[float]]) -> Times:
    values = np.array(rows)
    return Times(values, values / 2)


# Timing


def test_every_call_has_its_turn() -> None:
    order: list[str] = []
    calls = [lambda name=name: order.append(name) for name in "ab"]
    found = time_in_turn(calls, Schedule(warm_up=1, rounds=2, runs_per_round=2))
    # One warm-up each; then, twice, three of each in turn, of which the first is not counted.
    assert "".join(order) == "ab" + "aaabbb" * 2
    assert [times.wall_ms.shape for times in found] == [(2, 2), (2, 2)]


def test_work_counts_as_cpu_time_and_waiting_does_not() -> None:
    def work() -> None:
        stop_s = time.process_time() + 0.01
        while time.process_time() < stop_s:
            pass

    waiting, working = time_in_turn([lambda: time.sleep(0.01), work], Schedule(0, 1, 3))
    assert waiting.wall_ms.min() >= 9.9
    assert waiting.cpu_ms.max() < 5
    assert working.cpu_ms.min() >= 9.9


def test_the_statistics_are_of_all_runs() -> None:
    found = times_of([[1.0, 2.0], [3.0, 10.0]]).to_dict()
    assert found == {
        "median_ms": 2.5,
        "p90_ms": 7.9,  # 3 + 0.7 * 7
        "min_ms": 1.0,
        "cpu_median_ms": 1.25,
        "cpu_min_ms": 0.5,
    }


def test_a_ratio_is_taken_within_rounds() -> None:
    # The machine is ten times slower in the last of three rounds, for both.
    fast, slow = times_of([[1, 1], [1, 1], [10, 10]]), times_of([[2, 2], [2, 2], [20, 20]])
    assert fast.ratio_to(slow) == {"wall": 0.5, "cpu": 0.5}


@pytest.mark.parametrize("schedule", [(-1, 1, 1), (0, 0, 1), (0, 1, 0)])
def test_a_schedule_of_nothing_is_refused(schedule: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="at least one round"):
        Schedule(*schedule)


# The machine


def test_a_pi_says_what_it_is(tmp_path: Path) -> None:
    for name, text in {
        "proc/cpuinfo": "processor\t: 0\nCPU part\t: 0xd08\n\nModel\t\t: Raspberry Pi 4 Model B\n",
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "proc/loadavg": "0.52 0.58 0.59 1/100 5\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "1800000\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "600000\n",
        "sys/class/thermal/thermal_zone0/temp": "51121\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    machine = describe_machine(tmp_path)
    assert machine["board"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert machine["processor"] == "Raspberry Pi 4 Model B"
    assert (machine["governor"], machine["max_frequency_mhz"]) == ("ondemand", 1800.0)
    state = describe_state(tmp_path)
    assert (state["frequency_mhz"], state["temperature_c"]) == (600.0, 51.1)
    assert state["load_average"] == 0.52


def test_a_machine_that_says_nothing_is_left_blank(tmp_path: Path) -> None:
    (tmp_path / "sys/class/thermal/thermal_zone0").mkdir(parents=True)
    (tmp_path / "sys/class/thermal/thermal_zone0/temp").write_text("unreadable\n")
    assert not {"processor", "board", "governor"} & set(describe_machine(tmp_path))
    assert not {"temperature_c", "load_average"} & set(describe_state(tmp_path))


def test_throttling_in_words(tmp_path: Path) -> None:
    assert "throttling" not in describe_state(tmp_path)
    path = tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled"
    path.parent.mkdir(parents=True)
    # A Pi's documented example: under-voltage and throttling since boot.
    path.write_text("50000\n")
    found = describe_state(tmp_path)["throttling"]
    assert found == ["under-voltage since boot", "throttled since boot"]
    path.write_text("0\n")
    assert describe_state(tmp_path)["throttling"] == []


def test_a_megabyte_is_a_million_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.benchmark.memory.peak_memory_bytes", lambda: 90_000_000)
    assert _peak_mb() == 90.0


# The file


def test_a_file_without_a_contract_is_measured_bare(
    golden_models: dict[str, Path], tmp_path: Path
) -> None:
    bare = tmp_path / "rival.tflite"
    bare.write_bytes(golden_models["float32"].read_bytes())
    network = open_network(bare, synthetic((8, 8, 3), np.uint8), num_threads=1, size=None)
    assert (network.name, list(network.stages), network.about) == ("rival", ["inference"], {})
    network.stages["inference"]()


def test_an_onnx_file_is_measured_with_its_contract_and_without(tmp_path: Path) -> None:
    onnx_file = random_onnx_file()
    picture = synthetic((50, 70, 3), np.uint8)
    network = open_network(onnx_file, picture, num_threads=1, size=None)
    assert list(network.stages) == ["preprocess", "inference", "postprocess"]
    assert network.is_onnx
    bare = tmp_path / "rival.onnx"
    bare.write_bytes(onnx_file.read_bytes())
    network = open_network(bare, picture, num_threads=1, size=None)
    assert (network.name, list(network.stages)) == ("rival", ["inference"])
    assert network.stages["inference"]()
    (tmp_path / "model.pt").write_bytes(b"")
    with pytest.raises(UserError, match=r"model\.pt: .*ends in \.tflite or \.onnx"):
        open_network(tmp_path / "model.pt", picture, num_threads=1, size=None)


def test_the_stages_are_the_whole_way(golden_models: dict[str, Path]) -> None:
    picture = synthetic((50, 70, 3), np.uint8)
    network = open_network(golden_models["int8"], picture, num_threads=1, size=None)
    assert network.stages["preprocess"]().shape == (64, 96, 3)
    assert sorted(network.stages["inference"]()) == ["class_scores", "depth_code"]
    prediction = network.stages["postprocess"]()
    assert prediction.depth_m.shape == prediction.train_id.shape == (50, 70)
    assert network.about["precision"] == "int8"


def test_noise_stays_within_its_type() -> None:
    for dtype in (np.uint8, np.int8, np.int32):
        found = synthetic((50, 50), dtype)
        assert found.dtype == dtype
        assert len(np.unique(found)) > 200
    assert synthetic((4, 4), np.float32).dtype == np.float32


# The program


@pytest.fixture(scope="module")
def record(golden_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("benchmark") / "result.json"
    models = [f"--model={golden_models[name]}" for name in ("float32", "int8")]
    options = parse([*models, *QUICK, "--json", str(path), "--profile", "--threads", "1"])
    assert run(options) == 0
    return json.loads(path.read_text())


def test_the_record_says_how_it_was_measured(record: Any) -> None:
    assert (record["num_threads"], record["rounds"], record["runs_per_round"]) == (1, 2, 2)
    assert record["machine"]["litert"]
    assert [model["precision"] for model in record["models"]] == ["float32", "int8"]


def test_the_record_has_every_stage_and_the_memory(record: Any) -> None:
    for model in record["models"]:
        for stage in ("preprocess", "inference", "postprocess"):
            assert 0 < model[stage]["min_ms"] <= model[stage]["median_ms"] <= model[stage]["p90_ms"]
        # Python, numpy, OpenCV and LiteRT; TensorFlow alone is several hundred more.
        assert 30 < model["imported_mb"] < model["peak_memory_mb"] < 150
        assert model["first_result_s"] > 0
        assert (model["xnnpack_partitions"], model["undelegated"]) == (1, {})
    assert record["models"][0]["inference_ratio"] == {"wall": 1.0, "cpu": 1.0}


def test_a_row_that_can_be_pasted_tells_board_file_time_and_heat(record: Any) -> None:
    record = json.loads(json.dumps(record))
    record["machine"] |= {"board": "Raspberry Pi 5", "litert": "2.1"}
    record["before"], record["after"] = {"temperature_c": 48.0}, {"temperature_c": 61.5}
    float32, int8 = record["models"]
    scores = {"val": {"num_frames": 60, "depth": {"camera_z_garg_80m": {"abs_rel": 0.1149}}}}
    float32 |= {"keras_scores": scores, "name": "mine", "size_bytes": 1_230_000}
    float32["inference"] |= {"median_ms": 10.0, "p90_ms": 12.5}
    float32["preprocess"]["median_ms"], float32["postprocess"]["median_ms"] = 6.0, 4.0
    float32["inference_ratio"]["cpu"], int8["inference_ratio"]["cpu"] = 1.0, 0.6
    heading, _, row, _, advice = markdown(record).splitlines()
    found = dict(zip(heading.strip("| ").split(" | "), row.strip("| ").split(" | "), strict=True))
    assert found["board"] == "Raspberry Pi 5"
    assert found["runtime"] == "LiteRT 2.1"
    assert (found["network"], found["input"], found["kB"]) == ("mine", "64x96", "1,230")
    assert (found["median ms"], found["p90 ms"], found["frames/s, in to out"]) == (
        *("10.0", "12.5"),
        "50.0",
    )
    assert (found["C"], found["MHz"]) == ("48.0 to 61.5", "-")
    assert found["Abs Rel"] == "0.115 (Keras; camera_z_garg_80m, 60 frames)"
    assert "int8 takes 0.60 of float32's time, so it pays" in advice
    int8["inference_ratio"]["cpu"] = 1.1
    assert "so it does not pay" in markdown(record)


def test_the_memory_is_that_of_the_size_that_was_asked_for(golden_models: dict[str, Path]) -> None:
    # The file has XS alone.
    model, options = golden_models["int8"], {"picture_size": (40, 60), "num_threads": 1}
    assert peak_memory(model, **options, size="XS")["peak_memory_mb"] > 30
    with pytest.raises(OSError, match="ended with status 1; --no_memory leaves it out"):
        peak_memory(model, **options, size="L")


def test_a_machine_reads_the_record_from_standard_output(golden_models: dict[str, Path]) -> None:
    """Nothing but JSON, and no framework loaded: as on a device."""
    code = (
        "import sys; sys.argv[1:] = sys.argv[1:]\n"
        "from export.benchmark.__main__ import main\n"
        "status = main()\n"
        "heavy = {'tensorflow', 'keras', 'absl'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else status)\n"
    )
    arguments = ["--model", str(golden_models["int8"]), *QUICK, "--no_memory", "--json", "-"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["models"][0]["inference"]["median_ms"] > 0
    assert "peak_memory_mb" not in content["models"][0]


def test_people_get_a_table(
    golden_models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_png(tmp_path / "street.png", synthetic((30, 40, 3), np.uint8))
    model = f"--model={golden_models['float32']}"
    picture = ["--picture", str(tmp_path / "street.png")]
    assert run(parse([model, *QUICK, *picture, "--no_memory"])) == 0
    printed = capsys.readouterr().out
    assert "LiteRT" in printed
    assert "(XS float32)" in printed
    assert "1.000" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads", "0"], "at least 1"),
        (["--picture_size", "640"], "HEIGHTxWIDTH"),
        (["--rounds", "0"], "at least one round"),
    ],
)
def test_a_wrong_flag_is_explained(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(["--model", "m.tflite", *arguments])
    assert message in capsys.readouterr().err


def test_errors_name_the_file(golden_models: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.tflite: no such file"):
        run(parse(["--model", str(tmp_path / "absent.tflite"), *QUICK]))
    damaged = tmp_path / "model.tflite"
    damaged.write_bytes(b"no network" * 20)
    with pytest.raises(DataError, match="cannot open it"):
        run(parse(["--model", str(damaged), *QUICK]))
    contract_path(damaged).write_text(contract_path(golden_models["int8"]).read_text())
    with pytest.raises(DataError, match="SHA-256"):
        run(parse(["--model", str(damaged), *QUICK]))
    with pytest.raises(DataError, match="has no size L"):
        run(parse(["--model", str(golden_models["int8"]), "--size", "L", *QUICK]))
