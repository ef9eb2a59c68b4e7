"""Tests that need Chromium or a media server: run by `make test-web`, left out of other runs."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "web: needs Chromium or GStreamer; run by `make test-web`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "web" in config.getoption("-m"):
        return
    left_out = [item for item in items if item.get_closest_marker("web") is not None]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
