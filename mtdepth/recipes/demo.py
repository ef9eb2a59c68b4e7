"""A few minutes on the demo world from the network that comes along, to see the whole way work.

At its size and gently: what it knows of near and thin things is more than the demo's labels show.

    make demo
"""

from mtdepth.recipes.base import Augmentation, TrainRecipe
from mtdepth.specs.student import StudentSpec, designed

RECIPE = TrainRecipe(
    name="demo",
    student=designed(StudentSpec(tasks=("depth", "segmentation")), "fast"),  # ours: the start's
    start_from="pretrained",  # ours: the demo is what a user's own fine-tuning is
    input_size_px=(128, 416),  # ours: the start's
    near_m=1.0,  # ours: a robot's near limit
    far_m=80.0,  # ours: as far as the street is drawn
    sky_is_far=True,  # ours: a robot must not see obstacles there
    depth_target="valid_mean",  # ours: dense labels are averaged in depth
    depth_weight=0.25,  # ours: as the paper
    segmentation_weight=0.75,  # ours: as the paper
    near_weight=1.0,  # ours: as the start was trained
    encoder_weights="none",  # ours: must run without a download
    batch_size=8,  # ours
    num_epochs=2,  # ours: with labels and scores over in minutes
    steps_per_epoch=100,  # ours
    learning_rate=1e-3,  # ours: a third of small_data's
    schedule="cosine",  # ours
    warmup_steps=30,  # ours
    statistics_batches=30,  # ours
    augmentation=Augmentation(  # ours: little, since the world is small
        flip_probability=0.5, max_zoom=1.15, brightness=0.15, contrast=0.15, saturation=0.1
    ),
)
