#!/usr/bin/env python3
"""Runs a TensorRT engine of build_engine.py on pictures or a camera.

    python3 run_engine.py --source pictures --output results --focal_px 720

It stands beside model.engine and model.json and needs Python 3.6 or newer, numpy, OpenCV and
TensorRT's Python package, all of JetPack; no pycuda. --source is a picture, a folder, a video file,
the number of a camera, or a GStreamer pipeline (of a CSI camera) that ends in "appsink". For each
picture it writes <name>_depth.png (uint16, metres * 256; <name>_relative_depth.png where depth has
no unit) and <name>_overlay.png, and at the end the median and 90th percentile of the times. A live
camera's pictures are kept with --max_frames only; without, each takes the place of the one before,
live_depth.png. A picture that cannot be read is named and left out, and the status is 1. Without
--focal_px depth is in metres only for a camera like that of the training pictures. First of all,

    python3 run_engine.py --check

asks the engine about the export's three golden pictures and compares its answers.
"""
# ruff: noqa: UP006, UP035, UP045  (JetPack 4.6 has Python 3.6)

import argparse
import collections
import ctypes
import ctypes.util
import importlib
import json
import logging
import math
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import cv2
import numpy as np

PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
# Half precision differs by about 0.2 %, int8 by a few; another network's depth by tens.
MAX_MEDIAN_DEVIATION = 0.05
NUM_TIMES = 1000  # the latest, of a camera that never ends
TO_DEVICE, TO_HOST = 1, 2  # of CUDA's kinds of copies
DEPTH_PNG_SCALE = 256  # of KITTI's depth pictures
NO_SCALE = "none"  # a contract's scale_source: depth is relative
# Of the 19 classes, Cityscapes' colours (RGB); of any other number, depth is shown.
CLASS_COLORS = (
    (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153),
    (153, 153, 153), (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152),
    (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142), (0, 0, 70),
    (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32),
)  # fmt: skip

_LOG = logging.getLogger("run_engine")
Arrays = Dict[str, Any]


class RunError(Exception):
    """What the user can mend; its message says how."""


def load_contract(path: Path) -> Dict[str, Any]:
    """The side-car of the network."""
    try:
        contract = dict(json.loads(path.read_text(encoding="utf-8")))
        for name in ("input", "outputs", "depth_law", "fit", "scale_source", "training_camera"):
            contract[name]
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: {error}; copy the whole folder of the export") from error
    except KeyError as error:
        raise RunError(f"{path}: has no field {error}; export the network again") from error
    return contract


def seen_window(size: Tuple[int, int], net: Tuple[int, int], fit: str) -> Tuple[int, int, int, int]:
    """Left, top, width, height of what the network sees of a picture of (height, width)."""
    height, width = size
    if fit == "stretch":
        return 0, 0, width, height
    seen_width = max(1, min(width, round(height * net[1] / net[0])))
    seen_height = max(1, min(height, round(width * net[0] / net[1])))
    return (width - seen_width) // 2, (height - seen_height) // 2, seen_width, seen_height


def fit_image(image: Any, net: Tuple[int, int], fit: str) -> Any:
    """A picture [H, W, 3] at the network's (height, width), as in its training."""
    left, top, width, height = seen_window(image.shape[:2], net, fit)
    seen = np.ascontiguousarray(image[top : top + height, left : left + width])
    shrunk = (min(net[1], width), min(net[0], height))
    if shrunk != (width, height):
        seen = cv2.resize(seen, shrunk, interpolation=cv2.INTER_AREA)
    if shrunk != (net[1], net[0]):
        seen = cv2.resize(seen, (net[1], net[0]), interpolation=cv2.INTER_LINEAR)
    return seen


