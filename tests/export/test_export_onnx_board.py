"""What runs on a Jetson: the build's flags, and the runner on a stand-in for TensorRT."""

import argparse
import ast
import builtins
import ctypes
import json
import math
import os
import stat
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes.artefact import (
    CAMERA,
    CODEC,
    SIZE,
    random_onnx_file,
)
from fakes.conditioned import pictures

from export.board import build_engine, run_engine
from export.board.build_engine import BuildError
from export.board.run_engine import RunError
from mtdepth.contract import Contract, Fit
from mtdepth.datasets.plausible import FOCAL_PER_WIDTH
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.depth_codec import LinearDepthCodec, LogDepthCodec, SigmoidDisparityCodec
from mtdepth.runtime.fitting import fit_image, restore_depth, restore_train_id
from mtdepth.runtime.onnx import OnnxBackend, open_session
from mtdepth.runtime.pipeline import NetworkOutput, Pipeline

JETSON = Path(build_engine.__file__).parent
PROGRAMS = ("build_engine.py", "run_engine.py", "convert_tftrt.py")


@pytest.fixture(scope="module")
def folder() -> Path:
    return random_onnx_file().parent


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_oldest_jetpacks_python_reads_it(program: str) -> None:
    source = (JETSON / program).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.module in ("pathlib", "typing"), node.module  # and nothing of ours
        # Syntax of 3.6, but an error there when it runs.
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            assert not isinstance(getattr(builtins, node.value.id, None), type), node.value.id
        annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
        assert not isinstance(annotation, ast.BinOp)
    for newer in (".removeprefix(", "capture_output", "text=True", "missing_ok", "math.prod"):
        assert newer not in source


@pytest.mark.parametrize(
    ("version", "precision", "flags"),
    [
        ((8, 2), "fp16", ["--workspace=64", "--fp16"]),
        ((8, 2), "fp32", ["--workspace=64"]),
        ((8, 4), "fp16", ["--memPoolSize=workspace:64", "--fp16"]),
        ((8, 5), "int8", ["--memPoolSize=workspace:64", "--fp16", "--int8"]),
        ((10, 3), "int8", ["--memPoolSize=workspace:64", "--fp16", "--int8"]),
        ((11, 0), "int8", ["--memPoolSize=workspace:64"]),
    ],
)
def test_flags_follow_the_version(
    version: tuple[int, int], precision: str, flags: list[str]
) -> None:
    found = build_engine.trtexec_arguments(version, precision, "a.onnx", "a.engine", 64)
    assert found == ["--onnx=a.onnx", "--saveEngine=a.engine", *flags]


def test_the_version_is_read_from_the_banner() -> None:
    for text, version in (
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v8201] # trtexec", (8, 2)),
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v8602]", (8, 6)),
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v100300] [b26]", (10, 3)),
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v101501]", (10, 15)),
        ("usage", None),
    ):
        assert build_engine.parse_banner(text) == version
    with pytest.raises(BuildError, match=r"like 8\.2, found 'new'"):
        build_engine.parse_version("new")


def test_a_board_without_int8_is_told_so() -> None:
    integers, floats = {"precision": "int8"}, {"precision": "float32"}
    nano, orin = "NVIDIA Jetson Nano Developer Kit", "NVIDIA Jetson Orin Nano Developer Kit"
    with pytest.raises(BuildError, match=r"Jetson Nano .* has no int8: export .* float32"):
        build_engine.choose_precision("auto", integers, nano)
    with pytest.raises(BuildError, match="Jetson TX2 has no int8"):
        build_engine.choose_precision("auto", integers, "NVIDIA Jetson TX2")
    assert build_engine.choose_precision("auto", integers, orin) == "int8"
    assert build_engine.choose_precision("auto", floats, nano) == "fp16"
    assert build_engine.choose_precision("fp32", floats, nano) == "fp32"
    with pytest.raises(BuildError, match="does not build as int8"):
        build_engine.choose_precision("int8", floats, orin)


def fake_trtexec(folder: Path, *, banner: str = "[TensorRT v8201]", status: int = 0) -> Path:
    path = folder / "trtexec"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nprint('{banner}')\n"
        "out = [a.split('=', 1)[1] for a in sys.argv if a.startswith('--saveEngine=')]\n"
        f"if out: open(out[0], 'w').write(' '.join(sys.argv[1:])); sys.exit({status})\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def build(folder: Path, **changes: Any) -> int:
    given = {
        "folder": folder,
        "engine": "model.engine",
        "precision": "auto",
        "workspace_mib": 8,
        "trtexec": None,
        "tensorrt": None,
        "dry_run": False,
    }
    return build_engine.run(argparse.Namespace(**{**given, **changes}))


