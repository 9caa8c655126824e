"""Stored events, read back: pages, newest first, and the types that there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_

from signaldesk.clock import from_us
from signaldesk.errors import NotFound
from signaldesk.model.glob import like
from signaldesk.store.database import Database
from signaldesk.store.tables import event_counts, events, history_progress, orgs


class EventRecord(NamedTuple):
    id: UUID
    type: str
    timestamp: datetime
    received_at: datetime
    source: str | None
    payload: dict[str, Any]
    clock_skewed: bool


class TypeRecord(NamedTuple):
    """An event type, and how it was used since the moment asked for."""

    type: str
    events: int
    matched: int
    last_seen: datetime


class Edge(NamedTuple):
    """Events up to this position have left PostgreSQL; they were received until `received`."""

    position: int
    received: datetime


_SEQ_BITS = 20
"""A position is the time of receipt in ms, and so many bits of a number."""
_COLUMNS = [events.c[name] for name in EventRecord._fields]


class EventLog:
    """Every method takes the organisation first and works as that tenant."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

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
        """Newest event time first, in [since, until); `type` may hold `*` for anything.

        `before` is the (timestamp, id) of the last one on the page before.
        """
        query = select(*_COLUMNS).where(events.c.org_id == org_id, events.c.lane == lane)
        if type is not None:
            query = query.where(_of_type(events.c.type, type))
        if since is not None:
            query = query.where(events.c.timestamp >= since)
        if until is not None:
            query = query.where(events.c.timestamp < until)
        if before is not None:
            query = query.where(tuple_(events.c.timestamp, events.c.id) < before)
        query = query.order_by(events.c.timestamp.desc(), events.c.id.desc()).limit(limit)
        async with self._database.tenant(org_id) as connection:
            return [EventRecord(*row) for row in await connection.execute(query)]

    async def get(self, org_id: UUID, event_id: UUID) -> EventRecord:
        """Raises NotFound, also for another organisation's event."""
        query = select(*_COLUMNS).where(events.c.org_id == org_id, events.c.id == event_id).limit(1)
        async with self._database.tenant(org_id) as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound
        return EventRecord(*row)

    async def edge(self, org_id: UUID) -> Edge | None:
        """What has left PostgreSQL; None when it has all of the organisation's events."""
        place = orgs.c.partition == history_progress.c.partition
        query = select(history_progress.c.released).select_from(orgs.join(history_progress, place))
        async with self._database.tenant(org_id) as connection:
            released = await connection.scalar(query.where(orgs.c.id == org_id))
        return Edge(released, from_us((released >> _SEQ_BITS) * 1000)) if released else None

    async def types(
        self,
        org_id: UUID,
        *,
        since: datetime,
        limit: int = 1000,
        type: str | None = None,
        after: tuple[int, str] | None = None,
    ) -> list[TypeRecord]:
        """Types seen since then, most events first; `type` may hold `*` for anything.

        `after`: how many events, and the type, of the last one on the page before.
        """
        total = func.sum(event_counts.c.events)
        query = (
            select(
                event_counts.c.type, total, func.sum(event_counts.c.matched), func.max(event_counts.c.minute)
            )
            .where(event_counts.c.org_id == org_id, event_counts.c.minute >= since)
            .group_by(event_counts.c.type)
            .order_by(total.desc(), event_counts.c.type)
            .limit(limit)
        )
        if type is not None:
            query = query.where(_of_type(event_counts.c.type, type))
        if after is not None:
            events, name = after
            query = query.having(or_(total < events, and_(total == events, event_counts.c.type > name)))
        async with self._database.tenant(org_id) as connection:
            rows = await connection.execute(query)
            return [TypeRecord(row[0], int(row[1]), int(row[2]), row[3]) for row in rows]


def _of_type(column: ColumnElement[str], type: str) -> ColumnElement[bool]:
    """Whether it is the type, or one that the glob fits."""
    return column.like(like(type)) if "*" in type else column == type
