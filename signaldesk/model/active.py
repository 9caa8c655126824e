"""Active hours: the parts of a week, on the clocks of a place, in which a rule may fire."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, field_validator

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_MINUTES = 24 * 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=600)
def zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name. Raises ValueError for others."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name[:60]!r} is no IANA time zone; write e.g. Europe/Berlin or UTC") from None


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


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
