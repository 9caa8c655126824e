"""A running web server with pages, shared by the tests of a file, and somebody who is logged in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.sharing import org as org
from tests.support.sharing import share_a_loop, shared_loop
from tests.support.sharing import web_with_pages as web_with_pages
from tests.support.web import PASSWORD, Org, Web


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    share_a_loop(items, Path(__file__).parent)


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
