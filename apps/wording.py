"""Numbers, times and groups as people read them. Returns plain text; escaping is the templates' work."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from signaldesk.clock import MICROS, from_us
from signaldesk.model.active import DAYS, Active
from signaldesk.model.duration import rough

SPACE = "\u00a0"
"""No-break space between a number and its unit."""
MINUS = "\u2212"

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def count(value: float) -> str:
    """`2914` → `2,914`."""
    return f"{value:,.0f}"


def short(value: float) -> str:
    """`6213000` → `6.2 M`: for places where the exact figure does not matter."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            figure = f"{value / size:.1f}".removesuffix(".0")
            return f"{figure}{SPACE}{unit}"
    return f"{value:.0f}"


def rate(per_second: float) -> str:
    """A live rate: whole numbers from 10 on, one decimal below, so that a quiet stream still moves."""
    return count(per_second) if per_second >= 10 or per_second == 0 else f"{per_second:.1f}"


def number(value: float) -> str:
    """A value that may or may not be whole: `14`, `1,840`, `0.25`."""
    return count(value) if value == int(value) else f"{value:,.4g}"


def length(us: int) -> str:
    """A duration in its largest fitting unit: `60 s`, `5 min`, `2 h`, `1.5 h`."""
    seconds = us / MICROS
    for unit, size in _UNITS:
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0 and unit in ("d", "h")):
            return f"{seconds / size:.1f}".removesuffix(".0") + SPACE + unit
    return f"{seconds:g}{SPACE}s"


def length_of(us: int) -> str:
    """The same, rough: `38 s`, `12 min`, `3 h 20 min`."""
    return rough(us)


def ago(then_us: int, now_us: int) -> str:
    """`now`, `12 s ago`, `38 min ago`, `2 h ago`, `3 d ago`; the future (clocks differ) reads `now`."""
    seconds = (now_us - then_us) // MICROS
    if seconds < 5:
        return "now"
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{SPACE}{unit} ago"
    raise AssertionError("unreachable: five seconds are five of the smallest unit")


def millis(value: float) -> str:
    """`31.4` → `31 ms`, `4.13` → `4.1 ms`, `1840` → `1.84 s`."""
    if value >= 1000:
        return f"{value / 1000:.2f}{SPACE}s"
    return f"{value:.0f}{SPACE}ms" if value >= 10 else f"{value:.1f}{SPACE}ms"


def share(value: float) -> str:
    """`0.9997` → `99.97 %`; never rounded up to 100 % while something is missing."""
    percent = value * 100
    if percent < 100:
        percent = min(percent, 99.99)
    return f"{percent:.2f}".rstrip("0").rstrip(".") + f"{SPACE}%"


def exact(us: int, zone: tzinfo) -> str:
    """`2026-11-23 21:04:12 CET`: what hovering over a relative time shows."""
    moment = from_us(us).astimezone(zone)
    return f"{moment:%Y-%m-%d %H:%M:%S} {moment.tzname()}"


def clock_time(us: int, zone: tzinfo) -> str:
    """`21:04:12.004`: the time of day to the millisecond."""
    moment = from_us(us).astimezone(zone)
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def utc_offset_us(us: int, zone: tzinfo) -> int:
    """How far the viewer's clocks are ahead of UTC at that moment."""
    offset = from_us(us).astimezone(zone).utcoffset()
    return round(offset.total_seconds() * MICROS) if offset else 0


def group_text(group: Mapping[str, Any]) -> str:
    """`country = DE, plan = pro`, or `all events` for a rule that does not group."""
    return ", ".join(f"{name} = {_plain(value)}" for name, value in group.items()) or "all events"


def headline(title: str, group: Mapping[str, Any]) -> str:
    """`Checkout failures by country: DE`: an alert where there is little room."""
    return f"{title}: {', '.join(map(_plain, group.values()))}" if group else title


def verdict(value: float, at_least: bool, margin: float | None, threshold: float, window_us: int) -> str:
    """`14 in 60 s (≥ 3)`: what was seen and what would have sufficed; `3 or more in 60 s` where all that is
    known is that it sufficed; `≈ 512 ± 2 % in 5 min (≥ 400)` for a value that may be off by so much."""
    if window_us <= 0:
        return "each event"
    if at_least and value == threshold:
        return f"{number(value)} or more in {length(window_us)}"
    about = margin is not None and not at_least
    seen = ("≥" if at_least else "≈" if about else "") + SPACE * (at_least or about) + number(value)
    if margin:
        seen += f" ±{SPACE}{number(100 * margin)}{SPACE}%"
    return f"{seen} in {length(window_us)} (≥{SPACE}{number(threshold)})"


def capitalize_first(text: str) -> str:
    """A sentence begins with a capital; what follows keeps its own."""
    return text[:1].upper() + text[1:]


def initials(name: str, email: str) -> str:
    """Two letters for an avatar: of the name, else of the address."""
    words = name.split() or email.partition("@")[0].replace("-", ".").replace("_", ".").split(".")
    letters = [word[0] for word in words if word]
    return "".join(letters[:1] + letters[-1:] if len(letters) > 1 else letters).upper() or "?"


def day_or_time(us: int, now_us: int, zone: tzinfo) -> str:
    """The time today, the date before that."""
    moment: datetime = from_us(us).astimezone(zone)
    same = moment.date() == from_us(now_us).astimezone(zone).date()
    return f"{moment:%H:%M:%S}" if same else f"{moment:%b} {moment.day}, {moment:%H:%M}"


def moment(us: int, now_us: int, zone: tzinfo) -> str:
    """`23:30` today, `Fri 23:30` within a week, `Dec 4, 23:30` later."""
    then, now = (from_us(one).astimezone(zone) for one in (us, now_us))
    days = abs((then.date() - now.date()).days)
    day = "" if not days else f"{then:%a} " if days < 7 else f"{then:%b} {then.day}, "
    return f"{day}{then:%H:%M}" if then.year == now.year or days < 7 else f"{then:%b} {then.day}, {then.year}"


def hours_text(hours: Active) -> str:
    """`Mon, Tue 23:30 – 01:00 Europe/Berlin`."""
    days = "daily" if len(hours.days) == len(DAYS) else ", ".join(day.capitalize() for day in hours.days)
    if hours.days == DAYS[:5]:
        days = "Mon – Fri"
    return f"{days} {hours.from_} – {hours.to} {hours.timezone}"


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
