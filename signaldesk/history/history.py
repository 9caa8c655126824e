"""The reading side of history: one organisation's events, out of Postgres and Parquet, each of them once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from uuid import UUID

from signaldesk.clock import from_us, to_us
from signaldesk.filters import Filter
from signaldesk.history import duck
from signaldesk.history.cut import Cut, LocalFile, tail_of, without_tail
from signaldesk.history.damage import set_aside, verified
from signaldesk.history.shelf import Damaged, Shelf
from signaldesk.ids import new_id
from signaldesk.model.event import Event
from signaldesk.model.glob import matcher
from signaldesk.settings import Settings
from signaldesk.store.arrow_events import ArrowEvents
from signaldesk.store.history_book import HistoryBook, HistoryFile

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")
Errors = tuple[type[Exception], ...]

_BATCH = 20_000
_KEPT_DAYS: int = Settings.model_fields["history_days"].default
_REPLAYED = (
    "id, type, epoch_us(timestamp), payload::VARCHAR, source, clock_skewed, behind, lane,"
    " epoch_us(received_at), partition, position, idx"
)


class Replayed(NamedTuple):
    """An event as the engine saw it; `behind` is how far (µs) it came behind its lane's watermark."""

    event: Event
    behind: int
    lane: str
    received_at: int
    partition: int
    position: int
    idx: int


class History:
    """Every method takes the organisation first and reads nothing of another one.

    Times are µs since 1970, ranges are [since, until) of event time, `types` are event types or globs (none:
    all). Calls wait for Postgres and the disk: from a coroutine, in a thread. All raise NotFound for an
    organisation that is not there, and Unavailable when Postgres or the object store is away.
    """

    def __init__(
        self, *, book: HistoryBook, events: ArrowEvents, shelf: Shelf, kept_days: int = _KEPT_DAYS
    ) -> None:
        """`kept_days`: how long events are kept where an organisation's plan does not say."""
        self._book = book
        self._events = events
        self._shelf = shelf
        self._kept_days = kept_days

    def cut(
        self,
        org_id: UUID,
        *,
        types: Sequence[str] = (),
        since: int | None = None,
        until: int | None = None,
        tail: bool = True,
    ) -> Cut:
        """The files and rows that these events are in, as of now. A file that is damaged is set aside.

        Without `tail` the rows are left out that are in no file yet.
        """
        start, end = (None if one is None else from_us(one) for one in (since, until))
        place, listed = self._book.cut(org_id, start, end)
        # Whatever is archived from here on is still in Postgres, and comes after this place.
        rows, tail_fields = without_tail()
        if tail:
            rows, tail_fields = tail_of(
                self._events.tail(
                    org_id, place.partition, place.archived, types=types, since=start, until=end
                )
            )
        wanted = matcher(types) if types and "*" not in types else None
        files, missing = [], []
        for one in listed:
            if wanted is None or one.types is None or any(map(wanted, one.types)):
                found = self._local(one) if one.state == "live" else None
                if found is None:
                    missing.append(one.path)
                else:
                    files.append(found)
        return Cut(org_id, types, since, until, files, rows, tail_fields, missing)

    def relation(
        self,
        org_id: UUID,
        *,
        types: Sequence[str] = (),
        since: int | None = None,
        until: int | None = None,
        where: Filter | None = None,
        fields: Iterable[str] = (),
        lane: str | None = None,
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> duckdb.DuckDBPyRelation:
        """A lazy relation of these events, in no order, on a connection of its own or the one given.

        Columns: id (UUID), type, source, timestamp and received_at (TIMESTAMPTZ), lane, clock_skewed, behind
        (µs), partition, position, idx, payload (JSON), and the payload fields asked for (see `Cut.sql`).
        """
        cut = self.cut(org_id, types=types, since=since, until=until)
        return relation(cut, where=where, fields=fields, lane=lane, connection=connection)

    def replay(
        self,
        org_id: UUID,
        *,
        types: Sequence[str] = (),
        since: int | None = None,
        until: int | None = None,
        where: Filter | None = None,
        lane: str | None = "",
    ) -> Iterator[Replayed]:
        """The events in the order in which the engine judged them."""
        return replay(self.cut(org_id, types=types, since=since, until=until), where=where, lane=lane)

    def check(self, org_id: UUID) -> int:
        """Read an organisation's files through, and set aside those that are damaged; how many those are.

        For whoever cannot read one: that a file was changed in place, its size does not tell.
        """
        found = 0
        for file in self._book.cut(org_id, None, None)[1]:
            if file.state == "live":
                try:
                    verified(self._shelf, file)
                except Damaged as error:
                    found += set_aside(self._book, error)
        return found

    def whole(self, org_id: UUID, read: Callable[[], T], *, unreadable: Errors) -> T:
        """What `read` makes of the organisation's files, once more without those that turn out to be damaged
        where one of these errors ends it. Raises the error when none is, and whatever else `read` does."""
        try:
            return read()
        except unreadable:
            if not self.check(org_id):
                raise
        return read()

    def kept_since(self, org_id: UUID, now: datetime) -> datetime:
        """The first moment whose events are kept; of older ones, files are given up."""
        days = self._book.retention_days(org_id) or self._kept_days
        return datetime.combine(now.astimezone(UTC), datetime.min.time(), UTC) - timedelta(days=days)

    def begins_after(self, org_id: UUID, since: datetime, now: datetime) -> int | None:
        """From when on (µs) events are stored, to the hour; None when that is no later than `since`."""
        first = self._book.first(org_id) or self.kept_since(org_id, now)
        first = first.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return to_us(first) if first > since else None

    def watermark(self, org_id: UUID, lane: str) -> int | None:
        """The newest event time (µs) of an import, None when there is none of that name."""
        return self._book.watermark(org_id, lane)

    def _local(self, file: HistoryFile) -> LocalFile | None:
        try:
            path = self._shelf.local(file.path, file.bytes)
        except Damaged as error:
            set_aside(self._book, error)
            return None
        return LocalFile(path, file.events, dict(file.fields))


def relation(
    cut: Cut,
    *,
    where: Filter | None = None,
    fields: Iterable[str] = (),
    lane: str | None = None,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> duckdb.DuckDBPyRelation:
    """A cut as a relation; `History.relation` says of what."""
    connection = connection or duck.connect()
    return connection.sql(cut.sql(tail=_registered(connection, cut), fields=fields, where=where, lane=lane))


def replay(cut: Cut, *, where: Filter | None = None, lane: str | None = "") -> Iterator[Replayed]:
    """The events of a cut in stream order."""
    connection = duck.connect()
    events = cut.sql(tail=_registered(connection, cut), where=where, lane=lane)
    connection.execute(f"SELECT {_REPLAYED} FROM ({events}) ORDER BY partition, position, idx")
    while rows := connection.fetchmany(_BATCH):
        for (
            id_,
            type_,
            time,
            payload,
            source,
            skewed,
            behind,
            name,
            received,
            partition,
            position,
            idx,
        ) in rows:
            event = Event(id_.bytes, type_, time, payload.encode(), source, skewed)
            yield Replayed(event, behind, name, received, partition, position, idx)


def _registered(connection: duckdb.DuckDBPyConnection, cut: Cut) -> str:
    """The name under which DuckDB knows the cut's tail from here on."""
    name = f"tail_{new_id().hex}"
    connection.register(name, cut.tail)
    return name
