"""A running web server with pages, and somebody who is logged in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.web import PASSWORD, Org, Web, running_web


@pytest.fixture
async def web(database_url: str, redis_url: str) -> AsyncIterator[Web]:
    async with running_web(database_url, redis_url, pages=True) as web:
        yield web


@pytest.fixture
async def org(web: Web) -> Org:
    return await web.found("Acme")


@pytest.fixture
async def member(web: Web, org: Org) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a session cookie."""
    async with web.client() as client:
        done = await client.post("/api/v1/auth/login", json={"email": org.email, "password": PASSWORD})
        assert done.status_code == 200
        yield client
