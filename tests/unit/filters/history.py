"""A small history in DuckDB, to judge events with the SQL form of a filter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb

from signaldesk.filters.duckdb_sql import Columns, duckdb_expression
from signaldesk.filters.tree import Condition
from tests.unit.filters.interpreter import Event

COLUMNS = Columns(timestamp="make_timestamptz(micros)")


@contextmanager
def open_history() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with an empty table, which downloads nothing."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
        connection.execute("CREATE TABLE event (n INT, payload JSON, type TEXT, source TEXT, micros BIGINT)")
        yield connection


def judged(
    connection: duckdb.DuckDBPyConnection, conditions: Sequence[Condition], events: Sequence[Event]
) -> list[list[bool | None]]:
    """For each condition, what it is for each event."""
    return valued(connection, [duckdb_expression(condition, COLUMNS) for condition in conditions], events)


def valued(
    connection: duckdb.DuckDBPyConnection, expressions: Sequence[str], events: Sequence[Event]
) -> list[list[Any]]:
    """For each SQL expression, what it is for each event."""
    rows = [
        [n, json.dumps(event.payload), event.type, event.source, event.timestamp_us]
        for n, event in enumerate(events)
    ]
    connection.execute("DELETE FROM event")
    connection.execute(
        "INSERT INTO event SELECT unnest(?::INT[]), unnest(?::JSON[]), unnest(?::TEXT[]), unnest(?::TEXT[]), "
        "unnest(?::BIGINT[])",
        [list(column) for column in zip(*rows, strict=True)],
    )
    found = connection.execute(f"SELECT {', '.join(expressions)} FROM event ORDER BY n").fetchall()
    return [list(column) for column in zip(*found, strict=True)]
