"""Rows for one statement: as JSON, which its `jsonb_to_recordset(%(rows)s)` takes apart.

For a handful of rows that costs one round trip, which others can share; for thousands it costs us less than
COPY does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import psycopg
from psycopg.types.json import Jsonb

MOST = 2_000
"""Rows in one statement: PostgreSQL takes no JSON beyond 256 MB."""


def put(connection: psycopg.Connection[Any], statement: str, rows: Sequence[dict[str, Any]]) -> None:
    """Run the statement with so many of the rows at a time as it can take; not at all without any.

    Values are what JSON has, UUIDs, and datetimes with a zone.
    """
    for start in range(0, len(rows), MOST):
        connection.execute(statement, {"rows": as_json(rows[start : start + MOST])})


def as_json(value: Any) -> Jsonb:
    """A parameter of type jsonb."""
    return Jsonb(value, dumps=orjson.dumps)
