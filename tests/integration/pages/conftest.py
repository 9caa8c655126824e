"""A running web server with pages, shared by the tests of a file, and somebody who is logged in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.databases import Databases
from tests.support.sharing import once_a_file, share_a_loop, shared_loop
from tests.support.web import NAMES, PASSWORD, Org, Web, running_web


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    share_a_loop(items, Path(__file__).parent)


@once_a_file
async def web(databases: Databases, worker_redis_url: str) -> AsyncIterator[Web]:
    with databases.fresh(migrated=True) as database_url:
        async with running_web(database_url, worker_redis_url, pages=True) as web:
            yield web


@shared_loop
async def org(web: Web) -> Org:
    return await web.found(next(NAMES))


@shared_loop
async def member(web: Web, org: Org) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a session cookie."""
    async with logged_in(web, org) as client:
        yield client


@asynccontextmanager
async def logged_in(web: Web, org: Org) -> AsyncIterator[httpx.AsyncClient]:
    """Asks with a session cookie."""
    async with web.client() as client:
        done = await client.post("/api/v1/auth/login", json={"email": org.email, "password": PASSWORD})
        assert done.status_code == 200
        yield client