def decode_depth(code: Any, law: Dict[str, Any]) -> Any:
    """Depth of codes, as the contract says.

    Typed here once more, since nothing of the project is on the board; a test of the project holds
    it to `mtdepth.geometry.depth_codec`.
    """
    code = np.asarray(code, np.float32)
    if law["kind"] == "log":
        near, far = law["near_m"], law["far_m"]
        slope = far / math.log(far / near)
        depth = np.exp((np.minimum(code, far) + slope * math.log(near)) / slope)
        return np.clip(depth, law["min_depth_m"], far).astype(np.float32)
    if law["kind"] == "sigmoid_disparity":
        disparity = 1 / (1 + np.exp(-np.clip(code, -50, 50)))
        return (law["scale"] / (10 * disparity + 0.01)).astype(np.float32)
    raise RunError("depth law {!r} is not known here; copy run_engine.py again".format(law["kind"]))


def focal_factor(
    contract: Dict[str, Any], size: Tuple[int, int], focal_px: Optional[float]
) -> float:
    """What depth is multiplied by for a camera of another focal length than the training one."""
    training = contract["training_camera"]
    is_relative = contract["scale_source"] == NO_SCALE
    if focal_px is None or training is None or is_relative:
        return 1.0
    net = tuple(contract["input"]["shape"][1:3])
    _, _, width, height = seen_window(size, net, contract["fit"])
    fitted = focal_px * math.sqrt((net[1] / width) * (net[0] / height))
    return float(fitted / math.sqrt(training["fx_px"] * training["fy_px"]))


def decode(outputs: Arrays, contract: Dict[str, Any]) -> Tuple[Any, Any]:
    """Depth [h, w] and class ids [h, w] (or None) from the engine's outputs."""
    depth, ids = None, None
    for tensor in contract["outputs"]:
        values = np.asarray(outputs[tensor["name"]])[0]
        if tensor["kind"] == "depth_code":
            depth = decode_depth(values[:, :, 0], contract["depth_law"])
        elif tensor["kind"] == "class_scores":
            ids = values.argmax(axis=-1).astype(np.uint8)
        elif tensor["kind"] == "train_id":
            ids = values.astype(np.uint8)
    return depth, ids


def restore_depth(depth: Any, size: Tuple[int, int], fit: str) -> Any:
    """Depth at the picture's (height, width); 0 where the network saw nothing."""
    left, top, width, height = seen_window(size, depth.shape, fit)
    whole = np.zeros(size, np.float32)
    seen = cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR)
    whole[top : top + height, left : left + width] = seen
    return whole


def restore_by_law(depth: Any, size: Tuple[int, int], contract: Dict[str, Any]) -> Any:
    """As restore_depth; depth that was learned as inverse depth is enlarged as such."""
    if contract["depth_law"]["kind"] != "sigmoid_disparity":
        return restore_depth(depth, size, contract["fit"])
    inverse = restore_depth(np.float32(1) / depth, size, contract["fit"])
    return np.divide(1, inverse, out=np.zeros_like(inverse), where=inverse > 0)


def restore_ids(ids: Any, size: Tuple[int, int], fit: str) -> Any:
    """Class ids at the picture's (height, width), each the nearest; 255 where it saw nothing."""
    left, top, width, height = seen_window(size, ids.shape, fit)
    whole = np.full(size, 255, np.uint8)
    # Not OpenCV's nearest, which takes corners of pixels.
    rows = (2 * np.arange(height) + 1) * ids.shape[0] // (2 * height)
    columns = (2 * np.arange(width) + 1) * ids.shape[1] // (2 * width)
    whole[top : top + height, left : left + width] = ids[rows][:, columns]
    return whole


def overlay(image_bgr: Any, depth: Any, ids: Any, contract: Dict[str, Any]) -> Any:
    """The picture above, or its classes over it, and its depth below: near is bright."""
    law = contract["depth_law"]
    near, far = contract["valid_depth_m"]
    if law["kind"] != "log":  # ends of a sigmoid, which no picture reaches
        seen = depth[depth > 0]
        near, far = np.percentile(seen, [2, 98]) if seen.size else (1.0, 2.0)
    nearness = np.log(far / np.maximum(depth, 1e-6)) / math.log(max(far / near, 1.001))
    gray = (24 + 231 * np.clip(nearness, 0, 1)).astype(np.uint8)
    colors = cv2.applyColorMap(gray, cv2.COLORMAP_MAGMA)
    colors[depth <= 0] = 0
    if ids is not None and len(contract["class_names"]) == len(CLASS_COLORS):
        table = np.array(CLASS_COLORS)[:, ::-1]
        is_seen = (ids < len(table))[:, :, None]
        painted = table[np.minimum(ids, len(table) - 1)].astype(np.uint8)
        mixed = cv2.addWeighted(image_bgr, 0.5, painted, 0.5, 0)
        image_bgr = np.where(is_seen, mixed, image_bgr)
    return np.vstack([image_bgr, colors])


