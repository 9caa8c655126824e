"""Stored events as Arrow tables: the way to take very many of them out of Postgres at once.

Arrow and the driver are loaded with the first of them: whoever may be asked for a table loads them otherwise
when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg import sql

from signaldesk.errors import Unavailable
from signaldesk.model.glob import like
from signaldesk.store import entries
from signaldesk.store.urls import libpq_url

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_manager import AdbcConnection

COLUMNS = (
    "id", "type", "source", "timestamp", "received_at", "lane", "clock_skewed", "behind", "partition",
    "position", "idx", "payload",
)  # fmt: skip
"""Of every table that comes from here, after `org_id` where several organisations are in it.

`id` and `org_id` are 16 bytes, times are `timestamp[us, UTC]`, `payload` is JSON text.
"""
_SELECT = sql.SQL(", ".join(f"{name}::text" if name == "payload" else name for name in COLUMNS))
_IN_ONE_PIECE = {"adbc.postgresql.batch_size_hint_bytes": str(1 << 30)}
"""Pieces would be put together afterwards in any case. Arrow's texts cannot be longer than twice that."""
_SELECT_MANY = (
    "SELECT org_id, {} FROM events"
    " WHERE partition = {partition} AND position > {after} AND position <= {upto}"
)


class ArrowEvents:
    """Every method opens a connection of its own. Raises Unavailable when Postgres is away."""

    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)

    def between(self, partition: int, after: int, upto: int) -> pa.Table:
        """All events of a partition with `after` < position <= `upto`, of any organisation."""
        with self.reader() as reader:
            return reader.between(partition, after, upto)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """For asking `between` again and again: to connect costs the driver as much as 30,000 events."""
        with ExitStack() as stack:
            yield Reader(lambda: stack.enter_context(self._connected()))

    def tail(
        self,
        org_id: UUID,
        partition: int,
        after: int,
        *,
        types: Sequence[str],
        since: datetime | None,
        until: datetime | None,
    ) -> pa.Table:
        """An organisation's events with `after` < position and an event time in [since, until), as of one
        moment; `types` may be globs, none of them is all. Reads as that tenant."""
        given = {"org": org_id, "partition": partition, "after": after, "since": since, "until": until}
        tests = ["org_id = {org}", "partition = {partition}", "position > {after}"]
        if types and "*" not in types:
            given |= {f"type{number}": like(one) for number, one in enumerate(types)}
            tests.append(f"({' OR '.join(f'type LIKE {{type{number}}}' for number in range(len(types)))})")
        tests += ["timestamp >= {since}"] if since is not None else []
        tests += ["timestamp < {until}"] if until is not None else []
        condition = sql.SQL(" AND ".join(tests)).format(
            **{name: sql.Literal(value) for name, value in given.items()}
        )
        enter = "SELECT set_config('role', 'signaldesk_app', true), set_config('app.org', '{}', true)"
        with self._connected() as connection:
            _execute(connection, enter.format(org_id))
            return _fetch(connection, sql.SQL("SELECT {} FROM events WHERE {}").format(_SELECT, condition))

    @contextmanager
    def _connected(self) -> Iterator[AdbcConnection]:
        """A transaction that ends with its connection.

        Not by way of the driver's DB-API: that imports pandas and Polars, a second of a core for whoever
        wants to know a number. What breaks off while rows arrive is an OSError here.
        """
        import adbc_driver_postgresql as adbc
        from adbc_driver_manager import AdbcConnection

        with _reached(), adbc.connect(self._url) as database, AdbcConnection(database) as connection:
            connection.set_autocommit(False)
            yield connection


class Reader:
    """Reads events of partitions, one range after the other. For one thread at a time."""

    def __init__(self, connect: Callable[[], AdbcConnection]) -> None:
        self._connect = connect
        self._connection: AdbcConnection | None = None

    def between(self, partition: int, after: int, upto: int) -> pa.Table:
        """See `ArrowEvents.between`. Raises Unavailable."""
        self._connection = self._connection or self._connect()
        with _reached():
            try:
                return _between(self._connection, partition, after, upto).select(["org_id", *COLUMNS])
            finally:
                self._connection.rollback()  # nobody waits for our locks while these events are written


def _between(connection: AdbcConnection, partition: int, after: int, upto: int) -> pa.Table:
    places = {"partition": partition, "after": after, "upto": upto}
    given = {name: sql.Literal(value) for name, value in places.items()}
    for one in entries.SETTINGS:
        _execute(connection, one)
    packed = _fetch(connection, sql.SQL(entries.QUERY).format(**given))
    events = entries.unpacked(packed, partition)
    if events is not None:
        return events
    return _fetch(connection, sql.SQL(_SELECT_MANY).format(_SELECT, **given))


@contextmanager
def _reached() -> Iterator[None]:
    from adbc_driver_manager import OperationalError

    try:
        yield
    except (OperationalError, OSError) as error:
        raise Unavailable("the database is away; try again shortly", retry_after=1) from error


def _execute(connection: AdbcConnection, command: str) -> None:
    from adbc_driver_manager import AdbcStatement

    with AdbcStatement(connection) as statement:
        statement.set_sql_query(command)
        statement.execute_update()


def _fetch(connection: AdbcConnection, query: sql.Composed) -> pa.Table:
    """The rows of a query. Its values are in its text: with parameters the driver is half as fast."""
    import pyarrow as pa
    from adbc_driver_manager import AdbcStatement

    with AdbcStatement(connection) as statement:
        statement.set_options(**_IN_ONE_PIECE)
        statement.set_sql_query(query.as_string())
        rows, _ = statement.execute_query()
        table = pa.RecordBatchReader.from_stream(rows).read_all()
    for number, name in enumerate(table.column_names):
        if isinstance(table.schema.field(number).type, pa.BaseExtensionType):
            column = pa.chunked_array([one.storage for one in table[name].chunks], pa.binary(16))
            table = table.set_column(number, name, column)
    return table.replace_schema_metadata(None).cast(_plain(table.schema))


def _plain(schema: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field(one.name, one.type) for one in schema])
