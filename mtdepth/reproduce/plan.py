"""From tables to commands: every run once, whichever rows and tables it is of."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mtdepth.defaults import DEMO_MARKER
from mtdepth.reproduce.lengths import WORLD, Length
from mtdepth.reproduce.table import MISSCALED, LabelKind, Row, Table, Training, Where
from mtdepth.steps import Step

_PLAIN: LabelKind = "teacher"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sources:
    """What is learned from and scored on.

    Attributes:
      output: Folder of everything that is made.
      data: Recordings in KITTI's raw layout; None for worlds of our own.
      splits: Frames that are learned from, scored, and learned from as video.
      teacher: Words of the depth teacher for `mtdepth label`; empty where there is none.
      classes: Of the class teacher, likewise.
      odometry: KITTI's odometry; None for none.
      make3d: Make3D's test set; None for none.
      num_processes: Of the programs that label and draw.
    """

    output: Path
    data: Path | None
    splits: tuple[str, str, str]
    teacher: tuple[str, ...]
    classes: tuple[str, ...] = ()
    odometry: Path | None = None
    make3d: Path | None = None
    num_processes: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unit:
    """What is finished, or failed, as a whole: one row's run of one seed, or what runs need.

    Attributes:
      name: Its folder's.
      steps: In their order.
      needs: Units that come first.
    """

    name: str
    steps: tuple[Step, ...]
    needs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Run:
    """A training of one seed at one length."""

    length: Length
    training: Training
    seed: int

    @property
    def settings(self) -> dict[str, object]:
        """All that the weights depend on."""
        return {
            **dataclasses.asdict(self.training),
            "overrides": self.length.overrides_of(self.training),
            "length": self.length.name,
            "seed": self.seed,
        }

    @property
    def name(self) -> str:
        """The folder's: what it is, and a digest of its settings."""
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:8]
        what = self.training.labels or self.training.data
        return f"{self.training.model}_{what}_{digest}_seed{self.seed}"


