r"""The published training of MiniNet from video, without labels.

Source: "MiniNet: An extremely lightweight convolutional neural network for real-time unsupervised
monocular depth estimation" (2020), sections 3.3 and 4.1: triplets of KITTI's frames, photometric
error of both neighbours at four scales, a ResNet-18 from ImageNet for the motion.

    python -m mtdepth.train --model mininet --variant original --recipe mininet_kitti \
        --video $KITTI --workdir RUN

40 passes over 39,810 triplets. The paper took 43 hours on a GTX 1080 Ti and prints Abs Rel 0.141 on
KITTI's Eigen test frames, each scaled by its median.
"""

from mtdepth.recipes.base import Augmentation
from mtdepth.recipes.video import VideoRecipe
from mtdepth.specs.mininet import MiniNetSpec

RECIPE = VideoRecipe(
    name="mininet_kitti",
    mininet=MiniNetSpec(variant="original"),  # paper, table 1
    input_size_px=(192, 640),  # paper, 4.1
    pose_encoder="resnet18",  # paper, 3.1
    pose_weights="imagenet",  # paper, 3.1
    batch_size=6,  # paper, 4.1
    num_epochs=40,  # paper, 4.1
    steps_per_epoch=0,  # paper: one pass
    learning_rate=1e-4,  # paper, 4.1
    adam_beta_1=0.9,  # paper, 4.1
    adam_beta_2=0.999,  # paper, 4.1
    halve_every_epochs=30,  # paper, 4.1: "reduced by 2 times every 30 epochs"
    clip_norm=10.0,  # ours: nothing normalises the features; only single steps reach it
    auto_mask=False,  # paper: not mentioned
    ssim_weight=0.85,  # paper, eq. 6: alpha
    smoothness_weight=0.001,  # paper, eq. 11
    smoothness_sharpness=10.0,  # paper, eq. 9
    smoothness_scale_decay=1.0,  # ours: the paper gives smoothness no scale
    min_flow_px=1.0,  # ours: the paper says only that static frames are removed
    augmentation=Augmentation(  # paper, 4.1
        flip_probability=0.5, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1
    ),
    jitter_probability=0.5,  # paper, 4.1
)