class Cuda:
    """The five functions of the CUDA runtime that an engine needs, without a package for them."""

    def __init__(self) -> None:
        names = ["libcudart.so", ctypes.util.find_library("cudart")]
        names.append("/usr/local/cuda/lib64/libcudart.so")
        for name in names:
            try:
                self._library = ctypes.CDLL(name or "libcudart.so")
                break
            except OSError:
                continue
        else:
            raise RunError("libcudart.so is not found: it comes with JetPack (cuda-cudart)")
        self._library.cudaGetErrorString.restype = ctypes.c_char_p

    def allocate(self, num_bytes: int) -> int:
        """Memory of the device."""
        pointer = ctypes.c_void_p()
        self._check(self._library.cudaMalloc(ctypes.byref(pointer), ctypes.c_size_t(num_bytes)))
        return int(pointer.value or 0)

    def copy(self, to: int, source: int, num_bytes: int, kind: int) -> None:
        """Copies, and waits until it is done."""
        status = self._library.cudaMemcpy(
            ctypes.c_void_p(to), ctypes.c_void_p(source), ctypes.c_size_t(num_bytes), kind
        )
        self._check(status)

    def _check(self, status: int) -> None:
        if status:
            raise RunError(f"CUDA: {self._library.cudaGetErrorString(status).decode()}")


class Engine:
    """A TensorRT engine, of any version from 8.2 on."""

    def __init__(self, path: Path, trt: Any, cuda: Any) -> None:
        if not path.is_file():
            raise RunError(f"{path}: no engine; build it: python3 build_engine.py")
        self._trt, self._cuda = trt, cuda
        self._logger = trt.Logger(trt.Logger.WARNING)
        self._engine = trt.Runtime(self._logger).deserialize_cuda_engine(path.read_bytes())
        if self._engine is None:
            raise RunError(
                f"{path}: TensorRT {trt.__version__} cannot read it; an engine fits one GPU and "
                "version: build it again"
            )
        self._context = self._engine.create_execution_context()
        # Since 8.5 tensors have names, since 10 they have nothing else.
        self._has_names = hasattr(self._engine, "num_io_tensors")
        self.host = {name: np.zeros(shape, dtype) for name, shape, dtype in self._tensors()}
        self._device = {name: cuda.allocate(array.nbytes) for name, array in self.host.items()}
        if self._has_names:
            for name, address in self._device.items():
                self._context.set_tensor_address(name, address)

    def run(self, name: str, values: Any) -> Arrays:
        """Feeds one input; returns every tensor by name."""
        self.host[name][...] = values
        self._copy(name, TO_DEVICE)
        if self._has_names:
            is_done = self._context.execute_async_v3(0)
        else:
            is_done = self._context.execute_v2(list(self._device.values()))
        if not is_done:
            raise RunError("TensorRT could not run the engine; its messages above say why")
        for other in self.host:
            if other != name:
                self._copy(other, TO_HOST)
        return self.host

    def _copy(self, name: str, kind: int) -> None:
        host, device = self.host[name], self._device[name]
        ends = (device, host.ctypes.data) if kind == TO_DEVICE else (host.ctypes.data, device)
        self._cuda.copy(ends[0], ends[1], host.nbytes, kind)

    def _tensors(self) -> Iterator[Tuple[str, Tuple[int, ...], Any]]:
        engine = self._engine
        if self._has_names:
            for index in range(engine.num_io_tensors):
                name = engine.get_tensor_name(index)
                shape = tuple(engine.get_tensor_shape(name))
                yield name, shape, self._dtype(engine.get_tensor_dtype(name))
            return
        for index in range(engine.num_bindings):
            shape = tuple(engine.get_binding_shape(index))
            dtype = self._dtype(engine.get_binding_dtype(index))
            yield engine.get_binding_name(index), shape, dtype

    def _dtype(self, kind: Any) -> Any:
        # Not tensorrt.nptype, which in TensorRT 8 asks numpy for a type that 1.24 took away.
        return np.int32 if kind == self._trt.DataType.INT32 else np.float32


