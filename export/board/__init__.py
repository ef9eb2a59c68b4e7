"""What runs on a Jetson beside an exported file: Python 3.6, nothing of this project."""
