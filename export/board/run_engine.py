#!/usr/bin/env python3
"""Runs a TensorRT engine of build_engine.py on pictures or a camera.

    python3 run_engine.py --check
    python3 run_engine.py --source pictures --output results --focal_px 720

The first asks the engine about the export's golden pictures and compares its answers. It stands
beside model.engine and model.json and needs Python 3.6 or newer, numpy, OpenCV and TensorRT's
Python package, all of JetPack. --source is a picture, a folder, a video file, a camera's number, an
address (rtsp://...), or a GStreamer pipeline (of a CSI camera) that ends in "appsink". For each
picture it writes <name>_depth.png (uint16, metres * 256; <name>_relative_depth.png without a unit)
and <name>_overlay.png. Of a live camera the newest picture is taken, its age stands in the overlay,
and it is kept with --max_frames only; without, each takes the place of the one before,
live_depth.png. A picture that cannot be read is named and left out, and the status is 1. Without
--focal_px depth is in metres only for a camera like that of the training pictures.
"""
# ruff: noqa: UP006, UP035, UP045  (JetPack 4.6 has Python 3.6)

import argparse
import collections
import contextlib
import ctypes
import ctypes.util
import importlib
import itertools
import json
import logging
import math
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import cv2
import numpy as np

PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
RESULT_ENDS = ("_overlay", "_relative_depth", "_depth")
FOCAL_PER_WIDTH = (0.2, 5.0)  # of any lens, in parts of the picture's width
# Half precision differs by about 0.2 %, int8 by a few; another network's depth by tens.
MAX_MEDIAN_PERCENT = 5.0
MAX_SQUEEZE = 1.05  # of pictures, against those of the training; more are seen between mirrors
TO_DEVICE, TO_HOST = 1, 2  # of CUDA's kinds of copies
# Of the 19 classes, Cityscapes' colours; of any other number, depth is shown.
_COLORS = (
    "804080 f423e8 464646 66669c be9999 999999 faaa1e dcdc00 6b8e23 98fb98 "
    "4682b4 dc143c ff0000 00008e 000046 003c64 005064 0000e6 770b20"
)
CLASS_COLORS = np.frombuffer(bytes.fromhex(_COLORS), np.uint8).reshape(-1, 3)[:, ::-1]

_LOG = logging.getLogger("run_engine")
Size = Tuple[int, int]  # height, width
Frame = Tuple[str, Any, float]  # name, picture [H, W, 3] in OpenCV's order or None, when it came


class RunError(Exception):
    """What the user can mend; its message says how."""


def refuse_constant(name: str) -> None:
    """JSON has no NaN and no Infinity, which Python would read."""
    raise ValueError(name + " is no number")


def load_contract(path: Path) -> Dict[str, Any]:
    """The side-car of the network."""
    try:
        text = path.read_text(encoding="utf-8")
        contract = dict(json.loads(text, parse_constant=refuse_constant))
        for name in ("input", "outputs", "depth_law", "fit", "scale_source", "training_camera"):
            contract[name]
        return contract
    except (OSError, ValueError, TypeError, RecursionError, KeyError) as error:
        raise RunError(f"{path}: {error!r}; copy the folder of the export again") from error


def seen_window(size: Size, net: Size, fit: str) -> Tuple[int, int, int, int]:
    """Left, top, width, height of what the network sees of a picture."""
    height, width = seen_height, seen_width = size
    if fit == "crop":
        seen_width = max(1, min(width, round(height * net[1] / net[0])))
        seen_height = max(1, min(height, round(width * net[0] / net[1])))
    return (width - seen_width) // 2, (height - seen_height) // 2, seen_width, seen_height


def fit_of(contract: Dict[str, Any], size: Size) -> str:
    """How a picture of a size is fitted: `mtdepth.runtime.pipeline.Pipeline.fit_of` once more."""
    fit, training = str(contract["fit"]), contract["training_camera"]
    if fit != "stretch" or training is None or contract["scale_source"] == "none":
        return fit
    net, trained = contract["input"]["shape"][1:3], training["fx_px"] / training["fy_px"]
    stretched = (net[1] / size[1]) / (net[0] / size[0]) / trained
    squeeze, usual = (max(each, 1 / each) for each in (stretched, trained))
    return "mirror" if squeeze > max(MAX_SQUEEZE, usual) else fit


def inset(size: Size, net: Size) -> Tuple[int, int, int, int]:
    """Left, top, width, height of a whole picture between its mirror images."""
    width = max(1, min(net[1], round(net[0] * size[1] / size[0])))
    height = max(1, min(net[0], round(net[1] * size[0] / size[1])))
    return (net[1] - width) // 2, (net[0] - height) // 2, width, height


