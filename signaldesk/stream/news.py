"""Pub/sub: what happened, for whoever is listening right now. Nothing depends on a message arriving."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection
from typing import Any
from uuid import UUID

import orjson

from signaldesk.stream import keys
from signaldesk.stream.client import Redis, RedisError, outage


class News:
    """Publishes JSON messages and hands out subscriptions."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis

    async def publish(self, org_id: UUID, message: dict[str, Any]) -> None:
        """Tell the organisation's open pages; `message["kind"]` says what it is. Raises Unavailable."""
        async with outage():
            await self._redis.publish(keys.live(org_id), orjson.dumps(message, default=str))

    async def watched(self, org_ids: Collection[UUID]) -> set[UUID]:
        """Those of the organisations that anybody listens to. Raises Unavailable."""
        channels = {keys.live(org_id): org_id for org_id in org_ids}
        if not channels:
            return set()
        async with outage():
            found = await self._redis.pubsub_numsub(*channels)
        return {channels[name.decode()] for name, listeners in found if listeners}

    async def ping(self) -> None:
        """Raises Unavailable unless Redis answers."""
        async with outage():
            await self._redis.execute_command("PING")

    async def nudge(self, channel: str, text: str = "") -> None:
        """Wake whoever listens on `keys.API_KEYS`. Raises Unavailable."""
        async with outage():
            await self._redis.publish(channel, text)

    async def listen(self, *patterns: str) -> AsyncIterator[tuple[str, bytes]]:
        """(channel, data) of messages on these channels; `*` in a name stands for anything.

        Ends by raising Unavailable when the connection is lost; the caller starts over and must assume that
        it missed something. Yields ("", b"") once the subscription stands.
        """
        subscription: Any = self._redis.pubsub()
        try:
            async with outage():
                await subscription.psubscribe(*patterns)
                while True:
                    message = await subscription.get_message(timeout=5)
                    if message is None:
                        await subscription.ping()
                    elif message["type"] == "psubscribe":
                        yield "", b""
                    elif message["type"] == "pmessage":
                        yield message["channel"].decode(), message["data"]
        finally:
            # When the connection is gone already, that is why we are here.
            with contextlib.suppress(RedisError, OSError):
                await subscription.aclose()
