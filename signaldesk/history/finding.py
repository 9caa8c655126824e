"""Stored events found one by one or page by page, also those that have left PostgreSQL for the files.

PostgreSQL keeps whole days, the newest ones, and the books say up to which place in the stream they are gone.
So both sides are asked, the files only for what is before that place, and only when it matters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from signaldesk.clock import MICROS, from_us, to_us
from signaldesk.errors import NotFound
from signaldesk.history import duck
from signaldesk.history.cut import Cut
from signaldesk.history.history import History, Replayed, replay
from signaldesk.store.eventlog import EventLog, EventRecord, TypeRecord
from signaldesk.store.past import Past, Seen

_AHEAD = timedelta(minutes=10)
"""A timestamp is never further ahead of its receipt."""
_NEAR = 86_400 * MICROS
_COLUMNS = "id, type, epoch_us(timestamp), epoch_us(received_at), source, payload::VARCHAR, clock_skewed"


class EventFinder:
    """Every method takes the organisation first. Raises Unavailable when files or PostgreSQL are away."""

    def __init__(self, log: EventLog, history: History) -> None:
        self._log = log
        self._history = history

    async def page(
        self,
        org_id: UUID,
        *,
        limit: int,
        type: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: tuple[datetime, UUID] | None = None,
        lane: str = "",
    ) -> list[EventRecord]:
        """As `EventLog.page`."""
        near = await self._log.page(
            org_id, limit=limit, type=type, since=since, until=until, before=before, lane=lane
        )
        edge = await self._log.edge(org_id)
        if edge is None:
            return near
        newest = edge.received + _AHEAD
        if len(near) == limit and near[-1].timestamp > newest:
            return near
        ends = [one for one in (until, newest, before and before[0] + timedelta(microseconds=1)) if one]
        tests = [f"position <= {edge.position}"]
        if before is not None:
            moment = f"TIMESTAMPTZ '{before[0].isoformat()}'"
            tests.append(f"(timestamp < {moment} OR (timestamp = {moment} AND id < '{before[1]}'::UUID))")
        order = f"ORDER BY timestamp DESC, id DESC LIMIT {limit}"
        far = await asyncio.to_thread(
            self._far, org_id, " AND ".join(tests), order, lane, types=[type] if type else [],
            since=to_us(since) if since else None, until=to_us(min(ends)),
        )  # fmt: skip
        # A day that left PostgreSQL between the two questions is in both answers.
        both = {one.id: one for one in (*far, *near)}
        found = sorted(both.values(), key=lambda one: (one.timestamp, one.id), reverse=True)
        return found[:limit]

    async def get(self, org_id: UUID, event_id: UUID) -> EventRecord:
        """As `EventLog.get`."""
        try:
            return await self._log.get(org_id, event_id)
        except NotFound:
            found = await self.older(org_id, [event_id])
            if not found:
                raise
            return found[0]

    async def types(
        self,
        org_id: UUID,
        *,
        since: datetime,
        limit: int = 1000,
        type: str | None = None,
        after: tuple[int, str] | None = None,
    ) -> list[TypeRecord]:
        """As `EventLog.types`."""
        return await self._log.types(org_id, since=since, limit=limit, type=type, after=after)

    async def older(self, org_id: UUID, ids: Collection[UUID]) -> list[EventRecord]:
        """Those of these events that are in files only, newest first."""
        edge = await self._log.edge(org_id)
        if edge is None or not ids:
            return []
        found: dict[UUID, EventRecord] = {}
        for since, until in _spans(ids):
            if missing := set(ids) - set(found):
                listed = ", ".join(f"'{one}'::UUID" for one in missing)
                where = f"position <= {edge.position} AND id IN ({listed})"
                far = await asyncio.to_thread(self._far, org_id, where, "", None, since=since, until=until)
                found |= {one.id: one for one in far}
        return sorted(found.values(), key=lambda one: one.timestamp, reverse=True)

    def _far(
        self,
        org_id: UUID,
        where: str,
        order: str,
        lane: str | None,
        *,
        since: int | None,
        until: int | None,
        types: Sequence[str] = (),
    ) -> list[EventRecord]:
        """What is in files."""
        import duckdb

        def read() -> list[EventRecord]:
            cut = self._history.cut(org_id, types=types, since=since, until=until, tail=False)
            return _found(cut, where, order, lane)

        return self._history.whole(org_id, read, unreadable=(duckdb.Error,))


class WholePast:
    """As `Past`, over files and PostgreSQL as one where the past reaches back that far."""

    def __init__(self, past: Past, log: EventLog, history: History) -> None:
        self._past = past
        self._log = log
        self._history = history

    async def events(
        self, org_id: UUID, types: Sequence[str], *, since: int, until: int, after: int, most: int
    ) -> list[Seen]:
        """As `Past.events`."""
        edge = await self._log.edge(org_id)
        if edge is None or since > to_us(edge.received + _AHEAD):
            return await self._past.events(org_id, types, since=since, until=until, after=after, most=most)
        return await asyncio.to_thread(self._older, org_id, types, since, until, after, most)

    def _older(
        self, org_id: UUID, types: Sequence[str], since: int, until: int, after: int, most: int
    ) -> list[Seen]:
        import duckdb

        def read() -> list[Replayed]:
            cut = self._history.cut(org_id, types=types, since=since + 1, until=until + 1)
            return [one for one in replay(cut) if one.position > after]

        seen = self._history.whole(org_id, read, unreadable=(duckdb.Error,))
        newest = sorted(seen, key=lambda one: (one.event.timestamp, one.position, one.idx))[-most:]
        newest.sort(key=lambda one: (one.position, one.idx))
        return [Seen(one.event, one.behind, one.received_at) for one in newest]


def _found(cut: Cut, where: str, order: str, lane: str | None) -> list[EventRecord]:
    if not cut.files:
        return []
    connection = duck.connect(threads=1)
    connection.register("tail", cut.tail)
    inside = cut.sql(tail="tail", lane=lane)
    rows = connection.execute(f"SELECT {_COLUMNS} FROM ({inside}) WHERE {where} {order}").fetchall()
    return [_record(row) for row in rows]


def _record(row: tuple[Any, ...]) -> EventRecord:
    id_, type_, time, received, source, payload, skewed = row
    return EventRecord(id_, type_, from_us(time), from_us(received), source, orjson.loads(payload), skewed)


def _spans(ids: Collection[UUID]) -> Iterator[tuple[int | None, int | None]]:
    """Ranges of time (µs) to look through, first where ids of our own say when they were made."""
    if moments := [(one.int >> 80) * 1000 for one in ids if one.version == 7]:
        yield min(moments) - _NEAR, max(moments) + _NEAR
    yield None, None
