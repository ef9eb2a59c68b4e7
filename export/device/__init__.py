"""What runs on the Raspberry Pi: numpy, OpenCV and LiteRT."""
