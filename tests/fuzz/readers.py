"""Every reader of files here, with a small right file that the harness makes for it."""

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io
from fakes.artefact import random_file, random_onnx_file
from fakes.frozen_graph import write_frozen_graph
from fakes.kitti_tree import build_kitti_tree
from fakes.label_store import build_label_store
from fakes.labelled_sets import build_demo_set
from fakes.once import built_once
from fakes.recipes import tiny_recipe
from fakes.video_networks import tiny_video_recipe
from fuzz import mutate, sane
from fuzz.case import NO_CHANGE, RESEALED, Case, Reader
from fuzz.networks import NETWORKS
from fuzz.rigs import RIGS

from data_prep.bias_table import BiasTable
from data_prep.demo_world.settings import check_root
from export.board import build_engine, run_engine
from export.device.sources import open_files
from export.golden import read_golden
from mtdepth.contract import Contract, contract_path
from mtdepth.data.video_file import decode_video
from mtdepth.data.video_intrinsics import read_intrinsics
from mtdepth.datasets.calibration import read_rig
from mtdepth.datasets.camera_file import read_camera_file
from mtdepth.datasets.camera_poses import true_times_s
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.kitti_raw import KittiRaw
from mtdepth.datasets.label_store import (
    LabelStore,
    read_depth_png,
    read_manifest,
    read_records,
    read_train_id_png,
)
from mtdepth.datasets.lidar import read_velodyne
from mtdepth.datasets.odometry import OdometrySequence, read_odometry_list
from mtdepth.datasets.oxts import read_oxts
from mtdepth.datasets.rig_folder import read_rig_file
from mtdepth.datasets.splits import resolve_split
from mtdepth.evaluation.make3d import GRID_KEY, read_depth
from mtdepth.evaluation.prediction_arrays import ArrayMeaning, array_row
from mtdepth.evaluation.predictors import Scene, mean_of_workdir
from mtdepth.files import DataError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.pictures import read_rgb, write_png
from mtdepth.runtime.formats import open_artefact
from mtdepth.steps import Journal, Step
from mtdepth.trained import scale_of
from mtdepth.workdir import Workdir
from teachers.deeplab_v3.frozen_graph import FrozenGraph
from teachers.training.examples import read_classes, read_pair
from teachers.training.labelled_sets import open_classes, open_pairs


def _tree() -> Path:
    return built_once("fuzz-kitti", lambda folder: build_kitti_tree(folder, num_frames=2))


def _first_frame() -> FrameId:
    raw = KittiRaw(_tree())
    return raw.frames_of(raw.drives()[0])[0]


def _text(name: str, content: str, read: Callable[[Path], Any]) -> Callable[[Path], Case]:
    """A case of a text that `read` takes the path of."""

    def prepare(folder: Path) -> Case:
        path = folder / name
        path.write_text(content)
        return Case(path, lambda: read(path))

    return prepare


def _split(path: Path) -> list[FrameId]:
    return resolve_split(KittiRaw(_tree()), str(path))


def _copied(find: Callable[[], Path], read: Callable[[Path], Any]) -> Callable[[Path], Case]:
    """A case of a file that there is already."""

    def prepare(folder: Path) -> Case:
        path = Path(shutil.copy(find(), folder))
        return Case(path, lambda: read(path))

    return prepare


def _calibration(name: str) -> Callable[[Path], Case]:
    def prepare(folder: Path) -> Case:
        for path in next(_tree().glob("20*")).glob("calib*.txt"):
            shutil.copy(path, folder)
        return Case(folder / name, lambda: _used_rig(read_rig(folder)))

    return prepare


def _used_rig(rig: Any) -> Any:
    """A rig is right if what is computed from it is."""
    return rig, rig.velodyne_to_image("l"), rig.T_velodyne_to("r")


