"""An organisation's desk, seen from Python: its events, and SQL over all that was stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from signaldesk.client.http import Api
from signaldesk.client.rows import Ask, Rows
from signaldesk.errors import FieldError, Invalid

_EVENTS = "id, type, source, timestamp, received_at, payload, clock_skewed"


class Desk:
    """Ask it; close it, or use it in a `with` block."""

    def __init__(self, ask: Ask, *, where: str, close: Callable[[], None]) -> None:
        self._ask = ask
        self._where = where
        self._close = close

    def sql(self, query: str) -> Rows:
        """One SELECT over the tables of docs/querying.md: `desk.sql("…").df()`, `.pl()`, `.arrow()`."""
        return Rows(self._ask, query)

    def events(
        self,
        type: str | Sequence[str] = "*",
        *,
        last: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        where: str | None = None,
    ) -> Rows:
        """Live events of these types (`*` in one is anything), oldest first.

        `last` is a duration such as `30d`; or name the times, from `since` on and before `until`, with their
        time zones. `where` is a filter as in rules. Raises Invalid.
        """
        return Rows(self._ask, events_sql(type, last=last, since=since, until=until, where=where))

    def close(self) -> None:
        self._close()

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SignalDesk at {self._where}>"


def remote(url: str, api_key: str) -> Desk:
    """The desk of an installation elsewhere. Raises SignalDeskError for what is no URL or no key."""
    from signaldesk.client.query import asked

    api = Api(url, api_key)
    return Desk(lambda sql: asked(api, sql, "arrow"), where=api.url, close=api.close)


def events_sql(
    type: str | Sequence[str],
    *,
    last: str | None,
    since: datetime | None,
    until: datetime | None,
    where: str | None,
) -> str:
    """The SELECT of those events. Raises Invalid with every fault."""
    faults: list[FieldError] = []
    types = [type] if isinstance(type, str) else list(type)
    tests = [_types(types)] if types and "*" not in types else []
    if last is not None and since is not None:
        faults.append(FieldError("last", "give `last` or `since`, not both"))
    for name, sign, moment in (("since", ">=", since), ("until", "<", until)):
        if moment is None:
            continue
        if moment.tzinfo is None:
            faults.append(FieldError(name, "has no time zone; write e.g. datetime(2026, 1, 31, tzinfo=UTC)"))
        tests.append(f"timestamp {sign} TIMESTAMPTZ '{moment.isoformat()}'")
    if last is not None:
        tests.append(_last(last, faults))
    if where is not None:
        tests.append(_filter(where, faults))
    if faults:
        raise Invalid("; ".join(f"{one.field}: {one.message}" for one in faults), errors=faults)
    condition = f" WHERE {' AND '.join(tests)}" if tests else ""
    return f"SELECT {_EVENTS} FROM events{condition} ORDER BY timestamp"


def _types(types: Sequence[str]) -> str:
    tests = []
    for one in types:
        text = one.replace("'", "''")
        if "*" in one:
            pattern = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_").replace("*", "%")
            tests.append(rf"type LIKE '{pattern}' ESCAPE '\'")
        else:
            tests.append(f"type = '{text}'")
    return f"({' OR '.join(tests)})"


def _last(text: str, faults: list[FieldError]) -> str:
    from signaldesk.model import duration

    try:
        return f"timestamp > now() - INTERVAL '{duration.parse(text)} microseconds'"
    except ValueError as error:
        faults.append(FieldError("last", str(error)))
        return "true"


def _filter(text: str, faults: list[FieldError]) -> str:
    from signaldesk import filters
    from signaldesk.filters.duckdb_sql import duckdb_expression

    try:
        return duckdb_expression(filters.parse(text).tree)
    except filters.InvalidFilter as error:
        faults += [FieldError("where", one.message) for one in error.errors] or [
            FieldError("where", error.detail)
        ]
        return "true"
