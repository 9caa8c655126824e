"""A history of its own for a test: events put where the engine would put them, an archiver, a reader."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import psycopg

from signaldesk.clock import MICROS, ManualClock, from_us
from signaldesk.filters import Filter
from signaldesk.history.archive import Archiver
from signaldesk.history.history import History
from signaldesk.history.shelf import Folder, Shelf
from signaldesk.ids import new_id
from signaldesk.model.event import Event
from signaldesk.model.outcome import Stored
from signaldesk.store.arrow_events import ArrowEvents
from signaldesk.store.copying import EVENT_COLUMNS, event_rows
from signaldesk.store.days import Days
from signaldesk.store.history_book import HistoryBook
from signaldesk.store.urls import libpq_url

START = 1_769_853_600 * MICROS
"""2026-01-31 10:00 UTC."""
HOUR = 3600 * MICROS
DAY = 24 * HOUR


class HistoryLab:
    """One partition with its organisations; the clock stands at `START` until it is moved."""

    def __init__(self, url: str, folder: Path, *, shelf: Shelf | None = None, chunk: int = 1000) -> None:
        self.url = url
        self.folder = folder
        self.clock = ManualClock(START)
        self.shelf: Shelf = shelf or Folder(folder)
        self.book = HistoryBook(url, clock=self.clock)
        self.events = ArrowEvents(url)
        self.history = History(book=self.book, events=self.events, shelf=self.shelf)
        self.chunk = chunk

    def archiver(self, shelf: Shelf | None = None) -> Archiver:
        return Archiver(
            book=self.book, events=self.events, shelf=shelf or self.shelf, clock=self.clock, chunk=self.chunk
        )

    def org(self, slug: str = "acme", plan: str = "self_hosted") -> UUID:
        org_id = new_id()
        with psycopg.connect(libpq_url(self.url)) as connection:
            connection.execute(
                "INSERT INTO orgs (id, slug, name, plan, partition) VALUES (%s, %s, %s, %s, 0)",
                [org_id, slug, slug, plan],
            )
        return org_id

    def store(self, org_id: UUID, events: Sequence[Event], *, lane: str = "", behind: int = 0) -> int:
        """Commit one batch as the engine does, received now; its position."""
        now = self.clock.now_us()
        with psycopg.connect(libpq_url(self.url)) as connection:
            row = connection.execute("SELECT position FROM partitions WHERE id = 0 FOR UPDATE").fetchone()
            assert row is not None
            position = max(int(row[0]) + 1, now // 1000 << 20)
            asyncio.run(Days(self.url).ensure([now]))
            stored = Stored(org_id.bytes, lane, position, now, list(events), {0: behind} if behind else {})
            with connection.cursor().copy(
                f"COPY events ({EVENT_COLUMNS}) FROM STDIN (FORMAT binary)"
            ) as copy:
                copy.write(event_rows(0, [stored]))
            connection.execute("UPDATE partitions SET position = %s WHERE id = 0", [position])
        return position

    def hour_passes(self) -> None:
        self.clock.advance(3600)

    def ids(self, org_id: UUID, where: Filter | None = None, **range_: Any) -> list[str]:
        """Ids of all events that the history gives, sorted."""
        return sorted(str(row[0]) for row in self.ask(org_id, "SELECT id FROM e", where=where, **range_))

    def ask(self, org_id: UUID, query: str, **asked: Any) -> list[tuple[Any, ...]]:
        """The rows of a query over `e`, the events that the history gives."""
        found = self.history.relation(org_id, **asked).query("e", query)
        assert found is not None
        return list(found.fetchall())

    def paths(self) -> list[str]:
        return [one.path for one in self.book.files("live")]


def event(
    payload: dict[str, Any] | None = None,
    *,
    type: str = "checkout_failed",
    time: int = START,
    source: str | None = None,
) -> Event:
    return Event(new_id().bytes, type, time, orjson.dumps(payload or {}), source, False)


def some_events(count: int, *, seed: int = 1, start: int = START) -> list[Event]:
    """Events of three types within ten minutes, with payloads of which some fields are not always alike."""
    chance = random.Random(seed)
    return [
        event(
            {
                "amount": chance.choice([1, 20, 20.5, 300]),
                "country": chance.choice(["DE", "FR", None]),
                "user": {"id": chance.randrange(100), "plan": chance.choice(["pro", "free"])},
                "ok": chance.random() < 0.5,
                "mixed": chance.choice([1, "1", True, None, [1], {"a": 1}]),
                **({"rare": chance.random()} if chance.random() < 0.2 else {}),
            },
            type=chance.choice(["checkout_failed", "checkout_ok", "login"]),
            time=start + chance.randrange(600 * MICROS),
            source=chance.choice([None, "web"]),
        )
        for _ in range(count)
    ]


def ids_of(events: Sequence[Event]) -> list[str]:
    return sorted(str(UUID(bytes=one.id)) for one in events)


__all__ = ["DAY", "HOUR", "START", "HistoryLab", "event", "from_us", "ids_of", "some_events"]
