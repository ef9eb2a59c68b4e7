"""Monocular metric depth and 19-class segmentation for small machines."""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtdepth.photo import Predictor

__all__ = ["Predictor"]

# TensorFlow's start tells of a missing GPU and of how it was compiled, as errors. What ends the
# process is still shown, and what fails in it raises; set it to 0 to see all.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def __getattr__(name: str) -> Any:
    """Loads what needs numpy and OpenCV when it is asked for; by name, as no device needs it."""
    if name == "Predictor":
        return importlib.import_module("mtdepth.photo").Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
