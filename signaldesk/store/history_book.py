"""The history store's books: how far each partition is archived, and which files hold what.

A file exists for readers from the transaction on that calls it live, and never before; the same transaction
moves the place up to which its partition is archived. So a reader that takes both from one transaction, and
from `events` only what came after that place, sees every event once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from signaldesk import statements
from signaldesk.clock import Clock, from_us
from signaldesk.errors import Fenced, NotFound, Unavailable
from signaldesk.store.urls import libpq_url

_LOCK = 0x5D_A2C1
"""Advisory lock of whoever changes history: one at a time, until its connection is closed."""


class HistoryFile(NamedTuple):
    """A row of `history_files`. It holds events of its organisation and day with
    `position_after` < position <= `position_upto`; files of the same positions differ in their days."""

    path: str
    """Below the root of the history store."""
    org_id: UUID
    date: date
    """Day (UTC) of the events' own time."""
    state: str
    partition: int
    position_after: int
    position_upto: int
    events: int = 0
    bytes: int = 0
    first: datetime | None = None
    last: datetime | None = None
    types: list[str] | None = None
    """The types in it; None when there are very many."""
    fields: Mapping[str, str] = {}
    """Payload fields with a column of their own: dotted path -> BIGINT, DOUBLE, BOOLEAN or VARCHAR."""
    digest: str | None = None
    """SHA-256 of its bytes."""
    problem: str | None = None
    changed_at: datetime | None = None


class Place(NamedTuple):
    """A partition, and the position up to which its events are archived."""

    partition: int
    archived: int


class Progress(NamedTuple):
    """How far a partition is archived, since when, and how far it is committed."""

    partition: int
    archived: int
    archived_at: datetime | None
    committed: int


class HistoryBook:
    """Every method opens a connection of its own. Raises Unavailable when Postgres is away."""

    def __init__(self, url: str, *, clock: Clock) -> None:
        self._url = libpq_url(url)
        self._clock = clock
        self._sql = statements.named("postgres/history.sql")

    def cut(
        self, org_id: UUID, since: datetime | None, until: datetime | None
    ) -> tuple[Place, list[HistoryFile]]:
        """Up to where the organisation's events are archived, and its live and damaged files with an event
        time in [since, until), oldest day first; both as of one moment. Raises NotFound."""
        with self._tenant(org_id) as connection:
            place = connection.execute(self._sql["place"], {"org_id": org_id}).fetchone()
            if place is None:
                raise NotFound
            given = {"org_id": org_id, "since": since, "until": until, "states": ["live", "damaged"]}
            rows = connection.execute(self._sql["files"], given).fetchall()
        return Place(*place), [HistoryFile(*row) for row in rows]

    def retention_days(self, org_id: UUID) -> int | None:
        """How long the organisation's plan keeps events; None when it does not say. Raises NotFound."""
        with self._tenant(org_id) as connection:
            row = connection.execute(self._sql["retention_days"], {"org_id": org_id}).fetchone()
        if row is None:
            raise NotFound
        return None if row[0] is None else int(row[0])

    def first(self, org_id: UUID) -> datetime | None:
        """The time of the organisation's earliest stored event, None when there is none."""
        with self._tenant(org_id) as connection:
            row = connection.execute(self._sql["first"], {"org_id": org_id}).fetchone()
        return None if row is None else row[0]

    def watermark(self, org_id: UUID, lane: str) -> int | None:
        """The newest event time (µs) of a lane, None for one without events."""
        with self._tenant(org_id) as connection:
            row = connection.execute(self._sql["watermark"], {"org_id": org_id, "lane": lane}).fetchone()
        return None if row is None else int(row[0])

    def files(self, *states: str) -> list[HistoryFile]:
        """All organisations' files in these states."""
        with self._connected() as connection:
            rows = connection.execute(self._sql["all_files"], {"states": list(states)}).fetchall()
        return [HistoryFile(*row) for row in rows]

    def progress(self) -> list[Progress]:
        with self._connected() as connection:
            return [Progress(*row) for row in connection.execute(self._sql["progress"]).fetchall()]

    def set_aside(self, path: str, problem: str) -> bool:
        """Call a live file damaged; whether it still was live."""
        given = {"path": path, "problem": problem, "now": from_us(self._clock.now_us())}
        with self._connected() as connection:
            return bool(connection.execute(self._sql["set_aside"], given).fetchall())

    @contextmanager
    def alone(self, *, wait: float = 0, turn: HistoryKeeper | None = None) -> Iterator[HistoryKeeper | None]:
        """The right to change history, until the block ends; None while somebody else has it, for so many
        seconds. A `turn` that one has already goes on instead."""
        if turn is not None:
            yield turn
            return
        with self._connected() as connection:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
            mine = (row is not None and bool(row[0])) or (wait > 0 and _waited(connection, wait))
            yield HistoryKeeper(connection, self._sql, self._clock) if mine else None

    @contextmanager
    def _tenant(self, org_id: UUID) -> Iterator[psycopg.Connection[Any]]:
        """A connection that reads as this tenant, all of it as of one moment."""
        with self._connected() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute(
                "SELECT set_config('role', 'signaldesk_app', true) AS role,"
                " set_config('app.org', %s, true) AS org",
                [str(org_id)],
            )
            yield connection
            connection.rollback()

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        try:
            with psycopg.connect(
                self._url,
                row_factory=namedtuple_row,
                autocommit=True,
                connect_timeout=3,
                application_name="signaldesk history",
            ) as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Unavailable("the database is away; try again shortly", retry_after=1) from error


