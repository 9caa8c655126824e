"""One subscription per process for everybody who watches: live messages in, small bundles out.

However many pages are open, each organisation's channel is subscribed to once. A watcher gets what happened
since its last turn, at most four times a second, and an empty bundle once a second when nothing did, so that
rates fall and ages grow. A watcher that is slow loses the oldest messages, never anybody else's time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from signaldesk.log import get_logger
from signaldesk.stream.client import end

log = get_logger(__name__)

Message = Mapping[str, Any]
Deliver = Callable[[Sequence[Message]], None]

FLUSH_S = 0.25
IDLE_TURNS = 4
"""Turns without a message after which a watcher is called all the same."""
QUEUE = 256
"""Messages kept for one watcher between two turns (the processor sends at most ten a second)."""


class Feed(Protocol):
    """Where live messages come from; the stream's pub/sub in a server, a list in a test.

    It reconnects by itself and subscribes again to everything it was following.
    """

    async def follow(self, org_id: UUID) -> None: ...

    async def leave(self, org_id: UUID) -> None: ...

    def messages(self) -> AsyncIterator[tuple[UUID, Message]]: ...


class Watcher:
    """One page or socket that follows one organisation."""

    def __init__(self, org_id: UUID, deliver: Deliver) -> None:
        self.org_id = org_id
        self.missed = 0
        self._deliver = deliver
        self._queue: deque[Message] = deque(maxlen=QUEUE)
        self._quiet = 0

    def put(self, message: Message) -> None:
        self.missed += len(self._queue) == QUEUE
        self._queue.append(message)

    def turn(self) -> None:
        """Hand over what has come, if it is time to."""
        self._quiet = 0 if self._queue else self._quiet + 1
        if self._queue or self._quiet >= IDLE_TURNS:
            bundle = tuple(self._queue)
            self._queue.clear()
            self._quiet = 0
            self._deliver(bundle)


class Hub:
    """`async with hub:` runs it; `watch` and `forget` are for the event loop's own thread."""

    def __init__(self, *, feed: Feed, flush_s: float = FLUSH_S) -> None:
        self._feed = feed
        self._flush_s = flush_s
        self._watchers: dict[UUID, set[Watcher]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._wanted: asyncio.Queue[UUID] = asyncio.Queue()

    def watch(self, org_id: UUID, deliver: Deliver) -> Watcher:
        """From now on `deliver` is called with the organisation's messages, oldest first."""
        watcher = Watcher(org_id, deliver)
        others = self._watchers.setdefault(org_id, set())
        if not others:
            self._wanted.put_nowait(org_id)
        others.add(watcher)
        return watcher

    def forget(self, watcher: Watcher) -> None:
        """Stop delivering; to forget twice does no harm."""
        others = self._watchers.get(watcher.org_id, set())
        others.discard(watcher)
        if not others and self._watchers.pop(watcher.org_id, None) is not None:
            self._wanted.put_nowait(watcher.org_id)

    @property
    def watching(self) -> int:
        """How many watchers there are."""
        return sum(map(len, self._watchers.values()))

    async def __aenter__(self) -> Hub:
        self._tasks = [asyncio.create_task(job()) for job in (self._follow, self._receive, self._flush)]
        return self

    async def __aexit__(self, *_: object) -> None:
        # Who listens closes the connection that subscribing uses: first no one may subscribe any more.
        following, *others = self._tasks
        await end([following])
        await end(others)

    async def _follow(self) -> None:
        """Keep the subscriptions equal to what is watched."""
        followed: set[UUID] = set()
        while True:
            org_id = await self._wanted.get()
            if org_id in self._watchers and org_id not in followed:
                await self._feed.follow(org_id)
                followed.add(org_id)
            elif org_id not in self._watchers and org_id in followed:
                await self._feed.leave(org_id)
                followed.discard(org_id)

    async def _receive(self) -> None:
        async for org_id, message in self._feed.messages():
            for watcher in self._watchers.get(org_id, ()):
                watcher.put(message)

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(self._flush_s)
            for watcher in [watcher for others in self._watchers.values() for watcher in others]:
                try:
                    watcher.turn()
                except Exception:
                    # The edge of the loop: one watcher's fault must not stop the others.
                    log.exception("a watcher failed and is forgotten", org=str(watcher.org_id))
                    self.forget(watcher)
