"""Recipes of teacher trainings: every number that changes a trained weight.

`deeplab_cityscapes` after Chen et al. 2017/2018, `psmnet_kitti2015` after Chang & Chen 2018, and a
`..._demo` of either: some minutes on two CPU cores, to see the whole way work.

    python -m teachers.train deeplab_v3 --root CITYSCAPES --workdir runs/deeplab
    python -m teachers.train psmnet --root KITTI2015 --weights psmnet.npz --workdir runs/psmnet
"""

import dataclasses
from typing import ClassVar, Literal, TypeVar, get_args

from mtdepth.files import UserError
from mtdepth.recipes.base import Augmentation
from mtdepth.recipes.schedule import RateRule, TrainingSchedule, require_at_least
from teachers.psmnet.sizes import SIZE_MULTIPLE, check_max_disparity

TeacherName = Literal["deeplab_v3", "psmnet"]
TEACHER_NAMES: tuple[TeacherName, ...] = get_args(TeacherName)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeacherRecipe(TrainingSchedule):
    """What both teachers' trainings are described by.

    Attributes:
      name: The recipe's name in `RECIPES`.
      start_from: Weight file to fine-tune; empty to begin with random weights.
      crop_px: (height, width) of the pictures learned from, multiples of `SIDE_MULTIPLE_PX`.
      statistics_batches: Training batches over which the batch-norm statistics are averaged before
        each evaluation and save.
      augmentation: How pictures are varied.
    """

    SIDE_MULTIPLE_PX: ClassVar[int] = SIZE_MULTIPLE

    name: str
    start_from: str = ""
    crop_px: tuple[int, int]
    schedule: RateRule = "cosine"
    statistics_batches: int = 30
    augmentation: Augmentation

    def __post_init__(self) -> None:
        """Rejects a recipe that would fail hours into a run."""
        super().__post_init__()
        multiple = self.SIDE_MULTIPLE_PX
        if len(self.crop_px) != 2 or any(
            side < multiple or side % multiple for side in self.crop_px
        ):
            raise UserError(
                f"crop_px must be (height, width) in multiples of {multiple}, got {self.crop_px}"
            )
        require_at_least(self, 1, "steps_per_epoch", "statistics_batches")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepLabRecipe(TeacherRecipe):
    """A training of the segmentation teacher.

    Attributes:
      backbone, head: See `teachers.deeplab_v3.network`.
      backbone_weights: Weight file of the backbone alone (ImageNet's, say); empty for none.
      min_zoom: Smallest zoom of a crop; `augmentation.max_zoom` is the largest.
    """

    SIDE_MULTIPLE_PX: ClassVar[int] = 32

    backbone: str = "resnet18"
    head: str = "v3plus"
    backbone_weights: str = ""
    min_zoom: float = 1.0

    def __post_init__(self) -> None:
        """Rejects a recipe that would fail hours into a run."""
        super().__post_init__()
        if not 0 < self.min_zoom <= self.augmentation.max_zoom:
            raise UserError(
                f"min_zoom must be above 0 and at most augmentation.max_zoom="
                f"{self.augmentation.max_zoom}, got {self.min_zoom}"
            )
        if self.start_from and self.backbone_weights:
            raise UserError(
                "start_from holds the whole network and backbone_weights its first part: give one"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PsmnetRecipe(TeacherRecipe):
    """A training of the stereo teacher.

    Attributes:
      max_disparity_px: Searched disparities are 0..max_disparity_px - 1; a multiple of 16.
      align_corners: The rule of every upsampling, where the training begins with random weights;
        a weight file must say the same.
    """

    max_disparity_px: int = 192
    align_corners: bool = False

    def __post_init__(self) -> None:
        """Rejects a recipe that would fail hours into a run."""
        super().__post_init__()
        check_max_disparity(self.max_disparity_px)
        if self.augmentation.flip_probability or self.augmentation.max_zoom != 1:
            raise UserError(
                "a pair is neither mirrored nor zoomed: augmentation.flip_probability must be 0 "
                "(a mirrored pair needs the right view's disparity) and augmentation.max_zoom 1"
            )


RECIPES: dict[str, DeepLabRecipe | PsmnetRecipe] = {
    recipe.name: recipe
    for recipe in (
        DeepLabRecipe(
            name="deeplab_cityscapes",
            backbone="resnet50",  # ours: the paper's Xception-65 is not in keras-cv
            crop_px=(768, 768),  # Chen et al. 2018, sec. 4.4: 769, here a multiple of 32
            batch_size=16,  # Chen et al. 2017, sec. 4.1
            num_epochs=60,  # with the next: 30,000 steps, Chen et al. 2017, sec. 4.1
            steps_per_epoch=500,  # ours: how often it is scored
            learning_rate=2e-4,  # ours: Adam; the paper's 0.007 is momentum SGD's
            schedule="cosine",  # ours; the paper's "poly" of power 0.9 is close to it
            warmup_steps=500,  # ours: the head's first gradients are noise to the backbone
            min_zoom=0.5,  # Chen et al. 2017, sec. 4.1
            augmentation=Augmentation(
                flip_probability=0.5,  # Chen et al. 2017, sec. 4.1
                max_zoom=2.0,  # Chen et al. 2017, sec. 4.1
                brightness=0.2,  # ours, as the next three
                contrast=0.2,
                saturation=0.2,
                hue=0.03,
            ),
        ),
        DeepLabRecipe(
            name="deeplab_demo",  # ours throughout: minutes on two cores
            backbone="mobilenet_v3_small",
            crop_px=(128, 128),
            batch_size=8,
            num_epochs=5,
            steps_per_epoch=60,
            learning_rate=2e-3,
            warmup_steps=20,
            augmentation=Augmentation(
                flip_probability=0.5, max_zoom=1.5, brightness=0.2, contrast=0.2, saturation=0.2
            ),
        ),
        PsmnetRecipe(
            name="psmnet_kitti2015",
            crop_px=(256, 512),  # Chang & Chen 2018, sec. 4.2
            batch_size=12,  # Chang & Chen 2018, sec. 4.2
            max_disparity_px=192,  # Chang & Chen 2018, sec. 4.2
            num_epochs=40,  # with the next: 300 rounds of 160 pairs, Chang & Chen 2018, sec. 4.2
            steps_per_epoch=100,
            learning_rate=1e-3,  # Chang & Chen 2018, sec. 4.2
            schedule="cosine",  # ours; the paper falls to a tenth after two thirds
            augmentation=Augmentation(flip_probability=0.0),  # the paper mentions none
        ),
        PsmnetRecipe(
            name="psmnet_demo",  # ours throughout: minutes on two cores
            crop_px=(64, 128),
            batch_size=2,
            max_disparity_px=64,
            num_epochs=4,
            steps_per_epoch=60,
            learning_rate=1e-3,
            warmup_steps=20,
            clip_norm=10.0,
            statistics_batches=15,
            augmentation=Augmentation(
                flip_probability=0.0, brightness=0.15, contrast=0.15, saturation=0.1
            ),
        ),
    )
}


AnyRecipe = TypeVar("AnyRecipe", DeepLabRecipe, PsmnetRecipe)


def find_recipe(name: str, kind: type[AnyRecipe]) -> AnyRecipe:
    """Returns a teacher's recipe by name.

    Raises:
      UserError: If that teacher has none of this name, naming those it has.
    """
    recipe = RECIPES.get(name)
    if not isinstance(recipe, kind):
        names = sorted(n for n, other in RECIPES.items() if isinstance(other, kind))
        raise UserError(f"no recipe {name!r} for this teacher; there are {', '.join(names)}")
    return recipe
