"""For tests that share a server: one event loop for it, for them and for their fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.databases import Databases
from tests.support.web import NAMES, Org, Web, running_web

shared_loop = pytest_asyncio.fixture(loop_scope="session")
once_a_file = pytest_asyncio.fixture(scope="module", loop_scope="session")


def share_a_loop(items: list[pytest.Item], folder: Path) -> None:
    """Run the tests below a folder in the loop that its shared fixtures run in."""
    for item in items:
        if item.path.is_relative_to(folder) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="module", loop_scope="session", name="web")
async def web_with_pages(databases: Databases, files_redis_url: str) -> AsyncIterator[Web]:
    """A server with pages, of the tests of a file."""
    with databases.fresh(migrated=True) as database_url:
        async with running_web(database_url, files_redis_url, pages=True) as web:
            yield web


@shared_loop
async def org(web: Web) -> Org:
    """An organisation of the test's own on the server that it shares."""
    return await web.found(next(NAMES))
