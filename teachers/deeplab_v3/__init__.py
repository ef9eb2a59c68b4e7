"""DeepLabV3 and DeepLabV3+: the segmentation teacher, its files and its program."""