def fit_image(image: Any, net: Size, fit: str) -> Any:
    """A picture [H, W, 3] at the network's size, as in its training or between mirror images."""
    if fit == "mirror":
        left, top, width, height = inset(image.shape[:2], net)
        whole = fit_image(image, (height, width), "stretch")
        sides = (top, net[0] - top - height, left, net[1] - left - width)
        return cv2.copyMakeBorder(whole, *sides, cv2.BORDER_REFLECT)
    left, top, width, height = seen_window(image.shape[:2], net, fit)
    seen = np.ascontiguousarray(image[top : top + height, left : left + width])
    shrunk = (min(net[1], width), min(net[0], height))
    if shrunk != (width, height):
        seen = cv2.resize(seen, shrunk, interpolation=cv2.INTER_AREA)
    if shrunk != (net[1], net[0]):
        seen = cv2.resize(seen, (net[1], net[0]), interpolation=cv2.INTER_LINEAR)
    return seen


def decode_depth(code: Any, law: Dict[str, Any]) -> Any:
    """Depth of codes, as the contract says: `mtdepth.geometry.depth_codec` once more."""
    code = np.asarray(code, np.float32)
    if law["kind"] == "log":
        near, far = law["near_m"], law["far_m"]
        slope = far / math.log(far / near)
        depth = np.exp((np.minimum(code, far) + slope * math.log(near)) / slope)
        return np.clip(depth, law["min_depth_m"], far).astype(np.float32)
    if law["kind"] == "linear":
        return np.clip(code, law["min_depth_m"], law["far_m"]).astype(np.float32)
    if law["kind"] == "sigmoid_disparity":
        disparity = 1 / (1 + np.exp(-np.clip(code, -50, 50)))
        return (law["scale"] / (10 * disparity + 0.01)).astype(np.float32)
    raise RunError("depth law {kind!r} is not known; copy run_engine.py again".format(**law))


def focal_factor(contract: Dict[str, Any], size: Size, focal_px: Optional[float]) -> float:
    """What depth is multiplied by for a camera of another focal length than the training one."""
    training = contract["training_camera"]
    low, high = (share * size[1] for share in FOCAL_PER_WIDTH)
    if focal_px is not None and not low <= focal_px <= high:
        some = f"{low:.0f} to {high:.0f} px for pictures {size[1]} px wide"
        raise RunError(f"--focal_px {focal_px:g}: lenses have {some}; normalised, or millimetres?")
    if focal_px is None or training is None or contract["scale_source"] == "none":
        return 1.0
    net, fit = tuple(contract["input"]["shape"][1:3]), fit_of(contract, size)
    _, _, width, height = seen_window(size, net, fit)
    if fit == "mirror":
        _, _, *shrunk = inset(size, net)
        net = (shrunk[1], shrunk[0])
    fitted = focal_px * math.sqrt((net[1] / width) * (net[0] / height))
    return float(fitted / math.sqrt(training["fx_px"] * training["fy_px"]))


def decode(outputs: Dict[str, Any], contract: Dict[str, Any]) -> Tuple[Any, Any]:
    """Depth [h, w] and class ids [h, w] (or None) from the engine's outputs."""
    found = {each["kind"]: np.asarray(outputs[each["name"]])[0] for each in contract["outputs"]}
    scores = found.get("class_scores")
    ids = found.get("train_id") if scores is None else scores.argmax(axis=-1)
    depth = decode_depth(found["depth_code"][:, :, 0], contract["depth_law"])
    return depth, None if ids is None else ids.astype(np.uint8)


def restore(depth: Any, ids: Any, size: Size, contract: Dict[str, Any]) -> Tuple[Any, Any]:
    """Depth and class ids at the picture's size; 0 and 255 where the network saw nothing."""
    fit = fit_of(contract, size)
    if fit == "mirror":
        left, top, width, height = inset(size, depth.shape)
        of_picture = np.s_[top : top + height, left : left + width]
        depth, ids = depth[of_picture], None if ids is None else ids[of_picture]
    left, top, width, height = seen_window(size, depth.shape, fit)
    window = np.s_[top : top + height, left : left + width]
    whole, whole_ids = np.zeros(size, np.float32), None
    # Depth that was learned as inverse depth is enlarged as such.
    power = -1 if contract["depth_law"]["kind"] == "sigmoid_disparity" else 1
    whole[window] = cv2.resize(depth**power, (width, height)) ** power
    if ids is not None:
        # Not OpenCV's nearest, which takes corners of pixels.
        rows = (2 * np.arange(height) + 1) * ids.shape[0] // (2 * height)
        columns = (2 * np.arange(width) + 1) * ids.shape[1] // (2 * width)
        whole_ids = np.full(size, 255, np.uint8)
        whole_ids[window] = ids[rows][:, columns]
    return whole, whole_ids


