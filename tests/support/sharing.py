"""For tests that share a server: one event loop for it, for them and for their fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio

shared_loop = pytest_asyncio.fixture(loop_scope="session")
once_a_file = pytest_asyncio.fixture(scope="module", loop_scope="session")


def share_a_loop(items: list[pytest.Item], folder: Path) -> None:
    """Run the tests below a folder in the loop that its shared fixtures run in."""
    for item in items:
        if item.path.is_relative_to(folder) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
