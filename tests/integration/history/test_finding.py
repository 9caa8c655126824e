"""Events that have left PostgreSQL are found like the others: one by one, page by page, looked back at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from uuid import UUID, uuid4

import pytest

from signaldesk.clock import MICROS, from_us
from signaldesk.errors import NotFound
from signaldesk.history.finding import EventFinder, WholePast
from signaldesk.history.keep import Keeper
from signaldesk.model.event import Event
from signaldesk.store.database import Database
from signaldesk.store.eventlog import EventLog
from signaldesk.store.past import Past
from tests.support.history import DAY, HOUR, START, HistoryLab, event

DAYS = 5


class Found:
    """An organisation with events of five days, of which only the last two are left in PostgreSQL."""

    def __init__(self, lab: HistoryLab, database: Database) -> None:
        self.lab, self.database = lab, database
        self.org = lab.org()
        self.log = EventLog(database=database)
        self.finder = EventFinder(self.log, lab.history)
        self.past = WholePast(Past(database=database), self.log, lab.history)
        self.events: list[Event] = []
        self.imported: list[Event] = []

    async def store(self) -> None:
        await asyncio.to_thread(self._store)

    def _store(self) -> None:
        for day in range(DAYS):
            now = self.lab.clock.now_us()
            batch = [
                event({"n": number}, type=("a_x", "aox", "b")[number % 3], time=now - number // 2 * MICROS)
                for number in range(9)
            ]
            late = [event(time=now - 3 * DAY, type="b")] if day == DAYS - 1 else []
            self.lab.store(self.org, [*batch, *late], behind=1)
            self.events += [*batch, *late]
            old = [event({"day": day}, time=now - 100 * DAY)]
            self.lab.store(self.org, old, lane="import")
            self.imported += old
            self.lab.clock.advance(DAY // MICROS)
        self.lab.archiver().run()
        keeper = Keeper(
            book=self.lab.book, events=self.lab.events, shelf=self.lab.shelf, clock=self.lab.clock,
            kept_days=999, stored_days=2,
        )  # fmt: skip
        assert keeper.release() == DAYS - 2

    async def pages(self, limit: int, **asked: object) -> list[UUID]:
        ids: list[UUID] = []
        before: tuple[datetime, UUID] | None = None
        while True:
            page = await self.finder.page(self.org, limit=limit, before=before, **asked)  # type: ignore[arg-type]
            ids += [one.id for one in page]
            if len(page) < limit:
                return ids
            before = page[-1].timestamp, page[-1].id


@pytest.fixture
async def found(lab: HistoryLab, database_url: str) -> AsyncIterator[Found]:
    database = Database(database_url)
    found = Found(lab, database)
    await found.store()
    yield found
    await database.close()


def newest_first(events: list[Event]) -> list[UUID]:
    ordered = sorted(events, key=lambda one: (one.timestamp, UUID(bytes=one.id)), reverse=True)
    return [UUID(bytes=one.id) for one in ordered]


@pytest.mark.parametrize("limit", [1, 4, 100])
async def test_pages_go_on_over_the_seam_without_a_gap_or_a_double(found: Found, limit: int) -> None:
    assert await found.pages(limit) == newest_first(found.events)


async def test_types_ranges_and_lanes_are_as_exact_there(found: Found) -> None:
    some = [one for one in found.events if one.type in ("a_x", "aox")]
    assert await found.pages(4, type="a*x") == newest_first(some)
    since, until = START + HOUR, START + 3 * DAY
    some = [one for one in found.events if since <= one.timestamp < until]
    assert await found.pages(3, since=from_us(since), until=from_us(until)) == newest_first(some)
    assert await found.pages(2, lane="import") == newest_first(found.imported)


async def test_one_event_is_found_by_its_id_and_a_foreign_one_is_not(found: Found) -> None:
    for one in (*found.events[::7], found.imported[0]):
        record = await found.finder.get(found.org, UUID(bytes=one.id))
        assert (record.type, record.timestamp) == (one.type, from_us(one.timestamp))
    assert record.payload == {"day": 0}
    with pytest.raises(NotFound):
        await found.finder.get(found.org, uuid4())
    other = found.lab.org("other")
    with pytest.raises(NotFound):
        await found.finder.get(other, UUID(bytes=found.events[0].id))


async def test_evidence_is_found_whichever_side_it_is_on(found: Found) -> None:
    ids = [UUID(bytes=one.id) for one in (found.events[0], found.events[10], found.events[-1])]
    older = await found.finder.older(found.org, [*ids, uuid4()])
    assert [one.id for one in older] == [ids[1], ids[0]]


async def test_looking_back_sees_the_events_in_the_order_of_judgement(found: Found) -> None:
    async def seen(since: int, until: int, most: int = 1000) -> list[bytes]:
        found_ = await found.past.events(
            found.org, ["a_*", "b"], since=since, until=until, after=0, most=most
        )
        return [one.event.id for one in found_]

    wanted = [one for one in found.events if one.type in ("a_x", "b")]
    assert await seen(0, START + 10 * DAY) == [one.id for one in wanted]
    assert await seen(START + 3 * DAY, START + 10 * DAY) == [
        one.id for one in wanted if one.timestamp > START + 3 * DAY
    ]
    assert len(await seen(0, START + DAY + HOUR, most=5)) == 5


async def look_back(found: Found) -> list[UUID]:
    seen = await found.past.events(found.org, ["*"], since=0, until=START + 10 * DAY, after=0, most=1000)
    return newest_first([one.event for one in seen if one.event.timestamp > START - DAY])


async def some_pages(found: Found) -> list[UUID]:
    return await found.pages(100)


async def by_ids(found: Found) -> list[UUID]:
    ids = [UUID(bytes=one.id) for one in found.events]
    older = await found.finder.older(found.org, ids)
    return [one for one in newest_first(found.events) if one in {one.id for one in older}]


@pytest.mark.parametrize("ask", [some_pages, by_ids, look_back])
async def test_without_a_file_that_cannot_be_read_the_others_are_found(
    found: Found, ask: Callable[[Found], Awaitable[list[UUID]]]
) -> None:
    whole = await ask(found)
    first_day = next(one for one in found.lab.book.files("live") if one.date == from_us(START).date())
    path = found.lab.folder / first_day.path
    lost = found.lab.ids(found.org, since=START - DAY, until=START + 12 * HOUR, lane="")
    path.write_bytes(b"x" * path.stat().st_size)
    assert await ask(found) == [one for one in whole if str(one) not in lost]
    assert [one.path for one in found.lab.book.files("damaged")] == [first_day.path]


async def test_while_postgres_has_everything_files_are_not_asked(lab: HistoryLab, database_url: str) -> None:
    database = Database(database_url)
    org, log = lab.org(), EventLog(database=database)
    lab_events = [event(), event()]
    await asyncio.to_thread(lab.store, org, lab_events)
    await asyncio.to_thread(lambda: lab.archiver().run(closed_only=False))
    assert await log.edge(org) is None, "nothing has left PostgreSQL"
    assert len(await EventFinder(log, lab.history).page(org, limit=9)) == 2
    await database.close()
