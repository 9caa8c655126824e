"""Stored events as Arrow tables: the way to take very many of them out of Postgres at once.

Arrow and the driver are loaded with the first of them: whoever may be asked for a table loads them otherwise
when it starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
from psycopg import sql

from signaldesk.errors import Unavailable
from signaldesk.model.glob import like
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
_SELECT_MANY = """
    SELECT org_id, id, type, source, timestamp, received_at, position, idx, payload::text,
        CASE WHEN lane <> '' OR clock_skewed OR behind <> 0
             THEN json_build_array(lane, clock_skewed, behind)::text END AS unusual
    FROM events WHERE partition = {partition} AND position > {after} AND position <= {upto}"""
"""Every column costs a quarter of a microsecond, and most events are usual."""


_USUAL = ("", False, 0)


class ArrowEvents:
    """Every method opens a connection of its own. Raises Unavailable when Postgres is away."""

    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)

    def between(self, partition: int, after: int, upto: int) -> pa.Table:
        """All events of a partition with `after` < position <= `upto`, of any organisation."""
        query = sql.SQL(_SELECT_MANY).format(
            partition=sql.Literal(partition), after=sql.Literal(after), upto=sql.Literal(upto)
        )
        with self._connected() as connection:
            return _spread(_fetch(connection, query), partition)

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
        from adbc_driver_manager import AdbcStatement

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
            with AdbcStatement(connection) as statement:
                statement.set_sql_query(enter.format(org_id))
                statement.execute_update()
            return _fetch(connection, sql.SQL("SELECT {} FROM events WHERE {}").format(_SELECT, condition))

    @contextmanager
    def _connected(self) -> Iterator[AdbcConnection]:
        """A transaction that ends with its connection.

        Not by way of the driver's DB-API: that imports pandas and Polars, a second of a core for whoever
        wants to know a number. What breaks off while rows arrive is an OSError here.
        """
        import adbc_driver_postgresql as adbc
        from adbc_driver_manager import AdbcConnection, OperationalError

        try:
            with adbc.connect(self._url) as database, AdbcConnection(database) as connection:
                connection.set_autocommit(False)
                yield connection
        except (OperationalError, OSError) as error:
            raise Unavailable("the database is away; try again shortly", retry_after=1) from error


def _fetch(connection: AdbcConnection, query: sql.Composed) -> pa.Table:
    """The rows of a query. Its values are in its text: with parameters the driver is half as fast."""
    import pyarrow as pa
    from adbc_driver_manager import AdbcStatement

    with AdbcStatement(connection) as statement:
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


def _spread(events: pa.Table, partition: int) -> pa.Table:
    """The columns that were left out because most rows have the same in them."""
    import pyarrow as pa

    rows, unusual = events.num_rows, events["unusual"]
    columns = {
        "lane": pa.repeat(pa.scalar(""), rows),
        "clock_skewed": pa.repeat(pa.scalar(False), rows),
        "behind": pa.repeat(pa.scalar(0, pa.int64()), rows),
        "partition": pa.repeat(pa.scalar(partition, pa.int16()), rows),
    }
    if unusual.null_count < rows:
        found = [orjson.loads(one) if one else _USUAL for one in unusual.to_pylist()]
        for number, name in enumerate(("lane", "clock_skewed", "behind")):
            columns[name] = pa.array([one[number] for one in found], columns[name].type)
    for name, values in columns.items():
        events = events.append_column(name, values)
    return events.select(["org_id", *COLUMNS])
