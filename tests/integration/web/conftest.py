"""A running web server without pages, two organisations, and clients for them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.web import Org, Web, running_web


@pytest.fixture
async def web(database_url: str, redis_url: str) -> AsyncIterator[Web]:
    async with running_web(database_url, redis_url) as web:
        yield web


@pytest.fixture
async def org(web: Web) -> Org:
    return await web.found("Acme")


@pytest.fixture
async def other(web: Web) -> Org:
    return await web.found("Other")


@pytest.fixture
async def client(web: Web, org: Org) -> AsyncIterator[httpx.AsyncClient]:
    """Asks with the organisation's key."""
    async with web.client(headers=org.headers) as client:
        yield client


@pytest.fixture
async def stranger(web: Web) -> AsyncIterator[httpx.AsyncClient]:
    """Asks without any credentials."""
    async with web.client() as client:
        yield client
