"""A training of MiniNet from some hundred frames of video, on a machine without a GPU.

Ours. For people who want to see their own video learned in a quarter of an hour.

    python -m mtdepth.train --model mininet --variant small --recipe mininet_small_data \
        --video VIDEO --workdir RUN
"""

from mtdepth.recipes.base import Augmentation
from mtdepth.recipes.video import VideoRecipe
from mtdepth.specs.mininet import MiniNetSpec

RECIPE = VideoRecipe(
    name="mininet_small_data",
    mininet=MiniNetSpec(variant="small"),  # ours: the fastest step
    input_size_px=(96, 320),  # ours: a quarter of the paper's pixels
    pose_encoder="light",  # ours: ResNet-18 takes longer than everything else on a CPU
    pose_weights="none",  # ours: must run without a download
    batch_size=4,  # ours: more steps from few frames
    num_epochs=10,  # ours: fixes how often it is saved and judged
    steps_per_epoch=150,  # ours
    learning_rate=2e-4,  # ours: 1e-4 is slow; 4e-4 sent the depth to infinity for 300 steps
    schedule="cosine",  # ours: and end at a small rate
    warmup_steps=50,  # ours
    clip_norm=1.0,  # ours: nothing normalises the features, and the rate is high
    ssim_weight=0.85,  # paper, eq. 6
    smoothness_weight=0.001,  # paper, eq. 11
    smoothness_sharpness=10.0,  # paper, eq. 9
    smoothness_scale_decay=1.0,  # ours: as in mininet_kitti
    min_flow_px=0.5,  # ours: the paper's size has twice the pixels along each side
    augmentation=Augmentation(  # paper, 4.1
        flip_probability=0.5, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1
    ),
    jitter_probability=0.5,  # paper, 4.1
)
