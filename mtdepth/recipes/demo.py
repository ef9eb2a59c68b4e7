"""A training of a few minutes on the demo world, to see the whole way work.

make demo
"""

from mtdepth.recipes.base import Augmentation, TrainRecipe

RECIPE = TrainRecipe(
    name="demo",
    input_size_px=(96, 320),  # ours: a step takes 0.2 to 0.3 s on two cores
    near_m=1.0,  # ours: a robot's near limit
    far_m=80.0,  # ours: as far as the street is drawn
    sky_is_far=True,  # ours: a robot must not see obstacles there
    depth_target="valid_mean",  # ours: dense labels are averaged in depth
    depth_weight=0.25,  # ours: as the paper
    segmentation_weight=0.75,  # ours: as the paper
    encoder_weights="none",  # ours: must run without a download
    batch_size=8,  # ours
    num_epochs=8,  # ours: five minutes
    steps_per_epoch=150,  # ours
    learning_rate=4e-3,  # ours
    schedule="cosine",  # ours
    warmup_steps=30,  # ours
    statistics_batches=30,  # ours
    augmentation=Augmentation(  # ours: little, since the world is small
        flip_probability=0.5, max_zoom=1.15, brightness=0.15, contrast=0.15, saturation=0.1
    ),
)
