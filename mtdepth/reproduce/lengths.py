"""How long the rows of a table are trained, and on what."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from mtdepth.recipes.registry import find_recipe, find_video_recipe
from mtdepth.reproduce.table import Column, Table, Training, Where

Name = Literal["full", "demo", "mini"]

WORLD = ("--drives", "40", "--frames", "8", "--width", "416", "--height", "128")
_FROM_NOTHING = ("encoder_weights=none",)
# ours: as the recipe `small_data`, whose numbers are tried on trainings of some hundred steps.
_SHORT = (
    *("learning_rate=0.003", "schedule=cosine", "epoch_decay=1.0", "warmup_steps=50"),
    "statistics_batches=30",
)
# ours: as `mininet_small_data`; a network for the motion that a processor can train.
_SHORT_VIDEO = (
    *("learning_rate=0.0002", "schedule=cosine", "halve_every_epochs=0", "warmup_steps=50"),
    *("clip_norm=1.0", "min_flow_px=0.5", "pose_encoder=light", "pose_weights=none"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Length:
    """A length.

    Attributes:
      name: As `--length` has it.
      in_words: What it is, for the foot of a table.
      sizes: (height, width) of the networks' inputs by the sizes of `Training`.
      num_epochs: By model; empty for the recipes' own.
      overrides: By model, before the row's own.
      protocols: By model: how depth is scored, the one that decides first.
      protocol_50m: Of MiniNet's first table.
      exact: Protocol against exact depth, of the student; None where nobody has that.
    """

    name: Name
    in_words: str
    sizes: Mapping[str, tuple[int, int]]
    num_epochs: Mapping[str, int] = dataclasses.field(default_factory=dict)
    overrides: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    protocols: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=lambda: {
            "student": ("eigen_garg_80m", "camera_z_garg_80m"),
            "mininet": ("eigen_garg_80m_median",),
        }
    )
    protocol_50m: str = "eigen_garg_50m_median"
    exact: str | None = None

    def overrides_of(self, training: Training) -> tuple[str, ...]:
        """All that is changed in the recipe."""
        recipe = (
            find_recipe(training.recipe)
            if training.model == "student"
            else find_video_recipe(training.recipe)
        )
        whole = self.num_epochs.get(training.model, recipe.num_epochs)
        num_epochs = max(round(training.epochs_share * whole), 1)
        height_px, width_px = self.sizes[training.size]
        return (
            f"input_size_px=[{height_px},{width_px}]",
            *self.overrides.get(training.model, ()),
            *training.overrides,
            *((f"num_epochs={num_epochs}",) if num_epochs != recipe.num_epochs else ()),
        )

    def columns_of(self, table: Table) -> tuple[Column, ...]:
        """A table's columns; where depth is known exactly, its errors once more against that."""
        if self.exact is None or table.rows[0].training.model != "student":
            return table.columns
        more = (
            dataclasses.replace(
                column,
                key=f"{column.key}_exact",
                quantity=column.quantity or column.key,
                heading=f"{column.heading}, exact",
                where="exact",
            )
            for column in table.columns
            if column.where == "depth"
        )
        return (*table.columns, *more)

    def deciding(self, table: Table, key: str) -> Column:
        """The column that a claim on `key` is decided by: against exact depth where there is."""
        columns = {column.key: column for column in self.columns_of(table)}
        return columns.get(f"{key}_exact", columns[key])

    def protocol(self, where: Where, model: str) -> str:
        """The protocol of a result."""
        if where == "exact" and self.exact:
            return self.exact
        return self.protocol_50m if where == "depth_50m" else self.protocols[model][0]


FULL = Length(
    name="full",
    in_words="the recipes as they stand, on KITTI",
    sizes={
        "kitti": (320, 1056),
        "edge": (320, 480),
        "mininet": (192, 640),
        "mininet_512": (256, 512),
    },
)
DEMO = Length(
    name="demo",
    in_words="rendered streets (240 frames learned from, 80 of other streets scored), pictures a "
    "fifth as wide, from nothing, some hundred steps; the teacher is semi-global matching, not "
    "PSMNet, and what it gets wrong is its own; exact depth is the renderer's",
    sizes={"kitti": (64, 192), "edge": (64, 96), "mininet": (64, 192), "mininet_512": (64, 128)},
    num_epochs={"student": 2, "mininet": 2},
    overrides={
        "student": (*_FROM_NOTHING, *_SHORT, "steps_per_epoch=150"),
        "mininet": (*_SHORT_VIDEO, "batch_size=4", "steps_per_epoch=100"),
    },
    exact="labels_garg_80m",
)
MINI = Length(
    name="mini",
    in_words="real frames, few, from nothing, some hundred steps",
    sizes={
        "kitti": (128, 416),
        "edge": (128, 192),
        "mininet": (96, 320),
        "mininet_512": (128, 256),
    },
    num_epochs={"student": 10, "mininet": 10},
    overrides={
        # Without it some dozens of frames are learned by heart.
        "student": (
            *_FROM_NOTHING,
            *_SHORT,
            "steps_per_epoch=150",
            *("augmentation.max_zoom=1.25", "augmentation.brightness=0.2"),
            *("augmentation.contrast=0.2", "augmentation.saturation=0.2"),
        ),
        "mininet": (*_SHORT_VIDEO, "batch_size=4", "steps_per_epoch=150"),
    },
)
LENGTHS: dict[str, Length] = {length.name: length for length in (FULL, DEMO, MINI)}
