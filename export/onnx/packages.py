"""The optional packages of the ONNX export, loaded when they are needed."""

import importlib
from typing import Any

INSTALL_COMMAND = "pip install onnx==1.23.2 onnxruntime==1.31.1"


def load(name: str) -> Any:
    """Imports `onnx`, one of its modules, or `onnxruntime`.

    Raises:
      ImportError: If it is not installed; says how it is.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"the ONNX export needs {name.partition('.')[0]}, which cannot be imported ({error}): "
            f"{INSTALL_COMMAND}"
        ) from error