def test_an_engine_takes_its_place_when_it_is_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trtexec = str(fake_trtexec(tmp_path))
    assert build(folder, trtexec=trtexec) == 0
    engine = folder / "model.engine"
    assert engine.read_text().endswith("--workspace=8 --fp16")
    fake_trtexec(tmp_path, status=3)
    assert build(folder, trtexec=trtexec) == 3
    assert engine.read_text().endswith("--workspace=8 --fp16")
    engine.unlink()
    with pytest.raises(BuildError, match=r"opset 13, which needs TensorRT 8\.2; here is 7\.1"):
        build(folder, trtexec=trtexec, tensorrt="7.1.3")
    fake_trtexec(tmp_path, banner="no version")
    with pytest.raises(BuildError, match="give it by --tensorrt"):
        build(folder, trtexec=trtexec)
    monkeypatch.setenv("PATH", os.fspath(tmp_path / "empty"))
    with pytest.raises(BuildError, match=r"trtexec is not in PATH .* comes with JetPack"):
        build(folder)
    with pytest.raises(BuildError, match=r"model\.json: .*copy the whole folder"):
        build(tmp_path)


def test_the_runner_fits_and_restores_as_the_runtime() -> None:
    image = pictures(1, size=(60, 100), seed=1)[0]
    depth = np.random.default_rng(0).uniform(1, 50, (16, 24)).astype(np.float32)
    ids = np.random.default_rng(1).integers(0, 19, (16, 24)).astype(np.uint8)
    for fit in ("stretch", "crop", "mirror"):
        for size in ((32, 48), (96, 144), (32, 144)):
            expected = fit_image(image, size=size, fit=fit)
            np.testing.assert_array_equal(run_engine.fit_image(image, size, fit), expected)
        # Mirrored where training pictures were seen unsqueezed, at the input's shape.
        camera = None if fit == "stretch" else {"fx_px": 1.0, "fy_px": 1.0}
        contract = {
            "depth_law": {"kind": "log"},
            "fit": "crop" if fit == "crop" else "stretch",
            "training_camera": camera,
            "scale_source": "labels",
            "input": {"shape": [1, 16, 24, 3]},
        }
        found = run_engine.restore(depth, ids, (60, 100), contract)
        np.testing.assert_array_equal(found[0], restore_depth(depth, image_size=(60, 100), fit=fit))
        np.testing.assert_array_equal(
            found[1], restore_train_id(ids, image_size=(60, 100), fit=fit)
        )


@pytest.mark.parametrize(
    "codec",
    [
        LogDepthCodec(near_m=2.0, far_m=80.0),
        LinearDepthCodec(near_m=2.0, far_m=80.0),
        SigmoidDisparityCodec(scale=31.0),
    ],
)
def test_the_runner_decodes_by_the_contracts_law(codec: Any) -> None:
    code = np.linspace(-200, 200, 81, dtype=np.float32)
    found = run_engine.decode_depth(code, codec.to_dict())
    np.testing.assert_allclose(found, codec.decode(code), rtol=1e-5)
    with pytest.raises(RunError, match="depth law 'new' is not known"):
        run_engine.decode_depth(code, {"kind": "new"})


class FakeCuda:
    """Device memory that is this process's own."""

    def __init__(self) -> None:
        self._memory: list[Any] = []

    def allocate(self, num_bytes: int) -> int:
        self._memory.append(ctypes.create_string_buffer(num_bytes))
        return ctypes.addressof(self._memory[-1])

    def copy(self, to: int, source: int, num_bytes: int, kind: int) -> None:
        assert kind in (1, 2)
        ctypes.memmove(to, source, num_bytes)


