"""Local clocks: when an IANA time zone's offset from UTC changes, as one table that both sides use.

DuckDB has its own copy of the time zones, of another release than Python's; with the table written into the
SQL, history and the live path cannot disagree on the hour of an event.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_YEAR, LAST_YEAR = 1970, 2099
"""Before and after, the offset at that end holds on."""


class Table(NamedTuple):
    """The offsets of one zone."""

    changes: tuple[int, ...]
    """Microseconds since 1970 UTC, ascending."""
    offsets: tuple[int, ...]
    """Microseconds east of UTC; one more than there are changes: the first holds before all of them."""


@cache
def names() -> frozenset[str]:
    """The zones there are."""
    return frozenset(available_timezones() | {"UTC"})


def known(name: str) -> bool:
    """Whether there is a zone of this name."""
    return name in names()


@cache
def table(name: str) -> Table:
    """When the zone's offset changes: found by asking once a day, then halving down to the second."""
    zone = ZoneInfo(name)
    step, second = 86_400, 1
    start = int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp())
    offset = _offset(zone, start)
    changes, offsets = [], [offset]
    for low in range(start, end, step):
        if _offset(zone, low + step) == offset:
            continue
        before, after = low, low + step
        while after - before > second:
            middle = (before + after) // 2
            before, after = (middle, after) if _offset(zone, middle) == offset else (before, middle)
        offset = _offset(zone, after)
        changes.append(after * 1_000_000)
        offsets.append(offset)
    return Table(tuple(changes), tuple(offsets))


def local(name: str) -> Callable[[int], int]:
    """A function from microseconds UTC to those that the zone's clock shows."""
    changes, offsets = table(name)
    return lambda micros: micros + offsets[bisect_right(changes, micros)]


def local_sql(name: str, micros: str) -> str:
    """The same as SQL: a tree of comparisons over the expression `micros`, a BIGINT."""
    changes, offsets = table(name)

    def written(low: int, high: int) -> str:
        if low == high:
            return str(offsets[low])
        middle = (low + high) // 2
        earlier, later = written(low, middle), written(middle + 1, high)
        return f"CASE WHEN {micros} < {changes[middle]} THEN {earlier} ELSE {later} END"

    return f"({micros} + {written(0, len(changes))})"


def _offset(zone: ZoneInfo, second: int) -> int:
    moment = (_EPOCH + timedelta(seconds=second)).astimezone(zone)
    return (moment.utcoffset() or timedelta(0)) // _MICROSECOND
