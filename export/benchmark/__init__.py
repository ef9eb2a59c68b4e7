"""What `python -m export.benchmark` is made of: numpy, OpenCV and LiteRT only."""
