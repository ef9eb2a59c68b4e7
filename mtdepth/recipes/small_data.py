"""Some dozens of labelled frames, from the network that comes along, on a machine without a GPU.

Ours. For people who want to see their own recordings learned in minutes. Twice as long from nothing
is worse: 64 KITTI frames give 20 others an Abs Rel of 0.139 so, of 0.179 with `--design paper
--override num_epochs=10 --override input_size_px=[192,640]`; `notebooks/README.md` has commands,
times and scores.

    python -m mtdepth.train --recipe small_data --data LABELS --workdir RUN
"""

from mtdepth.recipes.base import Augmentation, TrainRecipe
from mtdepth.specs.student import StudentSpec, designed

RECIPE = TrainRecipe(
    name="small_data",
    student=designed(StudentSpec(tasks=("depth", "segmentation")), "fast"),  # ours: the start's
    start_from="pretrained",  # ours: half the steps and less error than from nothing, see above
    input_size_px=(128, 416),  # ours: the start's; 640x192 is no better and takes twice as long
    near_m=4.0,  # paper, eq. 5
    far_m=80.0,  # paper, eq. 5
    sky_is_far=True,  # ours: see multitask_kitti
    depth_target="valid_mean",  # ours: see multitask_kitti
    depth_weight=0.25,  # paper, III.C
    segmentation_weight=0.75,  # paper, III.C
    encoder_weights="none",  # ours: must run without a download
    batch_size=8,  # paper, IV.A
    num_epochs=5,  # ours: fixes how often it is saved and evaluated
    steps_per_epoch=150,  # ours: 750 steps in all, eight minutes of one core
    learning_rate=3e-3,  # ours: 0.01 is unstable from nothing
    schedule="cosine",  # ours: a short run must end at a small rate
    warmup_steps=50,  # ours
    statistics_batches=60,  # ours: moving averages are re-estimated before they are used
    augmentation=Augmentation(  # ours: without it 64 frames are learned by heart
        flip_probability=0.5, max_zoom=1.25, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05
    ),
)
