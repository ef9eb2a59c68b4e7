"""Monocular metric depth and 19-class segmentation for small machines."""
