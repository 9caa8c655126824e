"""What happens in organisations, as it happens: one connection that follows just those somebody watches."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from uuid import UUID

import orjson

from signaldesk import log
from signaldesk.errors import Unavailable
from signaldesk.stream import keys
from signaldesk.stream.client import Redis, RedisError, outage

logger = log.get_logger(__name__)

_AGAIN_S = 0.5
_PREFIX = keys.live(UUID(int=0))[:-36]


class LiveFeed:
    """Subscribes to one pub/sub channel per followed organisation; survives Redis going away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.heard: set[UUID] = set()
        """Those whose messages arrive from now on: the server has confirmed it."""
        self._followed: set[UUID] = set()
        self._subscription: Any = None

    async def follow(self, org_id: UUID) -> None:
        self._followed.add(org_id)
        await self._tell("subscribe", org_id)

    async def leave(self, org_id: UUID) -> None:
        self._followed.discard(org_id)
        await self._tell("unsubscribe", org_id)

    async def messages(self) -> AsyncGenerator[tuple[UUID, dict[str, Any]]]:
        """(organisation, message), for ever. What is published while Redis is away is lost."""
        while True:
            try:
                async for channel, data in self._listen():
                    yield _org_of(channel), orjson.loads(data)
            except Unavailable as error:
                logger.warning("live messages cannot be heard for now", detail=error.detail)
                await asyncio.sleep(_AGAIN_S)

    async def _listen(self) -> AsyncIterator[tuple[str, bytes]]:
        subscription: Any = self._redis.pubsub()
        try:
            async with outage():
                # The first channel is a place nobody publishes to: a subscription needs one to be open.
                await subscription.subscribe(keys.live(UUID(int=0)), *map(keys.live, self._followed))
                self._subscription = subscription
                while True:
                    message = await subscription.get_message(timeout=5)
                    if message is None:
                        await subscription.ping()
                    elif message["type"] == "message":
                        yield message["channel"].decode(), message["data"]
                    elif message["type"] == "subscribe":
                        self.heard.add(_org_of(message["channel"].decode()))
                    elif message["type"] == "unsubscribe":
                        self.heard.discard(_org_of(message["channel"].decode()))
        finally:
            self._subscription = None
            self.heard.clear()
            with contextlib.suppress(RedisError, OSError):
                await subscription.aclose()

    async def _tell(self, action: str, org_id: UUID) -> None:
        """Change the running subscription; when there is none, the next one begins with what is followed."""
        if self._subscription is not None:
            with contextlib.suppress(Unavailable):
                async with outage():
                    await getattr(self._subscription, action)(keys.live(org_id))


def _org_of(channel: str) -> UUID:
    return UUID(channel.removeprefix(_PREFIX))