class FakeEngine:
    """An engine that onnxruntime runs, with the functions of one generation of TensorRT."""

    def __init__(self, path: Path, *, has_names: bool) -> None:
        self._session = open_session(path, num_threads=1)
        # TensorRT's own order of tensors, not the contract's.
        self.tensors = [*self._session.get_inputs(), *reversed(self._session.get_outputs())]
        self._addresses: dict[str, int] = {}
        if has_names:
            self.num_io_tensors = len(self.tensors)
            self.get_tensor_name = lambda index: self.tensors[index].name
            self.get_tensor_shape = lambda name: self._of(name).shape
            self.get_tensor_dtype = lambda _: "FLOAT"
            self.set_tensor_address = self._addresses.__setitem__
            self.execute_async_v3 = lambda _: self._execute()
        else:
            self.num_bindings = len(self.tensors)
            self.get_binding_name = lambda index: self.tensors[index].name
            self.get_binding_shape = lambda index: self.tensors[index].shape
            self.get_binding_dtype = lambda _: "FLOAT"
            self.execute_v2 = self._execute_bindings

    def create_execution_context(self) -> "FakeEngine":
        return self

    def _of(self, name: str) -> Any:
        return next(tensor for tensor in self.tensors if tensor.name == name)

    def _execute_bindings(self, addresses: list[int]) -> bool:
        names = [tensor.name for tensor in self.tensors]
        self._addresses = dict(zip(names, addresses, strict=True))
        return self._execute()

    def _execute(self) -> bool:
        views = {
            name: np.ctypeslib.as_array(
                ctypes.cast(address, ctypes.POINTER(ctypes.c_float)), tuple(self._of(name).shape)
            )
            for name, address in self._addresses.items()
        }
        outputs = [name for name in views if name != "image"]
        found = self._session.run(outputs, {"image": views["image"]})
        for name, values in zip(outputs, found, strict=True):
            views[name][...] = values
        return True


def fake_tensorrt(folder: Path, *, has_names: bool) -> Any:
    def deserialize(content: bytes) -> FakeEngine | None:
        return FakeEngine(folder / "model.onnx", has_names=has_names) if content else None

    def logger(_: int) -> None:
        return None

    logger.WARNING = 1  # type: ignore[attr-defined]
    return argparse.Namespace(
        Logger=logger,
        Runtime=lambda _: argparse.Namespace(deserialize_cuda_engine=deserialize),
        DataType=argparse.Namespace(INT32="INT32", FLOAT="FLOAT"),
        __version__="0",
    )


@pytest.mark.parametrize("has_names", [False, True], ids=["TensorRT 8.2", "TensorRT 10"])
def test_the_runner_says_what_the_predictor_says(
    folder: Path, tmp_path: Path, has_names: bool
) -> None:
    engine_path = tmp_path / "model.engine"
    engine_path.write_bytes(b"plan")
    engine = run_engine.Engine(engine_path, fake_tensorrt(folder, has_names=has_names), FakeCuda())
    (tmp_path / "in").mkdir()
    shown = pictures(2, size=(80, 100), seed=9)
    for number, image in enumerate(shown):
        cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), image[..., ::-1])
    contract = run_engine.load_contract(folder / "model.json")
    options = run_engine.parse(
        [
            *("--source", str(tmp_path / "in"), "--output", str(tmp_path / "out")),
            *("--focal_px", "100"),
        ]
    )
    assert run_engine.run(options, engine, contract) == 0
    (tmp_path / "in" / "0_damaged.png").write_bytes(b"no picture")
    assert run_engine.run(options, engine, contract) == 1  # and the others are there
    predictor = Pipeline(OnnxBackend(folder / "model.onnx"))
    camera = Intrinsics(
        fx_px=100.0, fy_px=100.0, cx_px=49.5, cy_px=39.5, width_px=100, height_px=80
    )
    for number, image in enumerate(shown):
        expected = predictor.predict(image, camera=camera).depth_m
        found = cv2.imread(str(tmp_path / "out" / f"{number}_depth.png"), cv2.IMREAD_UNCHANGED)
        assert found.dtype == np.uint16
        # PNG holds whole 256ths of a metre.
        np.testing.assert_allclose(found / 256, expected, atol=0.6 / 256, rtol=1e-4)
        assert cv2.imread(str(tmp_path / "out" / f"{number}_overlay.png")).shape == (160, 100, 3)


