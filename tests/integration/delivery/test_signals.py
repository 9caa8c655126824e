"""The dispatcher with the real pub/sub: woken by it, telling through it, and ending in spite of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import pytest

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


async def test_the_outbox_signal_wakes_it_and_open_pages_hear_the_result(post: Post, news: News) -> None:
    heard: list[dict[str, Any]] = []

    async def listen() -> None:
        async for channel, data in news.listen(keys.live(post.org_id)):
            if channel:
                heard.append(orjson.loads(data))

    async def publish(org_id: UUID, message: dict[str, Any]) -> None:
        await news.publish(org_id, message)

    page = asyncio.ensure_future(listen())
    post.publish = publish  # type: ignore[method-assign]
    dispatcher = post.start(listen=lambda: news.listen(keys.OUTBOX), poll=3600)
    await post.put()

    async def sent() -> bool:
        await news.nudge(keys.OUTBOX)  # again and again: the subscription may not stand yet
        return await statuses(post.database) == {"sent": 1} and bool(heard)

    await eventually(sent)
    assert {message["status"] for message in heard} == {"sent"}
    await post.stop(dispatcher)
    await client.end([page])


@pytest.mark.parametrize("gracefully", [True, False])
async def test_it_ends_in_the_middle_of_telling(gracefully: bool, post: Post, news: News) -> None:
    post.publish = news.publish  # type: ignore[method-assign]
    for _ in range(3):
        dispatcher = post.start(listen=lambda: news.listen(keys.OUTBOX))
        await post.put(150)
        wanted = len(post.server.received) + 20
        await eventually(partial(arrived, post, wanted))
        async with asyncio.timeout(10):
            await (post.stop(dispatcher) if gracefully else post.crash(dispatcher))
        post.clock.advance(20)


def arrived(post: Post, count: int) -> bool:
    return len(post.server.received) >= count
