"""What the Overview page shows: pure nouns, asked of the store and drawn by `apps/`.

Times are microseconds since 1970 UTC, durations microseconds unless the name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from signaldesk.clock import MICROS, to_us
from signaldesk.model.rule import SEVERITIES

WORST_FIRST = tuple(reversed(SEVERITIES))
"""The order in which people want to see severities."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time range that the page offers, cut into bars of equal width."""

    name: str
    label: str
    bar_s: int
    bars: int

    @property
    def bar_us(self) -> int:
        return self.bar_s * MICROS

    @property
    def length_us(self) -> int:
        return self.bars * self.bar_us

    def start_us(self, now_us: int) -> int:
        """Start of the first bar, so that the last one holds `now_us`."""
        return now_us // self.bar_us * self.bar_us - (self.bars - 1) * self.bar_us


SPANS = (
    Span("1h", "1 h", 60, 60),
    Span("6h", "6 h", 180, 120),
    Span("24h", "24 h", 900, 96),
    Span("7d", "7 d", 5400, 112),
)


def span_named(name: str | None) -> Span:
    """The span of that name; 6 hours for a name nobody offers (URLs are typed by people)."""
    return next((span for span in SPANS if span.name == name), SPANS[1])


@dataclass(frozen=True, slots=True)
class Bar:
    """Events received in [start, start + width of the span's bars)."""

    start_us: int
    events: int
    matched: int


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert that is not resolved."""

    id: UUID
    title: str
    severity: str
    state: str
    group: Mapping[str, Any]
    value: float
    at_least: bool
    margin: float | None
    threshold: float
    window_us: int
    last_fired_us: int
    opened_us: int
    handled_by: str = ""


@dataclass(frozen=True, slots=True)
class Attention:
    """Alerts that are not resolved: all of them counted, the most urgent ones listed; and system alerts."""

    by_severity: Mapping[str, int]
    unacknowledged: int
    oldest_us: int | None
    lines: tuple[AlertLine, ...]
    warnings: tuple[str, ...] = ()
    """What SignalDesk itself cannot do for the organisation: rules set aside, channels switched off."""

    @property
    def total(self) -> int:
        return sum(self.by_severity.values())


@dataclass(frozen=True, slots=True)
class NoisyRule:
    """A rule and how often it fired; `slices` has one number per equal part of the period, oldest first."""

    id: UUID
    name: str
    firings: int
    slices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Notifications of the last 24 hours; `p99_ms` is event received → message taken by its destination."""

    sent: int = 0
    waiting: int = 0
    retrying: int = 0
    failed: int = 0
    p99_ms: float | None = None
    p99_before_ms: float | None = None

    @property
    def delivered(self) -> float | None:
        """Share of those with a final state that arrived; None when none has one."""
        final = self.sent + self.failed
        return self.sent / final if final else None


@dataclass(frozen=True, slots=True)
class EventLine:
    """One stored event, as a list shows it."""

    id: str
    type: str
    timestamp_us: int
    received_us: int
    source: str | None
    payload: Mapping[str, Any]

    @classmethod
    def from_message(cls, event: Mapping[str, Any]) -> EventLine:
        """From the `latest` list of a live message."""
        return cls(
            id=event["id"],
            type=event["type"],
            timestamp_us=to_us(datetime.fromisoformat(event["timestamp"])),
            received_us=to_us(datetime.fromisoformat(event["received_at"])),
            source=event.get("source"),
            payload=event["payload"],
        )


@dataclass(frozen=True, slots=True)
class Quota:
    """Events of this calendar month (UTC) against the plan; no limit when `limit` is None."""

    used: int
    limit: int | None
