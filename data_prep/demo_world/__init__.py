"""A synthetic street in KITTI layout with exact truth."""