def _odometry(name: str, use: Callable[[OdometrySequence], Any]) -> Callable[[Path], Case]:
    """A file of an odometry sequence, which is made anew for each reading: it remembers."""

    def prepare(folder: Path) -> Case:
        sequence = folder / "sequences/09"
        for camera in ("image_2", "image_3"):
            write_png(sequence / camera / "000000.png", np.zeros((40, 130, 3), np.uint8))
        projections = ("70 0 64 7 0 71 19 0.1 0 0 1 0.003", "70 0 64 -28 0 71 19 0.2 0 0 1 0.004")
        lines = [f"P{number}: {projections[number % 2]}" for number in (0, 1, 2, 3)]
        (sequence / "calib.txt").write_text(
            "\n".join([*lines, "Tr: 0 -1 0 0.1 0 0 -1 0.2 1 0 0 0.3"]) + "\n"
        )
        (sequence / "times.txt").write_text("0.0\n1.037e-01\n")
        (folder / "poses").mkdir()
        (folder / "poses/09.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n" * 2)
        return Case(folder / name, lambda: use(OdometrySequence(folder, 9)))

    return prepare


def _odometry_times(sequence: OdometrySequence) -> dict[int, float]:
    """Those of two pictures; where they are not used, which is said, they are refused here."""
    pictures = {number: sequence.folder / f"image_2/{number:06d}.png" for number in range(2)}
    if not (found := true_times_s(pictures)):
        raise DataError(sequence.folder / "times.txt", "not used")
    return found


def _time_stamps(folder: Path) -> Case:
    frame = _first_frame()
    camera = folder / frame.folder / frame.camera
    (camera / "data").mkdir(parents=True)
    lines = (f"2011-09-26 13:02:25.{number}64389445\n" for number in range(3))
    (camera / "timestamps.txt").write_text("".join(lines))
    pictures = {number: camera / f"data/{number:010d}.png" for number in range(3)}
    path = camera / "timestamps.txt"

    def read() -> dict[int, float]:
        if not (found := true_times_s(pictures)):
            raise DataError(path, "not used, which is said")
        return found

    return Case(path, read)


def _label_store(name: str, read: Callable[[Path], Any]) -> Callable[[Path], Case]:
    def prepare(folder: Path) -> Case:
        build_label_store(folder / "store", _tree())
        return Case(folder / "store" / name, lambda: read(folder / "store"))

    return prepare


def _workdir(
    name: str, read: Callable[[Workdir], Any], recipe: Any = None, content: Any = None
) -> Callable[[Path], Case]:
    """A file of a run's folder, which `content` fills where the run's start does not."""

    def prepare(folder: Path) -> Case:
        workdir = Workdir(folder)
        camera = {"training_camera": _CAMERA, "scale_source": "none: not trained"}
        run = {"labels": "none", "labels_digest": "0", "val_labels": None, "versions": {}}
        workdir.begin(recipe or tiny_recipe(), {**run, **camera})
        workdir.weights_path("best").write_bytes(b"")
        if content is not None:
            (folder / name).write_text(content)
        return Case(folder / name, lambda: read(workdir))

    return prepare


def _training_mean(folder: Path) -> Case:
    workdir = Workdir(folder)
    np.savez(
        workdir.training_mean_path,
        mean_depth_m=np.full((8, 24), 20, np.float32),
        majority_train_id=np.zeros((8, 24), np.uint8),
    )
    return Case(workdir.training_mean_path, lambda: mean_of_workdir(workdir))


def _prediction_array(folder: Path) -> Case:
    path = folder / "disps.npz"
    np.savez(path, data=np.full((2, 8, 24), 0.1, np.float32))
    frames = [FrameId("drive", index) for index in range(2)]
    scene = Scene(
        frame=frames[1],
        image=np.zeros((16, 48, 3), np.uint8),
        camera=Intrinsics(fx_px=40.0, fy_px=40.0, cx_px=23.5, cy_px=7.5, width_px=48, height_px=16),
        label_depth_m=None,
        label_train_id=None,
    )
    meaning = ArrayMeaning(holds="inverse_depth")
    return Case(path, lambda: array_row(path, frames, meaning)[0].predict(scene))


def _picture(suffix: str) -> Callable[[Path], Case]:
    def prepare(folder: Path) -> Case:
        path = folder / f"picture{suffix}"
        rng = np.random.default_rng(1)
        image = cv2.resize(rng.integers(0, 256, (6, 9, 3)).astype(np.uint8), (48, 32))
        cv2.imwrite(str(path), image)
        return Case(path, lambda: read_rgb(path))

    return prepare


