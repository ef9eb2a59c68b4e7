"""From a workdir to a file that a device runs."""
