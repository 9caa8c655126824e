"""A running web server without pages, two organisations, and clients for them.

The tests of a file share the server. Each has organisations of its own, which see nothing of each other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.databases import Databases
from tests.support.sharing import once_a_file, share_a_loop, shared_loop
from tests.support.sharing import org as org
from tests.support.web import NAMES, Org, Web, running_web


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    share_a_loop(items, Path(__file__).parent)


@once_a_file
async def web(databases: Databases, files_redis_url: str) -> AsyncIterator[Web]:
    with databases.fresh(migrated=True) as database_url:
        async with running_web(database_url, files_redis_url) as web:
            yield web


@shared_loop
async def own_web(database_url: str, redis_url: str) -> AsyncIterator[Web]:
    """A server of the test's own, which it may change; a file may have it for its `web`."""
    async with running_web(database_url, redis_url) as web:
        yield web


@shared_loop
async def other(web: Web) -> Org:
    return await web.found(next(NAMES))


@shared_loop
async def client(web: Web, org: Org) -> AsyncIterator[httpx.AsyncClient]:
    """Asks with the organisation's key."""
    async with web.client(headers=org.headers) as client:
        yield client


@shared_loop
async def stranger(web: Web) -> AsyncIterator[httpx.AsyncClient]:
    """Asks without any credentials."""
    async with web.client() as client:
        yield client