def _truth(kind: str) -> Path:
    frame = _first_frame()
    return _tree() / "truth" / kind / frame.drive / frame.camera / f"{frame.name}.png"


def _laser_grid(folder: Path) -> Case:
    path = folder / "depth_sph_corr-a.mat"
    grid = np.random.default_rng(2).uniform(1, 60, (5, 7, 4))
    scipy.io.savemat(path, {GRID_KEY: grid}, do_compression=False)
    return Case(path, lambda: read_depth(path))


def _artefact(
    find: Callable[[], Path], name: str, read: Callable[[Path], Any]
) -> Callable[[Path], Case]:
    """A file of an exported network's folder."""

    def prepare(folder: Path) -> Case:
        artefact = find()
        for path in artefact.parent.iterdir():
            if path.is_file():
                shutil.copy(path, folder)
        return Case(folder / name, lambda: read(folder / artefact.name))

    return prepare


def _opened(path: Path) -> list[Contract]:
    return [backend.contract for backend in open_artefact(path, num_threads=1).values()]


def _tflite() -> Path:
    return random_file("float32")


def _labelled(read: Callable[[Path], Any], find: Callable[[Path], Path]) -> Callable[[Path], Case]:
    def prepare(folder: Path) -> Case:
        build_demo_set(folder / "set")
        return Case(find(folder / "set"), lambda: read(folder / "set"))

    return prepare


def _frozen_graph(suffix: str) -> Callable[[Path], Case]:
    def prepare(folder: Path) -> Case:
        path = write_frozen_graph(folder / "frozen_inference_graph.pb")
        if suffix != ".pb":
            with tarfile.open(folder / "graph.tar.gz", "w:gz") as archive:
                archive.add(path, "a/frozen_inference_graph.pb")
            path = folder / "graph.tar.gz"
        return Case(path, lambda: FrozenGraph(path).train_ids(np.zeros((9, 11, 3), np.uint8)))

    return prepare


def _film(suffix: str, read: Callable[[Path, Path], Any]) -> Callable[[Path], Case]:
    def prepare(folder: Path) -> Case:
        path = folder / f"film{suffix}"
        four_cc = {".mp4": "mp4v", ".avi": "MJPG"}[suffix]
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*four_cc), 10, (64, 48))
        for value in range(0, 250, 50):
            writer.write(np.full((48, 64, 3), value, np.uint8))
        writer.release()
        return Case(path, lambda: read(path, folder / "cache"))

    return prepare


def _decoded(path: Path, cache: Path) -> Any:
    try:
        return len(decode_video(path, cache_dir=cache))
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def _film_cache(folder: Path) -> Case:
    case = _film(".avi", lambda path, cache: decode_video(path, cache_dir=cache))(folder)
    case.read()
    return Case(next(folder.glob("cache/*/film.json")), case.read)


def _world(folder: Path) -> Case:
    wanted = {"num_drives": 2, "seed": 0, "names": ["a", "b"]}
    path = folder / "world.json"
    path.write_text(json.dumps(wanted))
    return Case(path, lambda: check_root(folder, wanted, names=("world.json", "begun.json")))


def _journal(folder: Path) -> Case:
    path = folder / "auto.json"
    step = Step("doctor", ("doctor", "--kitti_root", "drives"))
    path.write_text(json.dumps({"seconds": {step.line: 3.5}}))
    return Case(path, lambda: Journal(path).seconds(step))


def _bias_table(folder: Path) -> Case:
    table = BiasTable(
        bin_edges_m=np.array([0.0, 5, 10, 15]),
        correction_m=np.array([0.1, 0.2, 0.3]),
        num_points=np.array([40, 50, 60]),
        statistic="median",
        index="predicted",
    )
    table.save(folder / "bias_table.json")
    return Case(folder / "bias_table.json", lambda: BiasTable.load(folder / "bias_table.json"))


