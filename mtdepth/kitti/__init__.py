"""KITTI's files: readers, splits, classes, and the stores of labels and predictions."""