@pytest.mark.parametrize("max_frames", [0, 2])
def test_a_live_camera_does_not_fill_the_disk(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_frames: int
) -> None:
    (tmp_path / "model.engine").write_bytes(b"plan")
    tensorrt = fake_tensorrt(folder, has_names=True)
    engine = run_engine.Engine(tmp_path / "model.engine", tensorrt, FakeCuda())
    shown = pictures(3, size=SIZE, seed=9)
    camera = [(f"{number:06d}", image, 0.0) for number, image in enumerate(shown)]
    monkeypatch.setattr(run_engine, "frames", lambda _: iter(camera))
    output = tmp_path / "out"
    options = run_engine.parse(["--source", "0", "--output", str(output)])
    options.max_frames = max_frames
    assert run_engine.run(options, engine, run_engine.load_contract(folder / "model.json")) == 0
    kept = ["000000", "000001"] if max_frames else ["live"]
    found = sorted(path.name for path in output.iterdir())
    assert found == [f"{stem}_{kind}.png" for stem in kept for kind in ("depth", "overlay")]


def test_golden_pictures_tell_the_network_from_another(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model.engine").write_bytes(b"plan")
    engine = run_engine.Engine(
        tmp_path / "model.engine", fake_tensorrt(folder, has_names=True), FakeCuda()
    )
    contract = run_engine.load_contract(folder / "model.json")
    assert run_engine.check(engine, contract, folder / "golden.npz") == 0
    law = {**contract["depth_law"], "near_m": 3.0}
    assert run_engine.check(engine, {**contract, "depth_law": law}, folder / "golden.npz") == 1
    no_number = {**contract["depth_law"], "near_m": float("nan")}
    assert (
        run_engine.check(engine, {**contract, "depth_law": no_number}, folder / "golden.npz") == 1
    )
    with pytest.raises(RunError, match="missing; copy the whole folder"):
        run_engine.check(engine, contract, tmp_path / "golden.npz")
    right = dict(np.load(folder / "golden.npz"))
    for arrays in (
        {"images": np.zeros((1, 2, 3))},
        {"images": 1, "XS/depth_m": 2},
        right | {name: value * np.nan for name, value in right.items() if "depth_m" in name},
    ):
        np.savez(tmp_path / "golden.npz", **arrays)
        with pytest.raises(RunError, match=r"golden\.npz: .*copy the whole folder"):
            run_engine.check(engine, contract, tmp_path / "golden.npz")


def test_the_focal_length_is_that_of_the_fitted_picture(folder: Path) -> None:
    contract = run_engine.load_contract(folder / "model.json")
    assert run_engine.focal_factor(contract, SIZE, None) == 1.0
    factor = run_engine.focal_factor(contract, (2 * SIZE[0], 2 * SIZE[1]), 4 * CAMERA.focal_px)
    np.testing.assert_allclose(factor, 2.0)
    assert run_engine.FOCAL_PER_WIDTH == FOCAL_PER_WIDTH
    for focal_px in (0.58, 3.04, 26.0, 1e5):
        with pytest.raises(RunError, match=f"--focal_px {focal_px:g}: lenses have 128 to 3200 px"):
            run_engine.focal_factor(contract, (480, 640), focal_px)


class FakeStream:
    """A film of so many pictures, each of its own number."""

    def __init__(self, num_pictures: int) -> None:
        self.left = list(range(num_pictures))
        self.is_empty = threading.Event()

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def read(self) -> tuple[bool, Any]:
        if not self.left:
            self.is_empty.set()
            return False, None
        return True, np.full((2, 2, 3), self.left.pop(0), np.uint8)


def test_of_a_camera_the_newest_picture_is_taken_and_of_a_film_every_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    stream = FakeStream(3)
    monkeypatch.setattr("cv2.VideoCapture", lambda name, _: opened.append(name) or stream)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "10:30.mp4").touch()
    assert [name for name, _, _ in run_engine.frames("10:30.mp4")] == ["000000", "000001", "000002"]
    stream = FakeStream(50)
    found = run_engine.frames("rtsp://cam/1")
    assert stream.is_empty.wait(60)
    # All came while nobody asked; at the end nothing is left.
    assert len(list(found)) <= 1
    assert opened == [str(tmp_path / "10:30.mp4"), "rtsp://cam/1"]


