"""Fitting a network: steps, checkpoints, batch statistics."""
