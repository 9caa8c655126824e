"""The dispatcher with the real bell and the real pub/sub: woken, telling, and ending in spite of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest

from signaldesk.errors import Unavailable
from signaldesk.store.bell import RING, rings
from signaldesk.stream import client, keys
from signaldesk.stream.news import News
from tests.integration.delivery.conftest import Post
from tests.support import eventually
from tests.support.tenants import statuses


@pytest.fixture
async def news(redis_url: str) -> AsyncIterator[News]:
    redis = client.connect(redis_url)
    yield News(redis)
    await redis.aclose()


async def test_the_bell_wakes_it_and_open_pages_hear_the_result(
    post: Post, news: News, database_url: str
) -> None:
    heard: list[dict[str, Any]] = []

    async def listen() -> None:
        async for channel, data in news.listen(keys.live(post.org_id)):
            if channel:
                heard.append(orjson.loads(data))

    async def publish(org_id: UUID, message: dict[str, Any]) -> None:
        await news.publish(org_id, message)

    page = asyncio.ensure_future(listen())
    post.publish = publish  # type: ignore[method-assign]
    dispatcher = post.start(listen=lambda: rings(database_url), poll=3600)
    await post.put()

    def ring() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(RING)

    async def sent() -> bool:
        await asyncio.to_thread(ring)  # again and again: nobody may be listening yet
        return await statuses(post.database) == {"sent": 1} and bool(heard)

    await eventually(sent)
    assert {message["status"] for message in heard} == {"sent"}
    await post.stop(dispatcher)
    await client.end([page])


async def test_whoever_listens_hears_that_the_bell_was_lost(database_url: str) -> None:
    bell = rings(database_url)
    await anext(bell)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'signaldesk outbox bell' AND datname = current_database()"
        )
    with pytest.raises(Unavailable):
        await anext(bell)


@pytest.mark.parametrize("gracefully", [True, False])
async def test_it_ends_in_the_middle_of_telling(
    gracefully: bool, post: Post, news: News, database_url: str
) -> None:
    post.publish = news.publish  # type: ignore[method-assign]
    for _ in range(3):
        dispatcher = post.start(listen=lambda: rings(database_url))
        await post.put(150)
        wanted = len(post.server.received) + 20
        await eventually(partial(arrived, post, wanted))
        async with asyncio.timeout(10):
            await (post.stop(dispatcher) if gracefully else post.crash(dispatcher))
        post.clock.advance(20)


def arrived(post: Post, count: int) -> bool:
    return len(post.server.received) >= count
