"""Which events somebody asks for, in Python, and the SQL that says it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from signaldesk.errors import FieldError, Invalid
from signaldesk.model import span
from signaldesk.model.glob import like

if TYPE_CHECKING:
    from signaldesk.filters import Filter

COLUMNS = "id, type, source, timestamp, received_at, payload, clock_skewed, behind, position, idx"
ORDER = "timestamp, position, idx"


class Picked(NamedTuple):
    """Live events of some types (globs; none: all) with an event time in [since, until); `last` is µs."""

    types: Sequence[str]
    last: int | None
    since: datetime | None
    until: datetime | None
    where: Filter | None

    @property
    def sql(self) -> str:
        """The SELECT of those events, in no order."""
        tests = [_types(self.types)] if self.types and "*" not in self.types else []
        for sign, moment in ((">=", self.since), ("<", self.until)):
            if moment is not None:
                tests.append(f"timestamp {sign} TIMESTAMPTZ '{moment.isoformat()}'")
        if self.last is not None:
            tests.append(f"timestamp > now() - INTERVAL '{self.last} microseconds'")
        if self.where is not None:
            from signaldesk.filters.duckdb_sql import duckdb_expression

            tests.append(duckdb_expression(self.where.tree))
        return f"SELECT {COLUMNS} FROM events WHERE {' AND '.join(tests) or 'true'}"


def picked(
    type: str | Sequence[str],
    *,
    last: str | timedelta | None,
    since: datetime | None,
    until: datetime | None,
    where: str | None,
) -> Picked:
    """What these arguments mean. Raises Invalid with every fault."""
    faults: list[FieldError] = []
    if last is not None and since is not None:
        faults.append(FieldError("last", "give `last` or `since`, not both"))
    faults += span.faults(since, until)
    types = _listed(type, faults)
    back = _last(last, faults)
    if not faults and back is not None and until is not None:
        since, back = until - timedelta(microseconds=back), None
    found = Picked(types, back, since, until, _filter(where, faults))
    if faults:
        raise Invalid("; ".join(f"{one.field}: {one.message}" for one in faults), errors=faults)
    return found


def _listed(given: Any, faults: list[FieldError]) -> list[str]:
    types = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else [given]
    if not types or not all(isinstance(one, str) for one in types):
        found = "is empty" if not types else f"is {given!r}"
        faults.append(FieldError("type", f"{found}; name a type, several, or '*' for all of them"))
    return types


def _types(types: Sequence[str]) -> str:
    tests = []
    for one in types:
        text = one.replace("'", "''")
        if "*" in one:
            tests.append(rf"type LIKE '{like(text)}' ESCAPE '\'")
        else:
            tests.append(f"type = '{text}'")
    return f"({' OR '.join(tests)})"


def _last(text: str | timedelta | None, faults: list[FieldError]) -> int | None:
    from signaldesk.model import duration

    try:
        return None if text is None else duration.parse(text)
    except ValueError as error:
        faults.append(FieldError("last", str(error)))
        return None


def _filter(text: Any, faults: list[FieldError]) -> Filter | None:
    if text is None:
        return None
    if not isinstance(text, str):
        message = f"is a {type(text).__name__}; write a filter as a text, e.g. 'amount > 20'"
        faults.append(FieldError("where", message))
        return None
    from signaldesk import filters

    try:
        return filters.parse(text)
    except filters.InvalidFilter as error:
        faults += [FieldError("where", one.message) for one in error.errors] or [
            FieldError("where", error.detail)
        ]
        return None