def check_engine(found: Arrays, contract: Dict[str, Any]) -> None:
    """Refuses an engine of another network than the contract's."""
    for tensor in [contract["input"]] + contract["outputs"]:
        array = found.get(tensor["name"])
        if array is None or list(array.shape) != list(tensor["shape"]):
            raise RunError(
                "the engine's {} is {}, its contract's {}: they are of two exports; build the "
                "engine again".format(
                    tensor["name"], None if array is None else array.shape, tuple(tensor["shape"])
                )
            )


def frames(source: str) -> Iterator[Tuple[str, Any]]:
    """Names and pictures [H, W, 3] in OpenCV's order of colours; None for one that is damaged."""
    path = Path(source)
    if path.is_dir():
        paths = [entry for entry in sorted(path.iterdir()) if entry.suffix.lower() in PICTURES]
        if not paths:
            raise RunError(f"{source}: holds no picture")
        return _pictures(paths)
    if path.suffix.lower() in PICTURES:
        return _pictures([path])
    if is_live(source) or path.is_file():
        return _stream(source)
    raise RunError(f"{source}: no such picture, folder, video or camera")


def is_live(source: str) -> bool:
    """Whether a source is a camera, which never ends."""
    return source.isdigit() or "appsink" in source


def _pictures(paths: List[Path]) -> Iterator[Tuple[str, Any]]:
    for path in paths:
        yield path.stem, cv2.imread(str(path), cv2.IMREAD_COLOR)


def _stream(source: str) -> Iterator[Tuple[str, Any]]:
    if "appsink" in source:
        stream = cv2.VideoCapture(source, cv2.CAP_GSTREAMER)
    else:
        stream = cv2.VideoCapture(int(source) if source.isdigit() else source)
    if not stream.isOpened():
        raise RunError(f"{source}: cannot be opened")
    number = 0
    while True:
        is_read, image = stream.read()
        if not is_read:
            return
        yield f"{number:06d}", image
        number += 1


def run(options: argparse.Namespace, engine: Any, contract: Dict[str, Any]) -> int:
    """Predicts a whole source; returns the exit status."""
    check_engine(engine.host, contract)
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    net, fed_name = tuple(contract["input"]["shape"][1:3]), contract["input"]["name"]
    if contract["scale_source"] == NO_SCALE:
        _LOG.warning("this network's depth is relative: it has no unit")
    elif options.focal_px is None:
        _LOG.warning("without --focal_px depth is metric only for the training camera")
    times = collections.deque(maxlen=NUM_TIMES)  # type: Any
    num_unread = 0
    for number, (name, image) in enumerate(frames(options.source)):
        if options.max_frames and number == options.max_frames:
            break
        if image is None:
            _LOG.error("%s in %s cannot be read: left out", name, options.source)
            num_unread += 1
            continue
        stem = "live" if is_live(options.source) and not options.max_frames else name
        start = time.perf_counter()
        fed = fit_image(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), net, contract["fit"])
        before = time.perf_counter()
        outputs = engine.run(fed_name, fed[None].astype(np.float32))
        after = time.perf_counter()
        depth, ids = decode(outputs, contract)
        size = image.shape[:2]
        depth = depth * np.float32(focal_factor(contract, size, options.focal_px))
        depth = restore_by_law(depth, size, contract)
        if ids is not None:
            ids = restore_ids(ids, size, contract["fit"])
        times.append((1000 * (after - before), 1000 * (time.perf_counter() - start)))
        write(output / stem, image, depth, ids, contract)
    for label, column in (("engine", 0), ("whole picture", 1)):
        values = [row[column] for row in list(times)[1:] or times]  # the first warms up
        if values:
            _LOG.info(
                "%s: median %.1f ms, 90 %% below %.1f ms",
                label,
                np.median(values),
                np.percentile(values, 90),
            )
    if num_unread:
        _LOG.error("%d picture(s) could not be read", num_unread)
    _LOG.info("results are in %s", options.output)
    return 1 if num_unread or not times else 0


