"""TensorFlow's start without its talk of missing GPUs and of how it was compiled."""

import contextlib
import faulthandler
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence


class QuietTensorFlow(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `tensorflow`, once, as it is found otherwise, and loads it in silence.

    Its C++ code writes to the process's standard error whatever TF_CPP_MIN_LOG_LEVEL says, and on
    machines with CUDA's libraries but no GPU it says so as errors when devices are first looked
    for, so that is done here, too. An error's text is shown after all; a crash tells where.
    """

    _loader: importlib.abc.Loader

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The specification of TensorFlow, with this as its loader."""
        del path, target
        if name != "tensorflow" or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Leaves it to the import system."""
        del spec

    def exec_module(self, module: types.ModuleType) -> None:
        """Runs the package's own code, and looks for its devices."""
        with _silence():
            self._loader.exec_module(module)
            module.config.list_physical_devices()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keeps what C and C++ write to standard error; shows it if the body raises."""
    sys.stderr.flush()
    shown = os.dup(2)
    was_enabled = faulthandler.is_enabled()
    if not was_enabled:
        faulthandler.enable(file=shown)
    try:
        with tempfile.TemporaryFile() as kept:
            os.dup2(kept.fileno(), 2)
            try:
                yield
            except BaseException:
                os.dup2(shown, 2)
                kept.seek(0)
                os.write(2, kept.read())
                raise
            finally:
                os.dup2(shown, 2)
    finally:
        if not was_enabled:
            faulthandler.disable()
        os.close(shown)
