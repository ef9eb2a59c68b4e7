"""From a label store to batches."""