class HistoryKeeper:
    """What only one process at a time may do: write on the connection that holds the lock.

    Whoever loses that connection can write nothing more, and the next one finds what it left behind.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], statements: Mapping[str, str], clock: Clock
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._clock = clock

    def progress(self) -> list[Progress]:
        return [Progress(*row) for row in self._run("progress").fetchall()]

    def files(self, *states: str) -> list[HistoryFile]:
        return [HistoryFile(*row) for row in self._run("all_files", states=list(states)).fetchall()]

    def chunk_end(self, partition: int, after: int, upto: int, most: int) -> int:
        """A position with about `most` events between another one and it; `upto` when there are fewer."""
        given = {"partition": partition, "after": after, "upto": upto, "most": most}
        row = self._run("chunk_end", **given).fetchone()
        return upto if row is None else int(row[0])

    def payload_size(self, partition: int, after: int, upto: int) -> float:
        """About how many bytes the payloads after a position have, each."""
        row = self._run("payload_size", partition=partition, after=after, upto=upto).fetchone()
        return float(row[0]) if row is not None else 0.0

    def announce(self, files: Sequence[HistoryFile]) -> None:
        """Write down that these files are about to be written, so that whatever happens they are known."""
        with self._connection.transaction():
            for one in files:
                names = ("path", "org_id", "date", "partition", "position_after", "position_upto")
                self._run("announce", **{name: getattr(one, name) for name in names})

    def archive(self, partition: int, after: int, upto: int, files: Sequence[HistoryFile]) -> None:
        """All or nothing: the files are live, and the partition is archived up to here.

        Raises Fenced when somebody else moved it meanwhile.
        """
        with self._connection.transaction():
            moved = self._run("move", partition=partition, after=after, upto=upto).fetchall()
            if not moved:
                raise Fenced(f"partition {partition} was archived by somebody else")
            self._publish(files)

    def adopt(
        self,
        live: Sequence[HistoryFile],
        *,
        retired: Sequence[HistoryFile],
        unfinished: Sequence[HistoryFile],
        archived: Mapping[int, int],
    ) -> None:
        """All or nothing: files that the books did not know are live, or retired, or to be deleted as those
        that nobody finished; and partitions are archived up to here, if they were not further already."""
        with self._connection.transaction():
            for state, files in (("live", live), ("retired", retired), ("writing", unfinished)):
                for one in files:
                    given = {**one._asdict(), "state": state, "fields": Jsonb(dict(one.fields))}
                    self._run("adopt", **{**given, "now": from_us(self._clock.now_us())})
            for partition, upto in archived.items():
                self._run("advance", partition=partition, upto=upto)
                self._run("release", partition=partition)

    def stored(self, partition: int, after: int, upto: int) -> dict[UUID, int]:
        """How many events with `after` < position <= `upto` of each organisation are in PostgreSQL."""
        rows = self._run("stored", partition=partition, after=after, upto=upto).fetchall()
        return {row[0]: int(row[1]) for row in rows}

    def swap(self, old: Sequence[HistoryFile], new: Sequence[HistoryFile], *states: str) -> None:
        """All or nothing: new files are live in place of the old ones, which were in one of these states.

        Raises Fenced when one of them no longer is.
        """
        paths = [one.path for one in old]
        with self._connection.transaction():
            gone = self._run("retire", paths=paths, states=list(states or ("live",))).fetchall()
            if len(gone) != len(paths):
                raise Fenced("files were changed by somebody else")
            self._publish(new)

    def put_back(self, path: str) -> int:
        """Call a damaged file live again."""
        return len(self._run("put_back", path=path).fetchall())

    def past_retention(self, days: int) -> list[str]:
        """Paths of the files to give up; `days` is for plans that do not say."""
        return [row[0] for row in self._run("past_retention", days=days).fetchall()]

    def retire(self, paths: Sequence[str]) -> int:
        return len(self._run("retire", paths=list(paths), states=["live", "damaged"]).fetchall())

    def forget(self, paths: Sequence[str]) -> None:
        """Strike files off that are written no more or retired, and deleted."""
        self._run("forget", paths=list(paths))

    def day_tables(self) -> list[str]:
        return [row[0] for row in self._run("day_tables").fetchall()]

    def drop_day(self, table: str) -> int:
        """Drop a day's table when all in it is archived and nobody is in the way; how many were dropped."""
        name = sql.Identifier(table)
        rest = sql.SQL(
            "SELECT 1 FROM {} e JOIN history_progress h USING (partition)"
            " WHERE e.position > h.archived LIMIT 1"
        )
        gone = sql.SQL(
            "UPDATE history_progress h SET released = greatest(h.released, e.last)"
            " FROM (SELECT partition, max(position) AS last FROM {} GROUP BY 1) e"
            " WHERE e.partition = h.partition"
        )
        try:
            with self._connection.transaction():
                self._connection.execute("SET LOCAL lock_timeout = '2s'")
                self._connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(name))
                if self._connection.execute(rest.format(name)).fetchall():
                    return 0
                self._connection.execute(gone.format(name))
                self._connection.execute(sql.SQL("DROP TABLE {}").format(name))
        except psycopg.errors.LockNotAvailable:
            return 0
        return 1

    def _publish(self, files: Sequence[HistoryFile]) -> None:
        for one in files:
            names = ("path", "events", "bytes", "first", "last", "types", "digest")
            given = {name: getattr(one, name) for name in names}
            if not self._run("publish", **given, fields=Jsonb(dict(one.fields))).fetchall():
                raise Fenced(f"{one.path} was taken away by somebody else")

    def _run(self, name: str, **values: Any) -> psycopg.Cursor[Any]:
        return self._connection.execute(self._sql[name], {"now": from_us(self._clock.now_us()), **values})


def _waited(connection: psycopg.Connection[Any], seconds: float) -> bool:
    """Whether the right to change history came free in time."""
    try:
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [f"{round(seconds * 1000)}ms"])
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    except psycopg.errors.LockNotAvailable:
        return False
    connection.execute("SET lock_timeout = 0")
    return True
