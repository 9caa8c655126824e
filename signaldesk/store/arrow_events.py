"""Stored events as Arrow tables: the way to take very many of them out of Postgres at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from signaldesk.errors import Unavailable
from signaldesk.store.eventlog import like
from signaldesk.store.urls import libpq_url

COLUMNS = (
    "id", "type", "source", "timestamp", "received_at", "lane", "clock_skewed", "behind", "partition",
    "position", "idx", "payload",
)  # fmt: skip
"""Of every table that comes from here, after `org_id` where several organisations are in it.

`id` and `org_id` are 16 bytes, times are `timestamp[us, UTC]`, `payload` is JSON text.
"""
_SELECT = ", ".join(f"{name}::text" if name == "payload" else name for name in COLUMNS)


class ArrowEvents:
    """Every method opens a connection of its own. Raises Unavailable when Postgres is away."""

    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)

    def between(self, partition: int, after: int, upto: int) -> pa.Table:
        """All events of a partition with `after` < position <= `upto`, of any organisation."""
        query = (
            f"SELECT org_id, {_SELECT} FROM events"
            " WHERE partition = $1::int2 AND position > $2::int8 AND position <= $3::int8"
        )
        with self._cursor() as cursor:
            return _fetch(cursor, query, (partition, after, upto))

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
        given: list[Any] = [partition, after]
        query = (
            f"SELECT {_SELECT} FROM events"
            f" WHERE org_id = '{org_id}' AND partition = $1::int2 AND position > $2::int8"
        )
        if types and "*" not in types:
            tests = []
            for one in types:
                given.append(like(one))
                tests.append(f"type LIKE ${len(given)}")
            query += f" AND ({' OR '.join(tests)})"
        for moment, operator in ((since, ">="), (until, "<")):
            if moment is not None:
                given.append(moment.isoformat())
                query += f" AND timestamp {operator} ${len(given)}::text::timestamptz"
        with self._cursor() as cursor:
            cursor.execute(
                f"SELECT set_config('role', 'signaldesk_app', true), set_config('app.org', '{org_id}', true)"
            )
            cursor.fetchall()
            return _fetch(cursor, query, tuple(given))

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        try:
            with closing(adbc.connect(self._url)) as connection, closing(connection.cursor()) as cursor:
                yield cursor
        except adbc.OperationalError as error:
            raise Unavailable("the database is away; try again shortly", retry_after=1) from error


def _fetch(cursor: Any, query: str, given: tuple[Any, ...]) -> pa.Table:
    cursor.execute(query, parameters=given)
    table = cursor.fetch_arrow_table()
    for number, name in enumerate(table.column_names):
        if isinstance(table.schema.field(number).type, pa.BaseExtensionType):
            column = pa.chunked_array([one.storage for one in table[name].chunks], pa.binary(16))
            table = table.set_column(number, name, column)
    return table.replace_schema_metadata(None).cast(_plain(table.schema))


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(one.name, one.type) for one in schema])