_SIZE = {"width_px": 416, "height_px": 128}
_CAMERA = {"fx_px": 240.0, "fy_px": 240.5, "cx_px": 207.0, "cy_px": 63.5, **_SIZE}
_SCANNER = [[0, -1, 0, 0.1], [0, 0, -1, 0.2], [1, 0, 0, 0.3], [0, 0, 0, 1]]
_RIG = {**_CAMERA, "baseline_m": 0.54, "T_lidar_to_camera": _SCANNER}
_PACKET = " ".join(["49.01", "8.43", "112.8", *["0.01"] * 22, "4", "10", "4", "4", "0"])
_FRAME = "2011_09_26/2011_09_26_drive_0001_sync"
_HISTORY = "".join(
    json.dumps({"epoch": epoch, "step": 3 * epoch, "loss": 1 / epoch, "abs_rel": 0.2}) + "\n"
    for epoch in (1, 2, 3)
)

_OTHERS = (
    Reader(
        "calib_cam_to_cam.txt", _calibration("calib_cam_to_cam.txt"), mutate.by_text, 0.4, sane.rig
    ),
    Reader(
        "calib_velo_to_cam.txt",
        _calibration("calib_velo_to_cam.txt"),
        mutate.by_text,
        0.4,
        sane.rig,
    ),
    Reader(
        "odometry calib.txt",
        _odometry("sequences/09/calib.txt", lambda each: _used_rig(each.rig)),
        mutate.by_text,
        0.4,
        sane.rig,
    ),
    Reader(
        "odometry poses",
        _odometry("poses/09.txt", lambda each: each.poses),
        mutate.by_text,
        1.0,
        sane.rotations,
    ),
    Reader(
        "odometry times.txt",
        _odometry("sequences/09/times.txt", _odometry_times),
        mutate.by_text,
        1.0,
        sane.rising,
    ),
    Reader("timestamps.txt", _time_stamps, mutate.by_text, 1.0, sane.rising),
    Reader("oxts packet", _text("0000000000.txt", _PACKET, read_oxts), mutate.by_text),
    Reader(
        "frame list",
        _text("list.txt", f"# two\n{_FRAME} 5 l\n{_FRAME} 0000000006 r\n", _split),
        mutate.by_text,
        1.0,
        sane.frames,
    ),
    Reader(
        "odometry list",
        _text("list.txt", "9 0 l\n09 1 r\n", read_odometry_list),
        mutate.by_text,
    ),
    Reader(
        "rig.json",
        _text("rig.json", json.dumps(_RIG), lambda path: _used_rig(read_rig_file(path))),
        mutate.by_json,
        1.0,
        sane.rig,
    ),
    Reader(
        "intrinsics.json",
        _text("intrinsics.json", json.dumps(_CAMERA), read_intrinsics),
        mutate.by_json,
        1.0,
        sane.camera,
    ),
    Reader(
        "device camera file",
        _text("camera.json", json.dumps(_CAMERA), lambda path: read_camera_file(path).camera),
        mutate.by_json,
        1.0,
        sane.camera,
    ),
    Reader("label manifest.json", _label_store("manifest.json", read_manifest), mutate.by_json),
    Reader(
        "label frames.jsonl",
        _label_store("frames.jsonl", read_records),
        mutate.by_json_lines,
        1.0,
        sane.records,
    ),
    Reader(
        "label store",
        _label_store("frames.jsonl", lambda root: LabelStore.open(root).frames),
        mutate.by_json_lines,
        0.2,
        sane.frames,
    ),
    Reader("bias_table.json", _bias_table, mutate.by_json, 1.0, sane.bias),
    Reader("world.json", _world, mutate.by_json),
    Reader("recipe.json", _workdir("recipe.json", Workdir.recipe), mutate.by_json, 0.3),
    Reader(
        "video recipe.json",
        _workdir("recipe.json", Workdir.recipe, tiny_video_recipe()),
        mutate.by_json,
        0.3,
    ),
    Reader(
        "run.json",
        _workdir("run.json", Workdir.training_camera),
        mutate.by_json,
        1.0,
        sane.fed_camera,
    ),
    Reader(
        "scale.json",
        _workdir(
            "scale.json",
            lambda each: scale_of(each, "best"),
            content='{"scale": 12.5, "source": "LiDAR"}',
        ),
        mutate.by_json,
    ),
    Reader(
        "checkpoints.json",
        _workdir(
            "checkpoints.json",
            Workdir.steps,
            content='{"score": "loss", "last": {"step": 20, "loss": 0.5}}',
        ),
        mutate.by_json,
        1.0,
        sane.steps,
    ),
    Reader(
        "history.jsonl",
        _workdir("history.jsonl", Workdir.history, content=_HISTORY),
        mutate.by_json_lines,
        1.0,
        sane.history,
    ),
    Reader(
        "predictions.npz",
        _prediction_array,
        mutate.by_arrays,
        0.2,
        sane.prediction,
    ),
    Reader("training_mean.npz", _training_mean, mutate.by_arrays, 0.2, sane.mean),
    Reader(
        "contract",
        _artefact(_tflite, "model.json", lambda path: Contract.load(contract_path(path))),
        mutate.by_json,
        0.3,
    ),
    Reader("golden.npz", _artefact(_tflite, "golden.npz", read_golden), mutate.by_arrays, 0.05),
    Reader(
        "model.tflite",
        _artefact(_tflite, "model.tflite", _opened),
        mutate.by_bytes,
        0.3,
        other=NO_CHANGE,
    ),
    Reader(
        "model.onnx",
        _artefact(random_onnx_file, "model.onnx", _opened),
        mutate.by_bytes,
        0.2,
        other=NO_CHANGE,
    ),
    Reader(
        "board: TensorRT contract",
        _artefact(
            _tflite, "model.json", lambda path: len(run_engine.load_contract(contract_path(path)))
        ),
        mutate.by_json,
    ),
    Reader(
        "board: build",
        _artefact(
            _tflite, "model.json", lambda path: len(build_engine.read_json(contract_path(path)))
        ),
        mutate.by_json,
    ),
    Reader("PNG picture", _picture(".png"), mutate.by_png, 1.0, sane.picture, RESEALED),
    Reader("PNG picture, bytes", _picture(".png"), mutate.by_bytes, 1.0, sane.picture, NO_CHANGE),
    Reader("JPEG picture", _picture(".jpg"), mutate.by_bytes, 1.0, sane.picture),
    Reader("BMP picture", _picture(".bmp"), mutate.by_bytes, 1.0, sane.picture),
    Reader(
        "depth label",
        _copied(lambda: _truth("depth"), read_depth_png),
        mutate.by_png,
        1.0,
        sane.depth,
        RESEALED,
    ),
    Reader(
        "class label",
        _copied(lambda: _truth("train_id"), read_train_id_png),
        mutate.by_png,
        1.0,
        sane.classes,
        RESEALED,
    ),
    Reader(
        "sweep",
        _copied(
            lambda: KittiRaw(_tree()).velodyne_path(_first_frame()),
            lambda path: read_velodyne(path)[:, :3],
        ),
        mutate.by_bytes,
        0.2,
        sane.sweep,
    ),
    Reader("Make3D depth", _laser_grid, mutate.by_bytes, 0.3),
    Reader(
        "labelled classes",
        _labelled(
            lambda root: read_classes(open_classes("demo_world", root).train[0]),
            lambda root: open_classes("demo_world", root).train[0].ids,
        ),
        mutate.by_png,
        0.1,
        sane.example,
        RESEALED,
    ),
    Reader(
        "labelled pair",
        _labelled(
            lambda root: read_pair(open_pairs("demo_world", root).train[0], max_disparity_px=192),
            lambda root: open_pairs("demo_world", root).train[0].disparity,
        ),
        mutate.by_png,
        0.1,
        sane.example,
        RESEALED,
    ),
    Reader("frozen graph .pb", _frozen_graph(".pb"), mutate.by_bytes, 0.03),
    Reader("frozen graph .tar.gz", _frozen_graph(".tar.gz"), mutate.by_bytes, 0.03),
    Reader("film .mp4", _film(".mp4", _decoded), mutate.by_bytes, 0.08, sane.film),
    Reader("film .avi", _film(".avi", _decoded), mutate.by_bytes, 0.08, sane.film),
    Reader(
        "device film",
        _film(".avi", lambda path, _: [each.name for each in open_files(str(path)).frames()]),
        mutate.by_bytes,
        0.05,
    ),
    Reader("journal of steps", _journal, mutate.by_json, 1.0),
    Reader("film cache", _film_cache, mutate.by_json, 0.3),
)
READERS = (*_OTHERS, *RIGS, *NETWORKS)
