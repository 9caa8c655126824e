"""Moments in time as written in a filter: ISO 8601, to microseconds of UTC and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?\s?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII | re.IGNORECASE
)

EXAMPLE = "'2026-01-31', '2026-01-31 09:00:00' or '2026-01-31T09:00:00.25+01:00'; without an offset it is UTC"


def from_text(text: str) -> int:
    """Microseconds since 1970 UTC. Raises ValueError for what is not an ISO 8601 date, or date and time."""
    if not _ISO.fullmatch(text):
        raise ValueError(text)
    read = datetime.fromisoformat(text.upper().replace(" ", "T", 1).replace(" ", ""))
    try:
        utc = read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(text) from error
    return (utc - _EPOCH) // _MICROSECOND


def to_text(micros: int) -> str:
    """The one way a moment is written in canonical text; within the years 1 to 9999 UTC."""
    return (_EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")
