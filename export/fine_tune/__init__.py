"""Training an inference network further for the device: quantised, pruned, or both."""
