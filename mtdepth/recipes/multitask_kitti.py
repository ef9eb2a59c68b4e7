r"""The published training of the multi-task network on KITTI.

Source: "Real-time light-weight monocular depth with detachable decoders" (2020), sections III and
IV.A: a MobileNetV2-0.35 encoder from ImageNet, labels by a stereo teacher corrected with a LiDAR
table and by a segmentation teacher, both losses at four scales.

    python -m data_prep.generate_teachers --kitti_root $KITTI --split eigen_train \
        --train_id_dir TRAIN_IDS --output LABELS
    python -m mtdepth.train --recipe multitask_kitti --decoder L --data LABELS --workdir RUN

20 epochs of 1,000 steps. The paper prints RMSE 3.871 m on its KITTI test frames. On two CPU cores a
step takes about 2 s (half a day); on a GPU of today well under an hour.
"""

from mtdepth.recipes.base import Augmentation, TrainRecipe

RECIPE = TrainRecipe(
    name="multitask_kitti",
    input_size_px=(320, 1056),  # paper, IV.A
    fit="stretch",  # paper: 1241x376 is scaled to 1056x320
    near_m=4.0,  # paper, eq. 5
    far_m=80.0,  # paper, eq. 5
    sky_is_far=True,  # ours: stereo has no truth in the sky, a robot must not see obstacles there
    depth_target="valid_mean",  # ours: the paper does not say; a dense label is averaged in depth
    depth_weight=0.25,  # paper, III.C
    segmentation_weight=0.75,  # paper, III.C
    encoder_weights="imagenet",  # paper, IV.A
    batch_size=8,  # paper, IV.A
    num_epochs=20,  # paper, IV.A: at least 20
    steps_per_epoch=1000,  # paper, IV.A
    learning_rate=0.01,  # paper, IV.A
    schedule="exponential",  # paper, IV.A
    epoch_decay=0.9,  # paper, IV.A: "reduced by 10 %" every epoch
    warmup_steps=500,  # ours: Adam at 0.01 on pretrained weights destroys them in its first steps
    clip_norm=0.0,  # paper: none mentioned
    statistics_batches=200,  # ours: moving averages are re-estimated before they are used
    augmentation=Augmentation(flip_probability=0.5),  # ours: the paper mentions none
)
