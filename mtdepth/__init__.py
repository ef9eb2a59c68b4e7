"""Monocular metric depth and 19-class segmentation for small machines."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtdepth.photo import Predictor

__all__ = ["Predictor"]


def __getattr__(name: str) -> Any:
    """Loads what needs numpy and OpenCV when it is asked for; by name, as no device needs it."""
    if name == "Predictor":
        return importlib.import_module("mtdepth.photo").Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
