"""How a network that was trained on video sees pictures while it is fine-tuned for a device.

Command: `python -m export.qat` or `export.prune`, with a workdir of MiniNet. A student goes by the
recipe of its own training. Size, fit, batch and seed come with the network and the command.
"""

from mtdepth.recipes.base import Augmentation, TrainRecipe

FINE_TUNING = TrainRecipe(
    name="fine_tuning",
    input_size_px=(128, 416),  # ours: the network's own takes its place
    near_m=0.1,  # ours: MiniNet's depth begins there
    far_m=80.0,  # ours: what is scored, as everywhere
    sky_is_far=False,  # ours: MiniNet was never told so
    depth_target="valid_mean",  # ours: as students
    depth_weight=1.0,  # ours: depth alone
    segmentation_weight=0.0,  # ours: it has no classes
    statistics_batches=1,  # ours: none are estimated
    batch_size=1,  # ours: the command's takes its place
    num_epochs=1,  # ours: the command says how long
    steps_per_epoch=1,  # ours: the command says how long
    learning_rate=1e-3,  # ours: the command says how fast
    schedule="cosine",  # ours: the command says how fast
    # ours: colours as students; a network that learns from its own float self needs no labels, and
    # so no zoom
    augmentation=Augmentation(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05),
)
