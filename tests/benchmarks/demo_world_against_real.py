r"""Holds a demo world against real frames: colour, texture, depth and classes, as one figure.

Full example, from the project's root; both are label stores, real ones of any teacher:

    python tests/benchmarks/demo_world_against_real.py --world W --real runs/mini_train \
        --output world_against_real.png

Prints the shares that a world is tuned by: pixels beyond 50 m, obstacles within 12 m, classes.
Pytest does not collect this file.
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt

# Run as a file, Python looks for packages beside it only.
sys.path.insert(0, str(Path(__file__).parents[2]))

from mtdepth.datasets.label_map import CLASS_NAMES, SCORED_OBSTACLES
from mtdepth.datasets.label_store import LabelStore

matplotlib.use("Agg")
from matplotlib import pyplot as plt

SIZE = (128, 416)  # pictures are compared at
NUM_BANDS = 16  # of rows
FAR_M, NEAR_M = 50.0, 12.0
LEAST_SHARE = 0.005  # of a frame, for a class to have a look
DEPTH_EDGES_M = np.geomspace(1.0, 120.0, 41)
GRADIENT_EDGES = np.concatenate([[0.0], np.geomspace(0.5, 128.0, 32)])
_OBSTACLES = [CLASS_NAMES.index(name) for name in SCORED_OBSTACLES]
_GROUND = [CLASS_NAMES.index(name) for name in ("road", "sidewalk", "terrain")]
_SKY = CLASS_NAMES.index("sky")
_SHOWN = ("road", "sidewalk", "building", "vegetation", "terrain", "sky", "car", "person", "pole")
Counts = npt.NDArray[np.float64]


@dataclasses.dataclass
class Statistics:
    """Sums over the frames of a store.

    Attributes:
      grey: `[frames, 2]`, mean and standard deviation of each picture.
      levels: `[3, 64]`, pixel values of red, green and blue.
      gradients: `[len(GRADIENT_EDGES) - 1]`, of neighbouring columns' grey.
      depth: `[NUM_BANDS, len(DEPTH_EDGES_M) - 1]`, by band of rows.
      classes: `[NUM_BANDS, 20]`, by band of rows; the last is no scored class.
      far: Share of each frame's labelled pixels beyond 50 m.
      near: Share of each frame's middle half that obstacles within 12 m take.
      ends: Of every fourth column of the middle half, `[columns, 2]`: the first row of ground and
        the last row of sky, as shares of the height.
      looks: By class, `[frames, 3]`: mean and standard deviation of its grey within a frame, and
        the mean step between neighbouring columns that both are of it.
    """

    grey: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    levels: Counts = dataclasses.field(default_factory=lambda: np.zeros((3, 64)))
    gradients: Counts = dataclasses.field(default_factory=lambda: np.zeros(len(GRADIENT_EDGES) - 1))
    depth: Counts = dataclasses.field(
        default_factory=lambda: np.zeros((NUM_BANDS, len(DEPTH_EDGES_M) - 1))
    )
    classes: Counts = dataclasses.field(default_factory=lambda: np.zeros((NUM_BANDS, 20)))
    far: list[float] = dataclasses.field(default_factory=list)
    near: list[float] = dataclasses.field(default_factory=list)
    ends: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    looks: dict[str, list[tuple[float, float, float]]] = dataclasses.field(default_factory=dict)

    def add(self, image: npt.NDArray[Any], depth_m: Counts, train_id: npt.NDArray[Any]) -> None:
        """Takes a frame in; all `[height, width]` of `SIZE`."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64)
        self.grey.append((grey.mean(), grey.std()))
        for channel in range(3):
            self.levels[channel] += np.histogram(image[..., channel], 64, (0, 256))[0]
        self.gradients += np.histogram(np.abs(np.diff(grey, axis=1)), GRADIENT_EDGES)[0]
        bands = np.array_split(np.arange(SIZE[0]), NUM_BANDS)
        for number, rows in enumerate(bands):
            self.depth[number] += np.histogram(depth_m[rows], DEPTH_EDGES_M)[0]
            known = np.where(train_id[rows] < 19, train_id[rows], 19)
            self.classes[number] += np.bincount(known.ravel(), minlength=20)
        is_labelled = depth_m > 0
        self.far.append(float(np.mean(depth_m[is_labelled] > FAR_M)))
        middle = np.s_[:, SIZE[1] // 4 : 3 * SIZE[1] // 4]
        is_near = np.isin(train_id, _OBSTACLES) & is_labelled & (depth_m < NEAR_M)
        self.near.append(float(is_near[middle].mean()))
        is_ground, is_sky = (np.isin(train_id, group) for group in (_GROUND, [_SKY]))
        for column in range(SIZE[1] // 4, 3 * SIZE[1] // 4, 4):
            ground, sky = (np.flatnonzero(each[:, column]) for each in (is_ground, is_sky))
            if len(ground):
                last = sky[-1] if len(sky) else 0
                self.ends.append((ground[0] / SIZE[0], last / SIZE[0]))
        steps = np.abs(np.diff(grey, axis=1))
        for name in _SHOWN:
            of_class = train_id == CLASS_NAMES.index(name)
            if of_class.mean() > LEAST_SHARE:
                inside = of_class[:, 1:] & of_class[:, :-1]
                look = grey[of_class].mean(), grey[of_class].std(), steps[inside].mean()
                self.looks.setdefault(name, []).append(look)


def statistics_of(store: LabelStore) -> Statistics:
    """Of all frames; the sky's depth, which a stereo teacher invents, does not count."""
    found = Statistics()
    for frame in store.frames:
        image, depth_m, train_id = store.read_sample(frame)
        shape = SIZE[::-1]
        image = cv2.resize(image, shape, interpolation=cv2.INTER_AREA)
        depth_m = cv2.resize(depth_m, shape, interpolation=cv2.INTER_NEAREST_EXACT)
        if train_id is None:
            train_id = np.full(depth_m.shape, 255, np.uint8)
        train_id = cv2.resize(train_id, shape, interpolation=cv2.INTER_NEAREST_EXACT)
        depth_m = np.where(train_id == CLASS_NAMES.index("sky"), 0.0, depth_m)
        found.add(image, depth_m, train_id)
    return found


def table(world: Statistics, real: Statistics) -> str:
    """The shares that a world is tuned by."""
    rows = [("", "world", "real")]
    for name, index in (("mean grey", 0), ("standard deviation of grey", 1)):
        rows.append((name, *(f"{np.mean(each.grey, axis=0)[index]:.0f}" for each in (world, real))))
    gradient = (GRADIENT_EDGES[1:] + GRADIENT_EDGES[:-1]) / 2
    rows.append(
        ("mean step between columns",
         *(f"{np.average(gradient, weights=each.gradients):.1f}" for each in (world, real)))
    )  # fmt: skip
    for number, what in enumerate(("ground begins", "sky ends")):
        for quartile in (25, 50, 75):
            both = (np.percentile(np.array(e.ends)[:, number], quartile) for e in (world, real))
            name = f"{what} at this share of the height, {quartile} % of columns"
            rows.append((name, *(f"{value:.2f}" for value in both)))
    rows.append((f"beyond {FAR_M:.0f} m", *(f"{np.mean(e.far):.3f}" for e in (world, real))))
    for share in (0.005, 0.02, 0.05):
        rows.append(
            (f"frames with > {share:.1%} near obstacles",
             *(f"{np.mean(np.array(each.near) > share):.2f}" for each in (world, real)))
        )  # fmt: skip
    for number, name in enumerate([*CLASS_NAMES, "none of them"]):
        rows.append(
            (name, *(f"{e.classes[:, number].sum() / e.classes.sum():.3f}" for e in (world, real)))
        )
    looks = ("mean grey", "deviation within a frame", "step between columns")
    for name in _SHOWN:
        for number, what in enumerate(looks):
            if name in world.looks and name in real.looks:
                both = (np.mean(each.looks[name], axis=0)[number] for each in (world, real))
                rows.append((f"{name}: {what}", *(f"{value:.1f}" for value in both)))
    return "".join(f"{name:62}{one:>9}{other:>9}\n" for name, one, other in rows)


def figure(world: Statistics, real: Statistics, path: Path) -> None:
    """Draws colours, gradients, depth and classes by rows."""
    _, axes = plt.subplots(3, 4, figsize=(17, 11), constrained_layout=True)
    sets = (("world", world, "-"), ("real", real, "--"))
    for name, each, style in sets:
        for channel, color in enumerate(("tab:red", "tab:green", "tab:blue")):
            share = each.levels[channel] / each.levels[channel].sum()
            axes[0, 0].plot(np.arange(64) * 4, share, style, color=color, lw=1)
        axes[0, 1].plot(GRADIENT_EDGES[1:], each.gradients / each.gradients.sum(), style,
                        color="k", label=name)  # fmt: skip
        depth = each.depth.sum(axis=0)
        axes[0, 2].plot(DEPTH_EDGES_M[1:], depth / depth.sum(), style, color="k", label=name)
        middle = np.sqrt(DEPTH_EDGES_M[1:] * DEPTH_EDGES_M[:-1])
        rows = np.maximum(each.depth.sum(axis=1), 1)
        axes[0, 3].plot(np.exp(each.depth @ np.log(middle) / rows), range(NUM_BANDS), style,
                        color="k", label=name)  # fmt: skip
    for axis, title in zip(
        axes[0], ("pixel values", "steps between columns", "depth, m", "mean depth by row, m"),
        strict=True,
    ):  # fmt: skip
        axis.set_title(title)
    for axis in axes[0, 1:]:
        axis.set_xscale("log")
        axis.legend()
    axes[0, 3].invert_yaxis()
    for column, (name, each, _) in enumerate(sets):
        share = each.depth / np.maximum(each.depth.sum(axis=1, keepdims=True), 1)
        axes[1, column].imshow(share, aspect="auto", cmap="magma", vmax=0.25)
        axes[1, column].set_title(f"depth by row, {name}")
        axes[1, column].set_xticks(range(0, 40, 8), [f"{m:.0f}" for m in DEPTH_EDGES_M[:-1:8]])
    for axis, class_name in zip([*axes[1, 2:], *axes[2]], _SHOWN[2:8], strict=False):
        number = CLASS_NAMES.index(class_name)
        for name, each, style in sets:
            share = each.classes[:, number] / each.classes.sum(axis=1)
            axis.plot(share, range(NUM_BANDS), style, color="k", label=name)
        axis.invert_yaxis()
        axis.set_title(f"{class_name} by row")
    plt.savefig(path, dpi=80)


def main() -> None:
    """Flags to a table and a figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--world", type=Path, required=True, help="label store of a world")
    parser.add_argument("--real", type=Path, required=True, help="label store of real frames")
    parser.add_argument("--output", type=Path, default=Path("world_against_real.png"))
    choice = parser.parse_args()
    world, real = (statistics_of(LabelStore.open(path)) for path in (choice.world, choice.real))
    sys.stdout.write(table(world, real))
    figure(world, real, choice.output)


if __name__ == "__main__":
    main()
