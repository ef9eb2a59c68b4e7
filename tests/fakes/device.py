"""A network, a camera and a service for the device program, without LiteRT."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from export.device.camera_model import CameraModel
from export.device.controls import Controls, Settings
from export.device.engine import Engine
from export.device.models import SizedModels
from export.device.recording import Recording
from export.device.result import Result
from export.device.service import Service
from export.device.sources import Picture, Unreadable
from export.device.web import WebServer
from export.device.web_handler import Site
from mtdepth.contract import Contract, TensorContract
from mtdepth.datasets.label_map import CLASS_NAMES
from mtdepth.geometry.depth_codec import LogDepthCodec
from mtdepth.runtime.obstacles import Rule
from mtdepth.runtime.pipeline import NetworkOutput

SIZE = (32, 48)
LONG_S = 60.0  # longer than anything here takes; a test that waits so long fails


def contract(
    size: str = "S", *, scale_source: str = "made up", has_classes: bool = True
) -> Contract:
    """Of a network that sees pictures of `SIZE`."""
    depth = TensorContract(name="depth", kind="depth_m", shape=(1, *SIZE, 1), dtype="float32")
    classes = TensorContract(name="classes", kind="train_id", shape=(1, *SIZE), dtype="uint8")
    return Contract(
        artefact="model.tflite",
        sha256="0" * 64,
        precision="int8",
        decoder=size,
        input=TensorContract(name="image", kind="image", shape=(1, *SIZE, 3), dtype="uint8"),
        outputs=(depth, classes) if has_classes else (depth,),
        codec=LogDepthCodec(near_m=2.0, far_m=60.0),
        valid_depth_m=(2.0, 60.0),
        fit="stretch",
        training_camera=None,
        scale_source=scale_source,
        class_names=CLASS_NAMES if has_classes else (),
        recipe={},
        keras_scores=None,
        versions={},
    )


@dataclass
class FakeBackend:
    """Depth is a tenth of the red channel, at least 1; the class is the green channel.

    With `gate`, each run waits for it once.
    """

    contract: Contract
    gate: threading.Semaphore | None = None
    path: Path = Path("fake.tflite")
    num_runs: int = 0
    training_camera = None
    fit = "stretch"
    tasks = ("depth", "segmentation")

    @property
    def input_size(self) -> tuple[int, int]:
        return self.contract.input_size

    @property
    def codec(self) -> Any:
        return self.contract.codec

    @property
    def is_metric(self) -> bool:
        return self.contract.is_metric

    def run(self, image: np.ndarray) -> Mapping[str, np.ndarray]:
        # The first one warms up.
        if self.gate is not None and self.num_runs:
            assert self.gate.acquire(timeout=LONG_S)
        self.num_runs += 1
        return {"image": image}

    def decode(self, raw: Mapping[str, np.ndarray]) -> NetworkOutput:
        image = raw["image"]
        depth_m = np.maximum(image[..., 0].astype(np.float32) / 10, 1)
        ids = np.minimum(image[..., 1], 18) if self.contract.classes is not None else None
        return NetworkOutput(depth_m, ids)

    def infer(self, image: np.ndarray) -> NetworkOutput:
        return self.decode(self.run(image))


def picture(
    name: str = "a", *, red: int = 100, green: int = 13, size: tuple[int, int] = SIZE
) -> Picture:
    """One colour: depth red / 10, class green."""
    return Picture(name, np.full((*size, 3), (red, green, 0), np.uint8))


@dataclass
class FakeSource:
    """Gives what it is told; a live one then waits for `close`, or for `goes_on`."""

    items: list[Picture | Unreadable]
    is_live: bool = False
    name: str = "fake"
    fps: float | None = None
    status: str = "live"
    closed: threading.Event = field(default_factory=threading.Event)
    given: threading.Event = field(default_factory=threading.Event)

    def frames(self) -> Iterator[Picture | Unreadable]:
        yield from self.items
        self.given.set()
        if self.is_live:
            assert self.closed.wait(LONG_S)

    def close(self) -> None:
        self.closed.set()


class EndlessSource(FakeSource):
    """Live pictures that change, as fast as they are taken."""

    def frames(self) -> Iterator[Picture | Unreadable]:
        number = 0
        while not self.closed.wait(0.005):
            yield picture(f"{number:06d}", red=20 + number * 7 % 200, size=(240, 320))
            number += 1


@dataclass
class ListWriter:
    """Keeps results; raises `error` at the given result."""

    error: Exception | None = None
    fails_at: int = 0
    results: list[Result] = field(default_factory=list)
    is_kept: bool | None = None

    def write(self, result: Result) -> None:
        if self.error is not None and len(self.results) >= self.fails_at:
            raise self.error
        self.results.append(result)

    def close(self, *, is_kept: bool = True) -> None:
        if self.is_kept is None:
            self.is_kept = is_kept

    def abandon(self) -> None:
        pass


def engine(
    *sizes: str,
    focal_px: float | None = None,
    scale_source: str = "made up",
    has_classes: bool = True,
    gate: threading.Semaphore | None = None,
    rule: Rule | None = None,
) -> Engine:
    """Fake networks of those sizes (`S`) at work."""
    backends = {
        size: FakeBackend(
            contract(size, scale_source=scale_source, has_classes=has_classes), gate=gate
        )
        for size in sizes or ("S",)
    }
    camera = CameraModel(focal_px=focal_px)
    return Engine(SizedModels(backends), num_threads=1, camera=camera, rule=rule)


def result(item: Picture | None = None, **options: Any) -> Result:
    """What a fake network says of a picture."""
    at_work = engine(**options)
    return at_work.predict(item or picture(), Settings().look)


def service(source: FakeSource, at_work: Engine | None = None, **options: Any) -> Service:
    """Not started; records with `writer`, or with several of `writers`."""
    at_work = at_work or engine()
    writers = options.pop("writers", None) or {"files": options.pop("writer", None)}
    options["recordings"] = [
        Recording(name, writer, is_live=source.is_live)
        for name, writer in writers.items()
        if writer is not None
    ]
    sizes = (*at_work.models.sizes, "auto")
    controls = options.pop("controls", None) or Controls(Settings(), sizes=sizes)
    return Service(source, at_work, controls, **options)


def finish(running: Service) -> Service:
    """Starts a service and waits for its end."""
    running.start()
    assert running.is_done.wait(LONG_S)
    running.stop()
    running.join()
    return running


@contextlib.contextmanager
def video_server(port: int = 0) -> Iterator[int]:
    """A real Motion JPEG stream of changing pictures: this program's own page."""
    running = service(EndlessSource([], is_live=True))
    running.start()
    server = WebServer(Site(service=running, state=dict), host="127.0.0.1", port=port)
    try:
        yield server.port
    finally:
        running.stop()
        running.join()
        server.close()