def overlay(image_bgr: Any, depth: Any, ids: Any, contract: Dict[str, Any]) -> Any:
    """The picture above, or its classes over it, and its depth below: near is bright."""
    near, far = contract["valid_depth_m"]
    if (
        contract["depth_law"]["kind"] == "sigmoid_disparity"
    ):  # ends of a sigmoid, which no picture reaches
        seen = depth[depth > 0]
        near, far = np.percentile(seen, [2, 98]) if seen.size else (1.0, 2.0)
    nearness = np.log(far / np.maximum(depth, 1e-6)) / math.log(max(far / near, 1.001))
    gray = (24 + 231 * np.clip(nearness, 0, 1)).astype(np.uint8)
    colors = cv2.applyColorMap(gray, cv2.COLORMAP_MAGMA)
    colors[depth <= 0] = 0
    if ids is not None and len(contract["class_names"]) == len(CLASS_COLORS):
        painted = CLASS_COLORS[np.minimum(ids, len(CLASS_COLORS) - 1)]
        mixed = cv2.addWeighted(image_bgr, 0.5, painted, 0.5, 0)
        image_bgr = np.where((ids < len(CLASS_COLORS))[:, :, None], mixed, image_bgr)
    return np.vstack([image_bgr, colors])


class Cuda:
    """The functions of the CUDA runtime that an engine needs, without a package for them."""

    def __init__(self) -> None:
        found = ctypes.util.find_library("cudart") or "libcudart.so"
        for name in ("libcudart.so", found, "/usr/local/cuda/lib64/libcudart.so"):
            with contextlib.suppress(OSError):
                self._library = ctypes.CDLL(name)
                self._library.cudaGetErrorString.restype = ctypes.c_char_p
                return
        raise RunError("libcudart.so is not found: it comes with JetPack (cuda-cudart)")

    def allocate(self, num_bytes: int) -> int:
        """Memory of the device."""
        place = ctypes.c_void_p()
        self._check(self._library.cudaMalloc(ctypes.byref(place), ctypes.c_size_t(num_bytes)))
        return int(place.value or 0)

    def copy(self, to: int, source: int, num_bytes: int, kind: int) -> None:
        """Copies, and waits until it is done."""
        ends = ctypes.c_void_p(to), ctypes.c_void_p(source)
        self._check(self._library.cudaMemcpy(*ends, ctypes.c_size_t(num_bytes), kind))

    def _check(self, status: int) -> None:
        if status:
            raise RunError(f"CUDA: {self._library.cudaGetErrorString(status).decode()}")


class Engine:
    """A TensorRT engine, of any version from 8.2 on."""

    def __init__(self, path: Path, trt: Any, cuda: Any) -> None:
        if not path.is_file():
            raise RunError(f"{path}: no engine; build it: python3 build_engine.py")
        self._trt, self._cuda, self._logger = trt, cuda, trt.Logger(trt.Logger.WARNING)
        self._engine = trt.Runtime(self._logger).deserialize_cuda_engine(path.read_bytes())
        if self._engine is None:
            why = "cannot read it; an engine fits one GPU and version: build it again"
            raise RunError(f"{path}: TensorRT {trt.__version__} {why}")
        self._context = self._engine.create_execution_context()
        # Since 8.5 tensors have names, since 10 they have nothing else.
        self._has_names = hasattr(self._engine, "num_io_tensors")
        self.host = {name: np.zeros(shape, dtype) for name, shape, dtype in self._tensors()}
        self._device = {name: cuda.allocate(array.nbytes) for name, array in self.host.items()}
        if self._has_names:
            for name, address in self._device.items():
                self._context.set_tensor_address(name, address)

    def run(self, name: str, values: Any) -> Dict[str, Any]:
        """Feeds one input; returns every tensor by name."""
        start, fed = time.perf_counter(), self.host[name]
        fed[...] = values
        self._cuda.copy(self._device[name], fed.ctypes.data, fed.nbytes, TO_DEVICE)
        if self._has_names:
            is_done = self._context.execute_async_v3(0)
        else:
            is_done = self._context.execute_v2(list(self._device.values()))
        if not is_done:
            raise RunError("TensorRT could not run the engine; its messages above say why")
        for other, host in self.host.items():
            if other != name:
                self._cuda.copy(host.ctypes.data, self._device[other], host.nbytes, TO_HOST)
        self.run_s = time.perf_counter() - start
        return self.host

    def _tensors(self) -> Iterator[Tuple[str, Tuple[int, ...], Any]]:
        engine, new = self._engine, self._has_names
        for index in range(engine.num_io_tensors if new else engine.num_bindings):
            name = engine.get_tensor_name(index) if new else engine.get_binding_name(index)
            shape = engine.get_tensor_shape(name) if new else engine.get_binding_shape(index)
            kind = engine.get_tensor_dtype(name) if new else engine.get_binding_dtype(index)
            # Not tensorrt.nptype, which in TensorRT 8 asks numpy for a type that 1.24 took away.
            yield name, tuple(shape), np.int32 if kind == self._trt.DataType.INT32 else np.float32


