"""Recordings on disk, their splits and classes, and the stores of labels and predictions."""
