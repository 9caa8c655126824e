"""Hours of a week on the clocks of a place: those in which a rule may fire, or a maintenance window holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, field_validator

from signaldesk.clock import to_us

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_MINUTES = 24 * 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = 60_000_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_LOOK_AHEAD = 15
"""Days within which hours come again, also those that clocks leave out once."""


@lru_cache(maxsize=600)
def zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name. Raises ValueError for others."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = get_close_matches(name[:60], available_timezones(), n=1)
        hint = f"did you mean {near[0]}?" if near else "write e.g. Europe/Berlin or UTC"
        raise ValueError(f"{name[:60]!r} is no IANA time zone; {hint}") from None


def _days(value: Any) -> Any:
    """`mon-fri` and a single day mean lists of days."""
    if not isinstance(value, str):
        return value
    first, dash, last = value.partition("-")
    if not dash:
        return [value]
    if first not in DAYS or last not in DAYS:
        raise ValueError(f"{value[:20]!r} is no range of days; write e.g. mon-fri")
    start, end = DAYS.index(first), DAYS.index(last)
    return [DAYS[number % 7] for number in range(start, end + (7 if end < start else 0) + 1)]


def _clock(value: Any) -> str:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None or (found[1] == "24" and found[2] != "00"):
        raise ValueError("expected a time of day such as '09:00' (in quotes), at most '24:00'")
    return str(value)


ClockTime = Annotated[str, BeforeValidator(_clock)]


class Active(BaseModel):
    """Days and hours. `to` is exclusive; when it is not after `from`, the hours end on the next day.

    It is the local clock that counts: when clocks go forward, hours that do not exist are nobody's; when
    they go back, the hour that comes twice is active twice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    days: Annotated[
        tuple[Day, ...], BeforeValidator(_days), Field(min_length=1, description="Days on which hours begin")
    ] = DAYS
    from_: Annotated[ClockTime, Field(alias="from", description="First minute")] = "00:00"
    to: Annotated[ClockTime, Field(description="First minute that is no longer active")] = "24:00"
    timezone: Annotated[str, Field(description="IANA name of the clocks' place")] = "UTC"
    _bounds: tuple[int, int] = PrivateAttr(default=(0, _MINUTES))

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        zone(value)
        return value

    def model_post_init(self, _context: Any) -> None:
        start, end = _minute(self.from_), _minute(self.to)
        self._bounds = (start, end if end > start else end + _MINUTES)

    def at(self, time: int) -> bool:
        """Whether an event time (µs since 1970) lies in active hours."""
        local = (_EPOCH + timedelta(microseconds=time)).astimezone(zone(self.timezone))
        minute, (start, end) = local.hour * 60 + local.minute, self._bounds
        today, before = DAYS[local.weekday()], DAYS[(local.weekday() - 1) % 7]
        return (today in self.days and start <= minute < end) or (
            before in self.days and minute + _MINUTES < end
        )

    def stretch(self, since: int) -> tuple[int, int]:
        """From when until before when (µs) they hold: `since` and what follows, or the next time.

        What goes on for longer than fifteen days is cut off there.
        """
        holds = self.at(since)
        start = before = since
        for moment in self._samples(since):
            if self.at(moment) != holds:
                edge = self._edge(before, moment)
                if holds:
                    return start, edge
                start, holds = edge, True
            before = moment
        return start, before

    def _samples(self, since: int) -> Iterator[int]:
        """Later moments so close to each other that hours begin or end at most once between two."""
        there, first = zone(self.timezone), since // _DAY
        for day in range(first, first + _LOOK_AHEAD):
            found = {day * _DAY + hour * _HOUR for hour in range(24)}
            for near in (day - 1, day, day + 1):
                for minute in self._bounds:
                    local = (_EPOCH + timedelta(days=near, minutes=minute)).replace(tzinfo=there)
                    found |= {to_us(local), to_us(local.replace(fold=1))}
            yield from sorted(one for one in found if one > since and one // _DAY == day)

    def _edge(self, before: int, after: int) -> int:
        """The minute at which what is so at `after`, and was not at `before`, begins."""
        low, high = before // _MINUTE, after // _MINUTE
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.at(middle * _MINUTE) == self.at(after) else (middle, high)
        return high * _MINUTE


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
