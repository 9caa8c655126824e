"""History: from PostgreSQL to Parquet, and what a question about a payload field costs there.

Events are those of the other benchmarks' kind: four types, a payload with six fields, ids as the intake makes
them for batches of 500. The question is the sum of a field where it is greater than something, once through
SignalDesk's filter and once by hand over a column of an ordinary Parquet file of the same events, in turn;
each figure is the least of several runs. A few events are archived before: what is loaded once is loaded
by then, as in a scheduler that has run for a while.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import duckdb
import orjson
import psycopg

from signaldesk import filters
from signaldesk.clock import MICROS, SystemClock
from signaldesk.history import duck
from signaldesk.history.archive import Archiver
from signaldesk.history.history import History
from signaldesk.history.keep import Keeper
from signaldesk.history.shelf import Folder
from signaldesk.ids import new_id, new_ids
from signaldesk.model.event import Event
from signaldesk.model.outcome import Stored
from signaldesk.store import migrate
from signaldesk.store.arrow_events import ArrowEvents
from signaldesk.store.copying import EVENT_COLUMNS, event_rows
from signaldesk.store.days import Days
from signaldesk.store.history_book import HistoryBook
from tests.bench.harness import Bench
from tests.bench.report import OURS, Promise

TITLE = "History"
EVENTS = 1_000_000
BATCH = 500
RUNS = 7
START = 1_769_853_600 * MICROS
STEP = 200
"""Microseconds between two events."""


def run(bench: Bench) -> None:
    """One round is enough for the size; the rest is measured in every round."""
    url = bench.postgres.create("history")
    migrate.upgrade(url)
    org_id = store(url, EVENTS)
    book = HistoryBook(url, clock=SystemClock())
    lines = {
        "archive": bench.line("events archived in a second", "1/s", Promise("ours", at_least=300_000)),
        "together": bench.line("events put together into larger files in a second", "1/s"),
        "size": bench.line("bytes of a typical event in Parquet", "B", Promise("ours", at_most=20)),
        "ratio": bench.line(
            "filter and sum on a payload field, compared with a real column", "×", Promise("ours", at_most=3)
        ),
        "replay": bench.line("events replayed in a second, in stream order", "1/s"),
    }
    for number in range(bench.options.rounds):
        shelf = Folder(bench.folder / f"history-{number}")
        events = ArrowEvents(url)
        _begin(url, book, events, shelf)
        seconds = _timed(lambda: _archive(book, events, shelf))  # noqa: B023 - called at once
        lines["archive"].add(OURS, EVENTS / seconds, f"{seconds:.2f} s")
        keeper = Keeper(
            book=book, events=events, shelf=shelf, clock=SystemClock(), kept_days=9_999, stored_days=9_999
        )
        seconds = _timed(lambda: keeper.compact(everything=True))  # noqa: B023
        lines["together"].add(OURS, EVENTS / seconds)
        lines["size"].add(OURS, sum(one.bytes for one in book.files("live")) / EVENTS)
        history = History(book=book, events=events, shelf=shelf)
        ours, by_hand = _questions(history, org_id, bench.folder / f"plain-{number}.parquet")
        remark = f"{1000 * ours:.1f} ms, by hand {1000 * by_hand:.1f} ms, DuckDB {duckdb.__version__}"
        lines["ratio"].add(OURS, ours / by_hand, remark)
        part = 100_000 * STEP
        seconds = _timed(lambda: sum(1 for _ in history.replay(org_id, until=START + part)))  # noqa: B023
        lines["replay"].add(OURS, 100_000 / seconds)


def _archive(book: HistoryBook, events: ArrowEvents, shelf: Folder) -> None:
    done = Archiver(book=book, events=events, shelf=shelf, clock=SystemClock()).run(closed_only=False)
    assert done.events == EVENTS


def _begin(url: str, book: HistoryBook, events: ArrowEvents, shelf: Folder) -> None:
    """Archive a few events, and take that back."""
    archiver = Archiver(book=book, events=events, shelf=shelf, clock=SystemClock(), chunk=BATCH)
    archiver.run(closed_only=False, stop=lambda: True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE history_files")
        connection.execute("UPDATE history_progress SET archived = 0")


def _questions(history: History, org_id: UUID, plain: Path) -> tuple[float, float]:
    """Seconds that the question takes through SignalDesk, and by hand over a real column."""
    cut, connection = history.cut(org_id), duck.connect()
    connection.register("tail", cut.tail)
    connection.execute(
        f"COPY ({cut.sql(tail='tail', fields=['*'])}) TO '{plain}' (FORMAT parquet, COMPRESSION zstd)"
    )
    found = cut.sql(tail="tail", fields=["amount"], where=filters.parse("amount > 20"))
    question = f"SELECT sum(amount) FROM ({found})"
    by_hand = f"SELECT sum(amount) FROM read_parquet('{plain}') WHERE amount > 20"
    same = [round(connection.execute(one).fetchall()[0][0], 2) for one in (question, by_hand)]
    assert same[0] == same[1], same
    times = [
        [_timed(lambda: connection.execute(one).fetchall()) for one in (question, by_hand)]  # noqa: B023
        for _ in range(RUNS)
    ]
    ours, theirs = (min(column) for column in zip(*times, strict=True))
    return ours, theirs


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def store(url: str, count: int) -> UUID:
    """Put so many events into partition 0, as the engine does."""
    org_id = new_id()
    asyncio.run(Days(url).ensure([START, START + count * STEP]))
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO orgs (id, slug, name, partition) VALUES (%s, 'acme', 'Acme', 0)", [org_id]
        )
        position = 0
        batches = list(_batches(org_id, count))
        for some in range(0, len(batches), 100):
            chunk = batches[some : some + 100]
            with connection.cursor().copy(
                f"COPY events ({EVENT_COLUMNS}) FROM STDIN (FORMAT binary)"
            ) as copy:
                copy.write(event_rows(0, chunk))
            position = chunk[-1].position
        connection.execute("UPDATE partitions SET position = %s WHERE id = 0", [position])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) events")
        connection.execute("CHECKPOINT")
    return org_id


def _batches(org_id: UUID, count: int) -> Iterator[Stored]:
    chance = random.Random(1)
    types = ["checkout_failed", "checkout_ok", "login", "page_view"]
    paths = [f"/api/v2/orders/{number}" for number in range(500)]
    for first in range(0, count, BATCH):
        received = START + first * STEP
        ids = new_ids(BATCH).packed()
        events = [
            Event(
                ids[index],
                chance.choice(types),
                received + index * STEP + chance.randrange(STEP),
                orjson.dumps(
                    {
                        "amount": chance.randrange(10_000) / 100,
                        "country": chance.choice(("DE", "FR", "US", "GB", "ES")),
                        "user": {"id": chance.randrange(5_000), "plan": chance.choice(("pro", "free"))},
                        "path": chance.choice(paths),
                        "ok": chance.random() < 0.9,
                    }
                ),
                "web",
                False,
            )
            for index in range(BATCH)
        ]
        yield Stored(org_id.bytes, "", received // 1000 << 20 | first // BATCH, received, events, {})
