"""The life of one rule's alerts as docs/alerts.md tells it: obvious, and with nothing of SignalDesk in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SECOND = 1_000_000
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
RANKS = ("info", "warning", "error", "critical")
BY_ITSELF = ("quiet", "threshold", "returned")


@dataclass(eq=False)
class Entry:
    """A line of a timeline. `at` None: by a clock that the test does not hold."""

    kind: str
    at: int | None
    by: str = ""
    times: int = 1


@dataclass(eq=False)
class Storm:
    until: int
    alerts: int = 0


@dataclass(eq=False)
class Alert:
    group: str
    opened_at: int
    severity: str
    state: str = "open"
    firings: int = 0
    value: float = 0
    over: str | None = None
    """Why it is over."""
    told_at: int | None = None
    quiet: tuple[int | None, float | None, int | None] = (None, None, None)
    """A snooze: until when, up to which value, up to how many firings."""
    flapping: bool = False
    storm: Storm | None = None
    assigned: bool = False
    timeline: list[Entry] = field(default_factory=list)

    def note(self, kind: str, at: int | None, by: str = "") -> None:
        last = self.timeline[-1] if self.timeline else None
        if kind == "fired" and last is not None and last.kind == "fired":
            last.times += 1
        else:
            self.timeline.append(Entry(kind, at, by))


@dataclass(eq=False)
class Silence:
    kind: str
    fits: Callable[[str, str], bool]
    """Of a group and a severity."""
    starts_at: int
    ends_at: int


@dataclass
class Model:
    """`repeat` None: every firing; 0: never again; else so many microseconds."""

    storm_after: int
    severity: str = "warning"
    repeat: int | None = None
    alerts: list[Alert] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    storms: list[Storm] = field(default_factory=list)
    told: set[Any] = field(default_factory=set)
    """Names of firings of which people were told."""
    ended: Counter[int] = field(default_factory=Counter)
    """Place of an alert → messages that it is over."""
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(group, reason) → messages that were held back."""

    def unresolved(self, group: str) -> Alert | None:
        return next((one for one in self.alerts if one.group == group and one.state != "resolved"), None)

    # --- what the engine does --------------------------------------------------------------------------

    def fire(self, name: Any, group: str, at: int, value: float) -> None:
        alert = self.unresolved(group)
        known = alert is not None
        if alert is None:
            alert = self._open(group, at)
        worse = RANKS.index(self.severity) > RANKS.index(alert.severity)
        alert.severity, alert.value = self.severity, value
        alert.firings += 1
        until, most_value, most_firings = alert.quiet
        woke = alert.state == "snoozed" and (
            (until is not None and at >= until)
            or (most_value is not None and value > most_value)
            or (most_firings is not None and alert.firings > most_firings)
        )
        if woke:
            self._wake(alert, at)
        if known:
            alert.note("fired", at)
        reason = self._why_not(alert, at, woke, worse)
        if reason is not None:
            self.held[group, reason] += 1
        if reason == "storm":
            self._gather(alert, at)
        elif reason is None:
            alert.storm = None
            self.told.add(name)
        if reason in (None, "storm"):
            alert.told_at = max(at, alert.told_at or at)

    def _open(self, group: str, at: int) -> Alert:
        before = [
            one
            for one in self.alerts
            if one.group == group and one.over in BY_ITSELF and one.opened_at > at - HOUR
        ]
        alert = Alert(group, at, self.severity)
        self.alerts.append(alert)
        alert.note("opened", at)
        if len(before) >= 3:
            alert.flapping = True
            known = [one.told_at for one in before if one.flapping and one.told_at is not None]
            alert.told_at = max(known, default=None)
            alert.note("flapping", at)
        return alert

    def _why_not(self, alert: Alert, at: int, woke: bool, worse: bool) -> str | None:
        """Why nobody is told; None: people are."""
        silence = self._silence(alert, at)
        if silence is not None:
            return silence.kind
        if alert.state == "snoozed":
            return "snoozed"
        told = alert.told_at
        if alert.flapping and told is not None and at < alert.opened_at + HOUR:
            return "flapping"
        if told is not None and not woke and not worse:
            if self.repeat is None and alert.state == "acknowledged":
                return "acknowledged"
            if self.repeat == 0 or (self.repeat and at < told + self.repeat):
                return "repeat"
        near = [one for one in self.alerts if one is not alert and one.told_at and one.told_at > at - MINUTE]
        return "storm" if len(near) >= self.storm_after else None

    def _silence(self, alert: Alert, at: int) -> Silence | None:
        found = [
            one
            for one in self.silences
            if one.starts_at <= at < one.ends_at and one.fits(alert.group, self.severity)
        ]
        return min(found, key=lambda one: one.kind, default=None)

    def _gather(self, alert: Alert, at: int) -> None:
        latest = max(self.storms, key=lambda one: one.until, default=None)
        if latest is None or latest.until <= at - MINUTE:
            latest = Storm(at)
            self.storms.append(latest)
        latest.until = max(latest.until, at)
        if alert.storm is not latest:
            alert.storm = latest
            latest.alerts += 1
            alert.note("storm", at)

    def end(self, group: str, at: int, reason: str) -> None:
        alert = self.unresolved(group)
        if alert is None:
            return
        snoozed = alert.state == "snoozed"
        alert.state, alert.over = "resolved", reason
        alert.note("resolved", at)
        hears = alert.told_at is not None and not alert.flapping and alert.storm is None and not snoozed
        if hears and self._silence(alert, at) is None:
            self.ended[self.alerts.index(alert)] += 1

    def another_condition(self) -> None:
        for alert in self.alerts:
            if alert.state != "resolved":
                alert.state, alert.over = "resolved", "rule"
                alert.note("resolved", None)

    def pass_time(self, at: int) -> None:
        for alert in self.alerts:
            if alert.state == "snoozed" and alert.quiet[0] is not None and alert.quiet[0] <= at:
                self._wake(alert, at)

    @staticmethod
    def _wake(alert: Alert, at: int, by: str = "") -> None:
        alert.state, alert.quiet = "open", (None, None, None)
        alert.note("woke", at, by)

    # --- what people do; False: it cannot be done ------------------------------------------------------

    def acknowledge(self, alert: Alert, at: int, by: str) -> bool:
        if alert.state == "resolved":
            return False
        if alert.state != "acknowledged":
            alert.state, alert.quiet = "acknowledged", (None, None, None)
            alert.note("acknowledged", at, by)
        return True

    def resolve(self, alert: Alert, at: int, by: str) -> bool:
        if alert.state != "resolved":
            alert.state, alert.over, alert.quiet = "resolved", "person", (None, None, None)
            alert.note("resolved", at, by)
        return True

    def reopen(self, alert: Alert, at: int, by: str) -> bool:
        if alert.state == "resolved" and self.unresolved(alert.group) is not None:
            return False
        if alert.state != "open":
            alert.state, alert.over, alert.quiet = "open", None, (None, None, None)
            alert.note("reopened", at, by)
        return True

    def snooze(
        self, alert: Alert, quiet: tuple[int | None, float | None, int | None] | None, at: int, by: str
    ) -> bool:
        """`quiet` None: until it grows."""
        if alert.state == "resolved":
            return False
        alert.state, alert.quiet = "snoozed", quiet or (None, alert.value, 2 * alert.firings)
        alert.note("snoozed", at, by)
        return True

    def unsnooze(self, alert: Alert, at: int, by: str) -> bool:
        if alert.state == "snoozed":
            self._wake(alert, at, by)
        return True

    def assign(self, alert: Alert, to_somebody: bool, at: int, by: str) -> bool:
        if alert.assigned != to_somebody:
            alert.assigned = to_somebody
            alert.note("assigned", at, by)
        return True

    def comment(self, alert: Alert, at: int, by: str) -> bool:
        alert.note("commented", at, by)
        return True
