"""Closed hours of events, from Postgres to Parquet.

The stream gives every event of a partition one position, and the engine commits them in that order. So what
is archived is told by one number for each partition: every event up to it is in files, every later one in
Postgres alone. An event that comes late, or an import of last year, has a new position like any other; its
file is that of its own day.

An hour is closed when it is over and the engine has passed its last position. Steps, for one chunk of one
partition: (1) the files are announced in the books, (2) written as drafts, (3) put under their names, and (4)
called live in the transaction that moves the number. Whoever dies before (4) leaves only files that are in
nobody's way; the next run deletes them and does the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from typing import NamedTuple
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from signaldesk import log
from signaldesk.clock import MICROS, Clock
from signaldesk.history import files
from signaldesk.history.shelf import Shelf
from signaldesk.ids import new_id
from signaldesk.store.arrow_events import ArrowEvents
from signaldesk.store.history_book import HistoryBook, HistoryFile, HistoryKeeper

CHUNK = 125_000
"""About so many events are in memory at a time, and in one transaction."""
CHUNK_BYTES = 128 << 20
"""The same for the bytes of their payloads."""
_HOUR_MS = 3_600_000
_SEQ_BITS = 20
"""A position is a time in milliseconds, shifted by so many bits (stream/positions.py)."""

logger = log.get_logger(__name__)


class Archived(NamedTuple):
    """What one run did."""

    events: int
    files: int


class Chunk(NamedTuple):
    """Events of a partition with `after` < position <= `upto`."""

    partition: int
    after: int
    upto: int


class Archiver:
    """Moves what is closed. Raises Unavailable; whatever else happens, it may simply be run again."""

    def __init__(
        self, *, book: HistoryBook, events: ArrowEvents, shelf: Shelf, clock: Clock, chunk: int = CHUNK
    ) -> None:
        self._book = book
        self._events = events
        self._shelf = shelf
        self._clock = clock
        self._chunk = chunk

    def run(
        self,
        *,
        closed_only: bool = True,
        stop: Callable[[], bool] = lambda: False,
        turn: HistoryKeeper | None = None,
    ) -> Archived:
        """Archive all closed hours, or all that is committed. Does nothing while somebody else does it; who
        has the `turn` to do it passes that on.

        It ends early, after a chunk, when `stop` says so.
        """
        done: list[Archived] = []
        with self._book.alone(turn=turn) as keeper:
            if keeper is not None:
                sweep(keeper, self._shelf)
                with closing(self._read(self._closed(keeper, closed_only))) as chunks:
                    for chunk, events in chunks:
                        done.append(self._archive(keeper, chunk, events))
                        if stop():
                            break
        return Archived(sum(one.events for one in done), sum(one.files for one in done))

    def _closed(self, keeper: HistoryKeeper, closed_only: bool) -> Iterator[Chunk]:
        """Chunks that can go."""
        this_hour = self._clock.now_us() * 1000 // MICROS // _HOUR_MS * _HOUR_MS
        for one in keeper.progress():
            upto = min(one.committed, (this_hour << _SEQ_BITS) - 1) if closed_only else one.committed
            after = one.archived
            while after < upto:
                size = keeper.payload_size(one.partition, after, upto)
                most = max(1, min(self._chunk, round(CHUNK_BYTES / max(size, 1))))
                end = keeper.chunk_end(one.partition, after, upto, most)
                yield Chunk(one.partition, after, end)
                after = end

    def _read(self, chunks: Iterator[Chunk]) -> Generator[tuple[Chunk, pa.Table]]:
        """Each chunk with its events, sorted; the next one is looked for and read while one is written."""
        with self._events.reader() as reader, ThreadPoolExecutor(1, "archive") as thread:

            def read() -> tuple[Chunk, pa.Table] | None:
                chunk = next(chunks, None)
                return chunk and (chunk, files.sort(reader.between(*chunk)))

            ahead = thread.submit(read)
            while found := ahead.result():
                ahead = thread.submit(read)
                yield found

    def _archive(self, keeper: HistoryKeeper, chunk: Chunk, events: pa.Table) -> Archived:
        parts = list(_parts(events))
        announced = [HistoryFile(new_path(org, day), org, day, "writing", *chunk) for org, day, _ in parts]
        keeper.announce(announced)
        written = [
            write(self._shelf, file, rows) for file, (_, _, rows) in zip(announced, parts, strict=True)
        ]
        keeper.archive(*chunk, written)
        logger.info("events archived", partition=chunk.partition, events=events.num_rows, files=len(written))
        return Archived(events.num_rows, len(written))


def write(shelf: Shelf, file: HistoryFile, events: pa.Table, *, level: int = files.QUICK) -> HistoryFile:
    """Write an announced file of sorted events and put it on the shelf; what the books shall say of it."""
    draft = shelf.draft()
    try:
        marks = files.Marks((file.position_after, file.position_upto), file.org_id)
        facts = files.write(events, draft, level=level, marks=marks)
        shelf.put(draft, file.path)
    finally:
        draft.unlink(missing_ok=True)
    return file._replace(**facts._asdict())


def sweep(keeper: HistoryKeeper, shelf: Shelf) -> int:
    """Delete what somebody announced and did not finish; how many files that were."""
    paths = [one.path for one in keeper.files("writing")]
    shelf.delete(paths)
    keeper.forget(paths)
    return len(paths)


def new_path(org_id: UUID, day: date) -> str:
    return f"org={org_id}/date={day}/{new_id()}.parquet"


def _parts(events: pa.Table) -> Iterator[tuple[UUID, date, pa.Table]]:
    """The events by organisation and day of their own time (UTC)."""
    if events.num_rows == 0:
        return
    span, orgs = pc.min_max(events["timestamp"]), pc.unique(events["org_id"])
    first, last = (span[name].as_py().date() for name in ("min", "max"))
    if first == last and len(orgs) == 1:
        yield UUID(bytes=orgs[0].as_py()), first, events.drop_columns(["org_id"])
        return
    days = pc.cast(pc.floor_temporal(events["timestamp"], unit="day"), pa.date32())
    keyed = events.append_column("day", days)
    places = (
        keyed.group_by(["org_id", "day"])
        .aggregate([])
        .sort_by([("org_id", "ascending"), ("day", "ascending")])
    )
    found: Sequence[tuple[bytes, date]] = list(
        zip(*(places[name].to_pylist() for name in ("org_id", "day")), strict=True)
    )
    for org, day in found:
        same = pc.and_(pc.equal(keyed["org_id"], pa.scalar(org, pa.binary(16))), pc.equal(keyed["day"], day))
        yield UUID(bytes=org), day, keyed.filter(same).drop_columns(["org_id", "day"])