def check(engine: Any, contract: Dict[str, Any], golden: Path) -> int:
    """Compares the engine's depth with the export's; status 1 where it is another network's."""
    check_engine(engine.host, contract)
    if not golden.is_file():
        raise RunError(f"{golden}: missing; copy the whole folder of the export")
    pairs = np.load(str(golden))
    worst = 0.0
    for image, expected in zip(pairs["images"], pairs[contract["decoder"] + "/depth_m"]):  # noqa: B905
        outputs = engine.run(contract["input"]["name"], image[None].astype(np.float32))
        depth, _ = decode(outputs, contract)
        worst = max(worst, float(np.median(np.abs(depth - expected) / expected)))
    is_good = worst <= MAX_MEDIAN_DEVIATION  # not where it is no number
    _LOG.log(
        logging.INFO if is_good else logging.ERROR,
        "depth of %d golden pictures differs by %.2g %% (median of the worst), allowed: %g %%",
        len(pairs["images"]),
        100 * worst,
        100 * MAX_MEDIAN_DEVIATION,
    )
    return 0 if is_good else 1


def write(stem: Path, image: Any, depth: Any, ids: Any, contract: Dict[str, Any]) -> None:
    """The two pictures of one frame."""
    encoded = np.clip(np.rint(depth * DEPTH_PNG_SCALE), 0, 65535).astype(np.uint16)
    is_relative = contract["scale_source"] == NO_SCALE
    for suffix, values in (
        ("_relative_depth.png" if is_relative else "_depth.png", encoded),
        ("_overlay.png", overlay(image, depth, ids, contract)),
    ):
        path, whole = f"{stem}{suffix}", f"{stem}.part.png"
        if not cv2.imwrite(whole, values):
            raise RunError(f"{path}: cannot be written; is the disk full?")
        Path(whole).replace(path)  # who looks at a live picture sees no half of one


def parse(arguments: List[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = Path(__file__).resolve().parent
    parser.add_argument("--engine", default=str(here / "model.engine"))
    parser.add_argument("--contract", help="default: model.json beside the engine")
    parser.add_argument("--check", action="store_true", help="ask the golden pictures, no source")
    parser.add_argument("--source")
    parser.add_argument("--output", help="folder to write to")
    parser.add_argument("--focal_px", type=float, help="of the source, in its own pixels")
    parser.add_argument("--max_frames", type=int, help="stop after so many")
    options = parser.parse_args(arguments)
    if not options.check and not (options.source and options.output):
        parser.error("give --source and --output, or --check")
    return options


def main() -> int:
    """The program."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    options = parse(sys.argv[1:])
    try:
        engine = Path(options.engine)
        contract = load_contract(Path(options.contract or engine.resolve().parent / "model.json"))
        try:
            tensorrt = importlib.import_module("tensorrt")
        except ImportError as error:
            raise RunError(
                f"TensorRT's Python package cannot be imported ({error}): sudo apt install "
                "python3-libnvinfer, and use the system's python3"
            ) from error
        opened = Engine(engine, tensorrt, Cuda())
        if options.check:
            return check(opened, contract, engine.resolve().parent / "golden.npz")
        return run(options, opened, contract)
    except (RunError, OSError) as error:
        _LOG.error("%s", error)
        return 1
    except KeyboardInterrupt:  # how a camera's run ends
        return 130


if __name__ == "__main__":
    sys.exit(main())