def check_engine(found: Dict[str, Any], contract: Dict[str, Any]) -> None:
    """Refuses an engine of another network than the contract's."""
    for tensor in [contract["input"]] + contract["outputs"]:
        shape = getattr(found.get(tensor["name"]), "shape", None)
        if shape is None or list(shape) != list(tensor["shape"]):
            why = "the engine's {} is {}, its contract's {}: of two exports; build the engine again"
            raise RunError(why.format(tensor["name"], shape, tuple(tensor["shape"])))


def frames(source: str) -> Iterator[Frame]:
    """The pictures of a source; of a live one the newest whenever one is asked for."""
    path = Path(source)
    listed = sorted(path.iterdir()) if path.is_dir() else [path]
    listed = [entry for entry in listed if entry.suffix.lower() in PICTURES]
    # Not what an earlier run made of them.
    made = {entry.stem + end for entry in listed for end in RESULT_ENDS}
    paths = [entry for entry in listed if entry.stem not in made]
    if paths:
        return ((entry.stem, cv2.imread(str(entry)), time.perf_counter()) for entry in paths)
    if not is_live(source) and not path.is_file():
        what = "holds no picture" if path.is_dir() else "no such picture, folder, video or camera"
        raise RunError(f"{source}: {what}")
    # Absolute: FFmpeg takes what stands before a colon for a protocol.
    name = source if is_live(source) else str(path.resolve())
    api = cv2.CAP_GSTREAMER if "appsink" in source else cv2.CAP_ANY
    stream = cv2.VideoCapture(int(name) if name.isdigit() else name, api)
    if not stream.isOpened():
        raise RunError("{}: cannot be opened".format(source.rpartition("@")[2]))
    read = enumerate(itertools.takewhile(lambda found: found[0], iter(stream.read, 0)))
    every = ((f"{number:06d}", found[1], time.perf_counter()) for number, found in read)
    return _newest(every) if is_live(source) else every


def is_live(source: str) -> bool:
    """Whether a source is a camera or a stream, whose old pictures are worthless."""
    return source.isdigit() or "appsink" in source or "://" in source


def _newest(every: Iterator[Frame]) -> Iterator[Frame]:
    waiting = queue.Queue(maxsize=1)  # type: Any

    def keep_newest() -> None:
        for frame in itertools.chain(every, [None]):
            with contextlib.suppress(queue.Empty):
                waiting.get_nowait()
            waiting.put(frame)

    threading.Thread(target=keep_newest, daemon=True).start()
    return iter(waiting.get, None)


def run(options: argparse.Namespace, engine: Any, contract: Dict[str, Any]) -> int:
    """Predicts a whole source; returns the exit status."""
    check_engine(engine.host, contract)
    output, is_camera = Path(options.output), is_live(options.source)
    output.mkdir(parents=True, exist_ok=True)
    is_relative = contract["scale_source"] == "none"
    if is_relative:
        _LOG.warning("this network's depth is relative: it has no unit")
    elif options.focal_px is None:
        _LOG.warning("without --focal_px depth is metric only for the training camera")
    times, num_unread = collections.deque(maxlen=1000), 0  # type: Any, int  # camera: the latest
    for name, image, came in itertools.islice(frames(options.source), options.max_frames or None):
        if image is None:
            _LOG.error("%s in %s cannot be read: left out", name, options.source)
            num_unread += 1
            continue
        start = time.perf_counter()
        depth, ids = predict(engine, contract, image, options.focal_px)
        now = time.perf_counter()
        times.append((1000 * engine.run_s, 1000 * (now - start), 1000 * (now - came)))
        painted = overlay(image, depth, ids, contract)
        if is_camera:
            age = f"{now - came:.2f} s old"
            cv2.putText(painted, age, (4, 16), cv2.FONT_HERSHEY_PLAIN, 1, (255, 255, 255))
            name = name if options.max_frames else "live"
        write(output / name, depth, painted, is_relative)
    for column, label in enumerate(("engine", "whole picture", "age") if times else ()):
        ends = np.percentile(list(times)[1:] or times, [50, 90], axis=0)[:, column]  # 0 warms up
        _LOG.info("%s: median %.1f ms, 90 %% below %.1f ms", label, *ends)
    _LOG.info("results are in %s; %d picture(s) could not be read", options.output, num_unread)
    return 1 if num_unread or not times else 0


