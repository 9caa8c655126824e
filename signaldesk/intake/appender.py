"""Gathers what arrives at about the same time into one append: while one is under way, the next collects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from signaldesk.clock import Clock
from signaldesk.errors import Unavailable
from signaldesk.model.event import Event, Packed, join, pack
from signaldesk.stream.events import ENTRY_MAX, Append, EventStream

_MOST_WAITING = 200_000
"""Events that may wait for Redis before clients are asked to come back later."""

Done = Callable[[Exception | None], None]


class _Waiting(NamedTuple):
    org: bytes
    lane: str
    tell: bool
    parts: list[Packed]
    size: int
    done: Done


class Appender:
    """Appends to all partitions, one round trip at a time for each."""

    def __init__(self, stream: EventStream, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._waiting: dict[int, list[_Waiting]] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._events = 0

    def add(
        self, partition: int, org_id: UUID, events: list[Event], done: Done, lane: str, tell: bool
    ) -> None:
        """Append the events soon; `done` is called once, with None when the server has them, or an error.

        Raises Unavailable at once when too much is waiting already.
        """
        if self._events > _MOST_WAITING:
            raise Unavailable("the event stream is slow right now; try again shortly", retry_after=1)
        self._events += len(events)
        parts = [pack(events[start : start + ENTRY_MAX]) for start in range(0, len(events), ENTRY_MAX)]
        one = _Waiting(org_id.bytes, lane, tell, parts, len(events), done)
        self._waiting.setdefault(partition, []).append(one)
        if partition not in self._running:
            self._running[partition] = asyncio.get_running_loop().create_task(self._run(partition))

    async def append(
        self, partition: int, org_id: UUID, events: list[Event], *, lane: str = "", tell: bool = True
    ) -> None:
        """Append the events; returns when the server has them. Raises Unavailable."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: Exception | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self.add(partition, org_id, events, done, lane, tell)
        await future

    async def _run(self, partition: int) -> None:
        while batch := self._waiting.pop(partition, None):
            error: Exception | None = None
            try:
                await self._stream.append(partition, self._entries(batch))
            except Exception as fault:  # whoever waits must hear of it, whatever it is
                error = fault
            for one in batch:
                self._events -= one.size
                one.done(error)
        del self._running[partition]

    def _entries(self, batch: list[_Waiting]) -> list[Append]:
        """As few entries as the parts fit into, for each organisation and lane in their order."""
        grouped: dict[tuple[bytes, str, bool], list[list[Packed]]] = {}
        for one in batch:
            grouped.setdefault((one.org, one.lane, one.tell), []).append(one.parts)
        now = self._clock.now_us()
        return [
            Append(org, now, join(parts), lane, tell)
            for (org, lane, tell), given in grouped.items()
            for parts in _filled(chain.from_iterable(given))
        ]

    async def close(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._running.values())


def _filled(parts: Iterable[Packed]) -> Iterator[list[Packed]]:
    """The parts of one entry after the other: as many as fit."""
    entry: list[Packed] = []
    size = 0
    for part in parts:
        if entry and size + part.size > ENTRY_MAX:
            yield entry
            entry, size = [], 0
        entry.append(part)
        size += part.size
    if entry:
        yield entry
