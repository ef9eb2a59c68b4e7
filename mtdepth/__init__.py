"""Monocular metric depth and 19-class segmentation for small machines."""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from mtdepth.quiet import QuietTensorFlow

if TYPE_CHECKING:
    from mtdepth.photo import Predictor

__all__ = ["Predictor"]

# Set it to 0 to see all that TensorFlow says. Worker processes inherit it.
if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3":
    sys.meta_path.insert(0, QuietTensorFlow())


def __getattr__(name: str) -> Any:
    """Loads what needs numpy and OpenCV when it is asked for; by name, as no device needs it."""
    if name == "Predictor":
        return importlib.import_module("mtdepth.photo").Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
