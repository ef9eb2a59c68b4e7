"""From a trained network to a SavedModel for TensorFlow with TensorRT."""
