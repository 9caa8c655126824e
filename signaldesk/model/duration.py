"""Durations as people write them: `60s`, `5m`, `1h30m`, `7d`, `250ms`; in memory, microseconds."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
}
_NUMBER = r"[0-9]{1,20}(?:\.[0-9]{1,20})?"
_PART = re.compile(rf"({_NUMBER})(ms|[wdhms])")
_WHOLE = re.compile(rf"(?:{_NUMBER}(?:ms|[wdhms]))+")
LONGEST = 400 * _UNITS["d"]


def parse(value: Any) -> int:
    """Microseconds of a duration text, of a plain number of seconds, or of a timedelta.

    Raises ValueError with what is expected instead.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected a duration such as 60s, 5m or 1h30m")
    if isinstance(value, str):
        text = value.strip().replace(" ", "")
        if not _WHOLE.fullmatch(text):
            raise ValueError(f"{value[:40]!r} is not a duration; write 60s, 5m, 1h30m or 7d")
        micros = sum(round(float(number) * _UNITS[unit]) for number, unit in _PART.findall(text))
    else:
        if not abs(value) < LONGEST:
            raise ValueError("this duration is too long; the longest is 400d")
        micros = round(value * 1_000_000)
    if not 0 <= micros <= LONGEST:
        raise ValueError("a duration lies between 0s and 400d")
    return micros


def text(micros: int) -> str:
    """The shortest exact text: 60_000_000 is `1m`, 90_000_000 is `1m30s`."""
    if micros == 0:
        return "0s"
    parts = []
    for unit, size in _UNITS.items():
        if unit not in ("w", "ms"):
            count, micros = divmod(micros, size)
            if count:
                parts.append(f"{count}{unit}")
    if micros:
        parts.append(f"{micros / 1000:.6g}ms")
    return "".join(parts)


def seconds(micros: int) -> str:
    """For sentences: `60 s`, `5 min`, `1 h`, `7 d`; falls back to seconds."""
    for unit, size in (("d", "d"), ("h", "h"), ("min", "m")):
        if micros and micros % _UNITS[size] == 0 and (size != "m" or micros > _UNITS["m"]):
            return f"{micros // _UNITS[size]} {unit}"
    return f"{micros / 1_000_000:g} s"


def rough(micros: int) -> str:
    """For sentences, the longer the rougher: `40 s`, `12 min`, `3 h 20 min`, `2 d 5 h`."""
    seconds_, minutes = micros // _UNITS["s"], micros // _UNITS["m"]
    if minutes < 2:
        return f"{seconds_} s"
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


Duration = Annotated[
    int,
    BeforeValidator(parse),
    PlainSerializer(text, return_type=str),
    WithJsonSchema({"type": "string", "title": "Duration", "examples": ["60s", "5m", "1h30m"]}),
]
"""Microseconds; reads and writes duration texts."""
