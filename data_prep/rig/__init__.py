"""A calibrated rig: read from other programs' files, calibrated, rectified, taken from bags."""
