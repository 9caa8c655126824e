"""Day partitions of the events table: made ahead, and when an event asks for one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import psycopg

from signaldesk.clock import from_us
from signaldesk.errors import Unavailable
from signaldesk.store.urls import libpq_url

_DAY_US = 86_400_000_000
_LOCK = 0x5D_DA75
"""Advisory lock, held until the connection is closed."""


class Days:
    """Makes sure that a table exists for each day on which events were received."""

    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)
        self._known: set[int] = set()

    async def ensure(self, received: Iterable[int]) -> None:
        """Make the days of these receipts (µs), unless they are known. Raises Unavailable."""
        days = {one // _DAY_US for one in received} - self._known
        if days:
            await asyncio.to_thread(self._make, days)

    async def ahead(self, now_us: int, days: int = 3) -> None:
        """Make today's table and those of the next days."""
        await self.ensure(now_us + ahead * _DAY_US for ahead in range(days + 1))

    def _make(self, days: set[int]) -> None:
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=3) as connection:
                # Two processes that make the same table at once would not both be told that it is there.
                connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
                for day in sorted(days):
                    start = from_us(day * _DAY_US).date()
                    connection.execute(
                        f"CREATE TABLE IF NOT EXISTS events_{start:%Y%m%d} PARTITION OF events "
                        f"FOR VALUES FROM ('{start}T00:00:00Z') TO ('{start + timedelta(days=1)}T00:00:00Z')"
                    )
        except psycopg.OperationalError as error:
            raise Unavailable("the database is away", retry_after=1) from error
        self._known |= days


def day_of(table: str) -> datetime:
    """The day that a table such as `events_20260131` holds, as midnight UTC."""
    return datetime.strptime(table, "events_%Y%m%d").replace(tzinfo=UTC)
