"""What several tests of training share."""

from collections.abc import Iterator

import pytest
from fakes.recipes import tiny_graph


@pytest.fixture(scope="module")
def tiny_students() -> Iterator[None]:
    """Trainings and whoever reads them back have `tiny_graph` for a student: the loop is tested."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("training.student_run", "models.student"):
            patch.setattr(f"mtdepth.{module}.build_training_graph", tiny_graph)
        yield
