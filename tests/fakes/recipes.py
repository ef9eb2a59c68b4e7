"""A recipe whose network is traced in a second: one bottleneck where the real one has several."""

from mtdepth.models.specs import BlockSpec, StageSpec, StudentSpec
from mtdepth.recipes.base import TrainRecipe

TINY_STUDENT = StudentSpec(
    stages=tuple(StageSpec(width=width, num_bottlenecks=1, stride=2) for width in (16, 24, 32, 64)),
    blocks=tuple(
        BlockSpec(skip=f"block_{tap}", width=8, num_bottlenecks=1) for tap in (3, 2, 1, 0)
    ),
    tasks=("depth", "segmentation"),
)


def tiny_recipe() -> TrainRecipe:
    """Two epochs of three steps of two pictures of 64x96."""
    return TrainRecipe(
        name="tiny",
        student=TINY_STUDENT,
        input_size_px=(64, 96),
        near_m=1.0,
        far_m=80.0,
        sky_is_far=True,
        depth_target="valid_mean",
        depth_weight=0.25,
        segmentation_weight=0.75,
        batch_size=2,
        num_epochs=2,
        steps_per_epoch=3,
        learning_rate=0.004,
        schedule="cosine",
        statistics_batches=2,
    )
