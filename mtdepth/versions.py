"""Versions of what a result depends on."""

import importlib.metadata
import platform

PACKAGES = (
    "numpy",
    "opencv-python",
    "simplejpeg",
    "opencv-python-headless",  # stands in for the one above on a bare server
    "tensorflow",
    "keras",
    "ai-edge-litert",
    "tensorflow-model-optimization",
    "torch",
    "onnx",
    "onnxruntime",
)


def package_versions() -> dict[str, str]:
    """Python's and the packages' versions; one that is not installed is left out."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
