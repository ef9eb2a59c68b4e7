"""Cameras, stereo, depth codes and bias tables: numpy only, shared with the device."""
