"""Time is handed in. Everything that needs "now" takes a `Clock`; only this file reads the wall clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

MICROS = 1_000_000
"""Microseconds in a second: the unit of every timestamp in the engine."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


class Clock(Protocol):
    """Something that tells the time."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1000


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, now_us: int = 1_700_000_000 * MICROS) -> None:
        self._now = now_us

    def now_us(self) -> int:
        return self._now

    def set(self, now_us: int) -> None:
        self._now = now_us

    def advance(self, seconds: float) -> None:
        self._now += round(seconds * MICROS)


def from_us(us: int) -> datetime:
    """The aware UTC datetime of a count of microseconds since 1970."""
    return _EPOCH + us * _MICRO


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime; exact, no floating point.

    Raises ValueError for a datetime without a time zone: guessing one would shift windows.
    """
    if moment.tzinfo is None:
        raise ValueError("a datetime without a time zone; say which, e.g. 2026-01-31T12:00:00Z")
    return (moment - _EPOCH) // _MICRO


def in_utc(moment: datetime) -> datetime:
    """The same moment on UTC's clocks.

    Raises ValueError for one without a time zone, and for one that is in no year from 1 to 9999 there:
    PostgreSQL would keep it, and nobody could read it again.
    """
    if moment.tzinfo is None:
        raise ValueError(f"has no time zone; write e.g. {moment.isoformat()}Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is in no year from 1 to 9999 in UTC; write e.g. 2026-01-31T12:00:00Z") from None


def iso(us: int) -> str:
    """RFC 3339 text of a count of microseconds, always UTC, e.g. `2026-01-31T12:00:00.000001Z`."""
    return from_us(us).isoformat(timespec="microseconds").replace("+00:00", "Z")
