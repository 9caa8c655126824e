"""Desks in Python: of an installation elsewhere, and of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

import signaldesk as sd
from signaldesk.client.desk import Desk
from tests.support.web import Web

T = TypeVar("T")


@asynccontextmanager
async def connected(
    where: str, web: Web, key: str, monkeypatch: pytest.MonkeyPatch, **settings: str
) -> AsyncIterator[Desk]:
    """The desk of the organisation `acme`: `elsewhere`, over HTTP with that key, or `here`, straight from the
    servers with these settings."""
    if where == "here":
        urls = {"DATABASE_URL": web.desk.urls.database, "REDIS_URL": web.desk.urls.redis}
        for name, value in {**urls, **settings}.items():
            monkeypatch.setenv(f"SIGNALDESK_{name}", value)
        found = await aside(lambda: sd.connect(org="acme"))
    else:
        found = sd.connect(web.url, api_key=key)
    yield found
    await aside(found.close)


async def aside(work: Callable[[], T]) -> T:
    """In a thread: the server of this test lives in its event loop."""
    return await asyncio.to_thread(work)