def predict(engine: Any, contract: Dict[str, Any], image: Any, focal_px: Optional[float]) -> Any:
    """Depth and class ids (or None) of a picture."""
    size, net = image.shape[:2], tuple(contract["input"]["shape"][1:3])
    factor = np.float32(focal_factor(contract, size, focal_px))
    fed = fit_image(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), net, fit_of(contract, size))
    outputs = engine.run(contract["input"]["name"], fed[None].astype(np.float32))
    depth, ids = decode(outputs, contract)
    return restore(depth * factor, ids, size, contract)


def read_golden(path: Path, contract: Dict[str, Any]) -> Tuple[Any, Any]:
    """Pictures, and the depth that the export says of each."""
    try:
        pairs = np.load(str(path))
        images, depths = pairs["images"], pairs[contract["decoder"] + "/depth_m"]
        is_fitting = images.shape[1:] == tuple(contract["input"]["shape"][1:])
        if not is_fitting or depths.ndim != 3 or len(images) != len(depths):
            raise ValueError("it is of another network")
        if not np.isfinite(depths).all():
            raise ValueError("a depth is no number")
    except Exception as error:  # numpy has many
        raise RunError(f"{path}: {error!r}; copy the whole folder of the export") from error
    return images, depths


def check(engine: Any, contract: Dict[str, Any], golden: Path) -> int:
    """Compares the engine's depth with the export's; status 1 where it is another network's."""
    check_engine(engine.host, contract)
    if not golden.is_file():
        raise RunError(f"{golden}: missing; copy the whole folder of the export")
    images, wanted = read_golden(golden, contract)
    name, off = contract["input"]["name"], []
    for image, expected in zip(images, wanted):  # noqa: B905
        depth, _ = decode(engine.run(name, image[None].astype(np.float32)), contract)
        off.append(100 * float(np.median(np.abs(depth - expected) / expected)))
    is_good = all(each <= MAX_MEDIAN_PERCENT for each in off)  # not where one is no number
    found, say = ", ".join(f"{each:.2g}" for each in off), _LOG.info if is_good else _LOG.error
    say("golden depth differs by %s %% (medians), allowed: %g %%", found, MAX_MEDIAN_PERCENT)
    return 0 if is_good else 1


def write(stem: Path, depth: Any, painted: Any, is_relative: bool) -> None:
    """The two pictures of one frame."""
    encoded = np.clip(np.rint(depth * 256), 0, 65535).astype(np.uint16)  # as KITTI's
    whole, name = f"{stem}.part.png", "_relative_depth.png" if is_relative else "_depth.png"
    for suffix, values in ((name, encoded), ("_overlay.png", painted)):
        if not cv2.imwrite(whole, values):
            raise RunError(f"{stem}{suffix}: cannot be written; is the disk full?")
        Path(whole).replace(f"{stem}{suffix}")  # who looks at a live picture sees no half of one


def parse(arguments: List[str]) -> argparse.Namespace:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    add, here = parser.add_argument, Path(__file__).resolve().parent
    add("--engine", default=str(here / "model.engine"), help="model.json stands beside it")
    add("--check", action="store_true", help="ask the golden pictures, no source")
    add("--source")
    add("--output", help="folder to write to")
    add("--focal_px", type=float, help="of the source, in its own pixels")
    add("--max_frames", type=int, help="stop after so many")
    options = parser.parse_args(arguments)
    if not options.check and not (options.source and options.output):
        parser.error("give --source and --output, or --check")
    return options


def main() -> int:
    """The program."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    options = parse(sys.argv[1:])
    try:
        path = Path(options.engine).resolve()
        contract = load_contract(path.with_name("model.json"))
        engine = Engine(path, importlib.import_module("tensorrt"), Cuda())
        if options.check:
            return check(engine, contract, path.with_name("golden.npz"))
        return run(options, engine, contract)
    except ImportError as error:
        remedy = "sudo apt install python3-libnvinfer, and use the system's python3"
        _LOG.error("TensorRT's Python package cannot be imported (%s): %s", error, remedy)
    except (RunError, OSError) as error:
        _LOG.error("%s", error)
    except KeyboardInterrupt:  # how a camera's run ends
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