class Plan:
    """The units of tables at one length.

    Args:
      tables: That are made.
      length: Of the trainings.
      seeds: How many of each.
      sources: What is there.
    """

    def __init__(
        self, tables: Sequence[Table], *, length: Length, seeds: int, sources: Sources
    ) -> None:
        self.tables, self.length, self.sources = tuple(tables), length, sources
        self.seeds = range(seeds)

    def missing(self, row: Row) -> str:
        """What a row needs and is not there; empty where it can be made."""
        training = row.training
        if training.data == "odometry" and self.sources.odometry is None:
            return "KITTI's odometry, all of it (--odometry)"
        if training.labels not in (None, "lidar") and not self.sources.teacher:
            return "a depth teacher (--disparity_dir or --psmnet_weights)"
        if training.has_classes and not self.sources.classes:
            return "a class teacher (--train_id_dir or --deeplab_weights)"
        whole = any(
            column.where == "make3d"
            for table in self.tables
            if row in table.rows
            for column in table.columns
        )
        return "Make3D (--make3d)" if whole and self.sources.make3d is None else ""

    def rows(self) -> Iterator[tuple[Table, Row]]:
        """The rows that can be made."""
        return (
            (table, row) for table in self.tables for row in table.rows if not self.missing(row)
        )

    def preparations(self) -> list[Unit]:
        """Worlds and labels, in an order that they can be made in."""
        kinds: list[LabelKind] = []
        for _, row in self.rows():
            if (kind := row.training.labels) is not None:
                kinds += [kind] if kind == "lidar" else [_PLAIN, kind]
        units = [self._world()] if self.sources.data is None else []
        units += [self._labels(kind) for kind in dict.fromkeys(kinds)]
        return [*units, self._exact()] if self.length.exact and kinds else units

    def trainings(self) -> list[Unit]:
        """A unit for each run of each seed, with all scores that rows want of it."""
        wanted: dict[Training, list[tuple[str, Where]]] = {}
        for table, row in self.rows():
            of_run = wanted.setdefault(row.training, [])
            of_run += [(row.cut, _score_of(column.where)) for column in table.columns]
        # By seed first, so that every row soon has a number.
        return [
            self._training(Run(self.length, training, seed), dict.fromkeys(scores))
            for seed in self.seeds
            for training, scores in wanted.items()
        ]

    def costs(self) -> list[Unit]:
        """A unit for each table with times: its networks one after the other, nothing beside."""
        timed = [
            (table, [row for other, row in self.rows() if other is table and row.timed_size])
            for table in self.tables
        ]
        return [self._cost(table, rows) for table, rows in timed if rows]

    @property
    def data(self) -> Path:
        """The recordings."""
        return self.sources.data or self.sources.output / "world"

    def folder(self, unit: str) -> Path:
        """A unit's folder."""
        return self.sources.output / "units" / unit

    def result_path(self, table: Table, row: Row, seed: int, where: Where) -> Path:
        """The file that a row's numbers of a kind are in."""
        if where == "cost":
            return self.cost_folder(table, row) / "cost.json"
        run = Run(self.length, row.training, seed)
        return _score_path(self.folder(run.name), row.cut, _score_of(where))

    def cost_folder(self, table: Table, row: Row) -> Path:
        """Where a row's exported file is."""
        return self.folder(f"cost_{table.name}") / str(table.rows.index(row))

    def _world(self) -> Unit:
        words = ("world", "--output", str(self.data), *WORLD, *self._processes)
        step = Step("the world", words, self.data / DEMO_MARKER)
        return Unit(name="world", steps=(step,))

    def _labels(self, kind: LabelKind) -> Unit:
        folder = self.folder(f"labels_{kind}") / "labels"
        plain = str(self.folder(f"labels_{_PLAIN}") / "labels" / "depth")
        again = ("--depth_teacher", "precomputed", "--depth_dir", plain)
        factor = ("--depth_factor", str(MISSCALED))
        depth: dict[LabelKind, tuple[str, ...]] = {
            "lidar": ("--depth_teacher", "lidar", "--bias", "none"),
            "teacher": (*self.sources.teacher, "--bias", "none"),
            "corrected": (*again, "--bias", "fit"),
            "misscaled": (*again, *factor, "--bias", "none"),
            "misscaled_corrected": (*again, *factor, "--bias", "fit"),
        }
        step = Step(
            f"labels, {kind}",
            (
                *("label", "--kitti_root", str(self.data), "--split", self.sources.splits[0]),
                *(*depth[kind], *self.sources.classes, *self._processes),
                *("--output", str(folder)),
            ),
            folder / "manifest.json",
            # Labels that are wrong on purpose are made, and said to be no metres.
            accepts=(0, 1) if kind == "misscaled" else (0,),
        )
        needs = () if kind in ("lidar", _PLAIN) else (f"labels_{_PLAIN}",)
        return Unit(name=f"labels_{kind}", steps=(step,), needs=(*self._world_if_any, *needs))

    def _exact(self) -> Unit:
        folder = self.folder("labels_exact") / "labels"
        words = (
            *("label", "--kitti_root", str(self.data), "--split", self.sources.splits[1]),
            *("--depth_teacher", "precomputed", "--depth_dir", str(self.data / "truth" / "depth")),
            *("--bias", "none", *self.sources.classes, *self._processes, "--output", str(folder)),
        )
        step = Step("exact depth of the frames that are scored", words, folder / "manifest.json")
        return Unit(name="labels_exact", steps=(step,), needs=self._world_if_any)

    def _training(self, run: Run, scores: Iterable[tuple[str, Where]]) -> Unit:
        training, folder = run.training, self.folder(run.name)
        workdir = folder / "run"
        steps = [Step("training", self._train_words(run, workdir), workdir / "last.weights.h5")]
        for cut, where in scores:
            if where != "cost":
                steps += self._score(training, workdir, cut, where)
        labels = () if training.labels is None else (f"labels_{training.labels}",)
        exact = ("labels_exact",) if training.labels and self.length.exact else ()
        return Unit(name=run.name, steps=tuple(steps), needs=(*self._world_if_any, *labels, *exact))

    def _train_words(self, run: Run, workdir: Path) -> tuple[str, ...]:
        training = run.training
        if training.labels is not None:
            store = self.folder(f"labels_{training.labels}") / "labels"
            what: tuple[str, ...] = ("--data", str(store))
        else:
            videos = {
                "raw": (str(self.data), self.sources.splits[2]),
                "odometry": (str(self.sources.odometry), "train"),
            }
            video, split = videos[training.data]
            cache = str(self.sources.output / "video_cache")
            what = ("--video", video, "--video_split", split, "--video_cache", cache)
        return (
            *("train", "--model", training.model, "--recipe", training.recipe, *what),
            *(word for each in self.length.overrides_of(training) for word in ("--override", each)),
            *("--seed", str(run.seed), "--workdir", str(workdir)),
        )

    def _score(self, training: Training, workdir: Path, cut: str, where: Where) -> list[Step]:
        output = _score_path(workdir.parent, cut, where)
        network = ("--decoder", cut, "--checkpoint", "last")
        if where == "make3d":
            words = ("make3d", "--root", str(self.sources.make3d), "--model", str(workdir))
            return [Step("Make3D", (*words, *network, "--output", str(output)), output)]
        if where in ("odometry_09", "odometry_10"):
            words = ("ego-motion", "--workdir", str(workdir), "--checkpoint", "last")
            video = ("--video", str(self.sources.odometry), "--video_split", where[-2:])
            return [Step(where, (*words, *video, "--output", str(output.parent)), output)]
        names = [*self.length.protocols[training.model]]
        if training.model == "mininet":
            names.append(self.length.protocol_50m)
        exact = training.labels and self.length.exact
        if exact:
            names.append(exact)
        store = self.folder("labels_exact") / "labels"
        return [
            Step(
                f"scores of {cut}",
                (
                    *("evaluate", "--model", str(workdir), *network),
                    *("--kitti_root", str(self.data), "--split", self.sources.splits[1]),
                    *(word for name in names for word in ("--protocol", name)),
                    *(("--labels", str(store)) if exact else ()),
                    *("--output", str(output)),
                ),
                output,
            )
        ]

    def _cost(self, table: Table, rows: Sequence[Row]) -> Unit:
        runs = [Run(self.length, row.training, 0).name for row in rows]
        steps, files = [], []
        for row, run in zip(rows, runs, strict=True):
            folder, size = self.cost_folder(table, row), row.timed_size or (0, 0)
            sides = ("--height", str(size[0]), "--width", str(size[1]))
            export = (
                *("export", "--workdir", str(self.folder(run) / "run"), "--decoder", row.cut),
                *("--checkpoint", "last", "--precision", "float32", *sides),
                *("--output", str(folder)),
            )
            files.append(folder / "model.tflite")
            steps.append(Step(f"file of {row.name}", export, files[-1]))
            words = (*_describe_words(row), *sides, "--json", str(folder / "cost.json"))
            steps.append(Step(f"parameters of {row.name}", words, folder / "cost.json"))
        times = self.folder(f"cost_{table.name}") / "times.json"
        models = (word for file in files for word in ("--model", str(file)))
        words = ("benchmark", *models, "--threads", "1", "--json", str(times))
        return Unit(
            name=f"cost_{table.name}",
            steps=(*steps, Step("times", words, times)),
            needs=tuple(dict.fromkeys(runs)),
        )

    @property
    def _world_if_any(self) -> tuple[str, ...]:
        return ("world",) if self.sources.data is None else ()

    @property
    def _processes(self) -> tuple[str, ...]:
        return ("--num_processes", str(self.sources.num_processes))


def _score_of(where: Where) -> Where:
    """One evaluation has all protocols."""
    return "depth" if where in ("exact", "depth_50m") else where


def _score_path(folder: Path, cut: str, where: Where) -> Path:
    if where in ("odometry_09", "odometry_10"):
        return folder / where / "ego_motion.json"
    return folder / f"{where}_{cut}.json"


def _describe_words(row: Row) -> tuple[str, ...]:
    if row.training.model == "student":
        tasks = "both" if row.training.has_classes else "depth"
        return ("describe", "--model", "student", "--decoder", row.cut, "--tasks", tasks)
    switches = {
        "mininet.variant=medium": ("--variant", "medium"),
        "mininet.variant=small": ("--variant", "small"),
        "mininet.reuse=false": ("--no_reuse",),
        "mininet.dense_decoder=true": ("--dense_decoder",),
    }
    words = (word for each in row.training.overrides for word in switches[each])
    return ("describe", "--model", "mininet", "--output", row.cut, *words)
