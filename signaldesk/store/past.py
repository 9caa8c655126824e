"""Stored events as the engine saw them: in its order, with how late they came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import or_, select

from signaldesk.clock import from_us, to_us
from signaldesk.model.event import Event
from signaldesk.model.glob import like
from signaldesk.store.database import Database
from signaldesk.store.tables import events


class Seen(NamedTuple):
    """An event, how far (µs) it came behind its lane's watermark, and when it was received (µs)."""

    event: Event
    behind: int
    received_at: int


class Past:
    """Works as the organisation that comes first."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def events(
        self, org_id: UUID, types: Sequence[str], *, since: int, until: int, after: int, most: int
    ) -> list[Seen]:
        """Live events of these types (or globs) with an event time in (since, until], µs, that came after a
        place in the stream: the `most` newest ones, in the order in which they were judged."""
        table = events.c
        names = (table.id, table.type, table.timestamp, table.payload, table.source, table.clock_skewed)
        query = select(*names, table.behind, table.received_at, table.position, table.idx).where(
            table.org_id == org_id,
            table.lane == "",
            table.position > after,
            table.timestamp > from_us(since),
            table.timestamp <= from_us(until),
            or_(*(table.type.like(like(one)) if "*" in one else table.type == one for one in types)),
        )
        query = query.order_by(table.timestamp.desc(), table.position.desc(), table.idx.desc()).limit(most)
        async with self._database.tenant(org_id) as connection:
            rows = (await connection.execute(query)).all()
        return [
            Seen(
                Event(id_.bytes, type_, to_us(time), orjson.dumps(payload), source, skewed),
                behind,
                to_us(received),
            )
            for id_, type_, time, payload, source, skewed, behind, received, _, _ in sorted(
                rows, key=lambda row: (row.position, row.idx)
            )
        ]