def test_what_an_earlier_run_made_is_no_picture(tmp_path: Path) -> None:
    for name in ("a.JPG", "a_depth.png", "a_overlay.png", "left_depth.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 4, 3), np.uint8))
    assert [name for name, _, _ in run_engine.frames(str(tmp_path))] == ["a", "left_depth"]


@pytest.mark.parametrize("size", [(72, 100), (24, 100), (96, 100)])
@pytest.mark.parametrize("fit", ["crop", "stretch"])
@pytest.mark.parametrize("scale_source", ["none", "speed"])
@pytest.mark.parametrize("codec", [CODEC, SigmoidDisparityCodec(scale=20.0)])
def test_the_runner_enlarges_depth_as_the_predictor(
    codec: Any, scale_source: str, fit: Fit, size: tuple[int, int]
) -> None:
    depth = np.geomspace(1, 50, 16 * 24).reshape(24, 16).T.astype(np.float32)
    backend = argparse.Namespace(
        codec=codec,
        fit=fit,
        input_size=SIZE,
        is_metric=scale_source != "none",
        training_camera=CAMERA,
    )
    where = {"cx_px": 49.5, "cy_px": size[0] / 2 - 0.5, "width_px": 100, "height_px": size[0]}
    camera = Intrinsics(fx_px=90.0, fy_px=90.0, **where)
    if fit == "stretch" and scale_source != "none":
        assert Pipeline(backend).fit_of(size) == ("stretch" if size == (72, 100) else "mirror")
    expected = Pipeline(backend).restore(NetworkOutput(depth, None), image_size=size, camera=camera)
    contract = {
        "depth_law": codec.to_dict(),
        "fit": fit,
        "scale_source": scale_source,
        "training_camera": CAMERA.to_dict(),
        "input": {"shape": [1, *SIZE, 3]},
    }
    factor = np.float32(run_engine.focal_factor(contract, size, 90.0))
    found, _ = run_engine.restore(depth * factor, None, size, contract)
    np.testing.assert_allclose(found, expected.depth_m, rtol=1e-5)


def test_depth_without_a_unit_is_not_stored_as_metres(tmp_path: Path) -> None:
    painted = np.zeros((16, 8, 3), np.uint8)
    run_engine.write(tmp_path / "a", np.full((8, 8), 2, np.float32), painted, is_relative=True)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a_overlay.png", "a_relative_depth.png"]


def test_a_wrong_engine_or_file_is_answered_in_words(folder: Path, tmp_path: Path) -> None:
    tensorrt, cuda = fake_tensorrt(folder, has_names=True), FakeCuda()
    with pytest.raises(RunError, match=r"no engine; build it: python3 build_engine\.py"):
        run_engine.Engine(tmp_path / "model.engine", tensorrt, cuda)
    (tmp_path / "model.engine").write_bytes(b"")
    with pytest.raises(RunError, match="cannot read it; an engine fits one GPU"):
        run_engine.Engine(tmp_path / "model.engine", tensorrt, cuda)
    content = Contract.load(folder / "model.json").to_dict()
    content["outputs"][0]["shape"] = [1, 8, 12, 1]
    engine = FakeEngine(folder / "model.onnx", has_names=True)
    host = {tensor.name: np.zeros(tensor.shape, np.float32) for tensor in engine.tensors}
    with pytest.raises(RunError, match=r"depth_code is \(1, 4, 6, 1\), its contract's \(1, 8, 12"):
        run_engine.check_engine(host, content)
    del content["fit"]
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"KeyError\('fit'\); copy the folder"):
        run_engine.load_contract(tmp_path / "model.json")
    (tmp_path / "model.json").write_text(json.dumps({**content, "fit": math.nan}))
    with pytest.raises(RunError, match="NaN is no number"):
        run_engine.load_contract(tmp_path / "model.json")
    with pytest.raises(BuildError, match="NaN is no number"):
        build_engine.read_json(tmp_path / "model.json")
    for source, message in (
        ("nowhere", "no such picture, folder, video or camera"),
        (str(tmp_path), "holds no picture"),
    ):
        with pytest.raises(RunError, match=message):
            list(run_engine.frames(source))


def test_relative_depth_is_painted_too() -> None:
    depth = np.geomspace(0.1, 100, 64).reshape(8, 8).astype(np.float32)
    depth[0, 0] = 0
    contract = {
        "depth_law": SigmoidDisparityCodec().to_dict(),
        "valid_depth_m": [0.1, 100],
        "class_names": [],
    }
    painted = run_engine.overlay(np.zeros((8, 8, 3), np.uint8), depth, None, contract)
    brightness = painted[8:].sum(axis=2)
    assert brightness[0, 0] == 0
    assert brightness[0, 2] > brightness[4, 4] > brightness[7, 5] > 0
