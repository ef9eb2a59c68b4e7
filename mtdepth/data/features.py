"""The keys, shapes and types of a training batch: declared here and nowhere else."""

IMAGE = "image"  # [batch, height, width, 3] uint8 RGB, at the network's input size
DEPTH_M = "depth_m"  # [batch, height, width, 1] float32 metres for the training camera, 0 = none
TRAIN_ID = "train_id"  # [batch, height, width, 1] uint8, 255 = ignore
FRAME = "frame"  # [batch] the frames' names, for messages
