"""A training from scratch for some dozens of labelled frames, on a machine without a GPU.

Ours. For people who want to see their own recordings learned in half an hour, without ImageNet
weights. README, "Real frames", has its commands, time and scores on 64 KITTI frames.

    python -m mtdepth.train --recipe small_data --decoder L --data LABELS --workdir RUN
"""

from mtdepth.recipes.base import Augmentation, TrainRecipe

RECIPE = TrainRecipe(
    name="small_data",
    input_size_px=(192, 640),  # ours: a third of the paper's pixels, KITTI's aspect ratio
    near_m=4.0,  # paper, eq. 5
    far_m=80.0,  # paper, eq. 5
    sky_is_far=True,  # ours: see multitask_kitti
    depth_target="valid_mean",  # ours: see multitask_kitti
    depth_weight=0.25,  # paper, III.C
    segmentation_weight=0.75,  # paper, III.C
    encoder_weights="none",  # ours: must run without a download
    batch_size=8,  # paper, IV.A
    num_epochs=10,  # ours: fixes how often it is saved and evaluated
    steps_per_epoch=150,  # ours: 1,500 steps in all, half an hour on two cores
    learning_rate=3e-3,  # ours: 0.01 is unstable from scratch
    schedule="cosine",  # ours: a short run must end at a small rate
    warmup_steps=50,  # ours
    statistics_batches=60,  # ours: moving averages are re-estimated before they are used
    augmentation=Augmentation(  # ours: without it 64 frames are learned by heart
        flip_probability=0.5, max_zoom=1.25, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05
    ),
)
