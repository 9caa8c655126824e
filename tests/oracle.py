"""The oracle: the smallest reading of what a rule means. Slow and obvious; the kinds are in `tests.kinds`.

It knows nothing of batches, partitions, checkpoints or restarts, and shares no code with the engine. Every
window is counted anew from all events that its group ever took. Tests give it the events and the changes of
rules in the order of the stream, and compare what comes out with what the engine wrote down.

Times are microseconds.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from signaldesk import registry
from signaldesk.model import duration
from tests import kinds
from tests.kinds import Found, Reading, Seen, microseconds

MINUTE = 60_000_000
HOUR = 60 * MINUTE
FLAPS = 4
SEVERITIES = ("info", "warning", "error", "critical")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
KINDS: dict[str, type[Reading]] = {
    module.__name__.rpartition(".")[2]: module.READING for module in registry.modules(kinds)
}


@dataclass(frozen=True)
class Event:
    """One accepted event; `timestamp` as the sender gave it. `lane` names the import, '' is live."""

    org: str
    id: bytes
    type: str
    timestamp: int
    received_at: int
    payload: dict[str, Any]
    source: str | None = None
    lane: str = ""
    tell: bool = True
    """Whether people are told of its firings; imports may be quiet."""


@dataclass(frozen=True)
class Rule:
    """One rule as it is judged from some place of the stream on: its document, and what a document is not."""

    id: str
    version: int
    since: int
    """The version that introduced the present condition: with it windows and alerts begin anew."""
    body: dict[str, Any]
    where: Callable[[Event], bool]
    """What the document's filter means."""
    lateness: int
    """For documents that say nothing of their own."""
    tells: bool = False
    """Whether it names somebody to notify."""
    begun: int | None = None
    """When its condition began, for rules that are judged before any event."""

    def time(self, name: str) -> int:
        return microseconds(self.body.get(name, 0))

    @property
    def by(self) -> tuple[str, ...]:
        return listed(self.body.get("by", ()))

    @cached_property
    def reading(self) -> Reading:
        return KINDS[self.body["when"]["kind"]](self, self.body["when"])

    def watches(self, event: Event) -> bool:
        return any(like(pattern, event.type) for pattern in listed(self.body.get("event", ())))


@dataclass(frozen=True)
class Rules:
    """From this place on an organisation has these rules and no others."""

    org: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Passed:
    """Live time has come so far, although nothing happened."""

    time: int


class Group(NamedTuple):
    """`values` is the canonical JSON of an object with the `by` fields."""

    rule: str
    lane: str
    values: str


class Firing(NamedTuple):
    group: Group
    version: int
    event: bytes
    time: int
    value: float
    at_least: bool
    margin: float | None
    window: tuple[int, int]
    evidence: tuple[bytes, ...]
    shadow: bool
    told: bool


@dataclass
class Alert:
    group: Group
    event: bytes
    opened_at: int
    last_fired_at: int
    firings: int
    version: int
    severity: str = "warning"
    state: str = "open"
    told_at: int | None = None
    """When people were told of it last."""
    by_itself: bool = False
    """Whether it was over by itself."""
    flapping: bool = False


@dataclass
class Findings:
    """Everything that judging a stream comes to."""

    firings: list[Firing] = field(default_factory=list)
    held: Counter[tuple[Group, str]] = field(default_factory=Counter)
    """(group, reason) -> firings held back."""
    alerts: list[Alert] = field(default_factory=list)
    told_over: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    """(rule, event that opened the alert) -> how often people are told that it is over."""
    late: Counter[tuple[str, int]] = field(default_factory=Counter)
    """(rule, since) -> events that came too late for it."""
    counts: dict[tuple[str, int, str], tuple[int, int]] = field(default_factory=dict)
    """(org, minute, type) -> (live events, those that some rule watches)."""
    watermarks: dict[tuple[str, str], int] = field(default_factory=dict)
    """(org, lane) -> the latest event time."""
    stored: list[tuple[Event, int, bool, int]] = field(default_factory=list)
    """Event, its time, whether its clock was wrong, and how far it came behind the watermark."""


@dataclass
class Watched:
    """One group of one condition: all it was shown, and its timing."""

    rule: Rule
    group: Group
    org: str
    past: list[Seen] = field(default_factory=list)
    shown: set[tuple[int, bytes]] = field(default_factory=set)
    rung: list[int] = field(default_factory=list)
    """Deadlines of its kind that were met."""
    event: bytes = bytes(16)
    at: int = -1
    since: int | None = None
    until: int = 0
    held_at: int = 0
    held_event: bytes = b""
    due_for: int | None = None
    due_quiet: int | None = None
    begun: int | None = None

    def deadlines(self) -> dict[str, int]:
        """Kind of deadline -> when; the kind's own comes first at the same moment."""
        if self.due_for is None and self.due_quiet is None and not self.rule.reading.waits:
            return {}
        found = {
            "kind": self.rule.reading.deadline(self.past, self.rung, self.begun),
            "for": self.due_for,
            "quiet": self.due_quiet,
        }
        return {name: due for name, due in found.items() if due is not None}


def judge(stream: Iterable[Event | Rules | Passed], *, skew: int) -> Findings:
    """Judge a stream; a timestamp more than `skew` ahead of its receipt is set back to it."""
    fold = _Fold(skew)
    for item in stream:
        if isinstance(item, Rules):
            fold.change(item)
        elif isinstance(item, Passed):
            fold.tell = True
            for org in fold.rules:
                fold.time_passes(org, "", item.time, alone=True)
        else:
            fold.event(item)
    return fold.found


class _Fold:
    """(state, event) -> (state', findings)."""

    def __init__(self, skew: int) -> None:
        self.skew = skew
        self.found = Findings()
        self.rules: dict[str, tuple[Rule, ...]] = {}
        self.watched: dict[tuple[Group, int], Watched] = {}
        self.due: dict[tuple[str, str], dict[tuple[Group, int], tuple[int, Group, Watched]]] = {}
        """(org, lane) -> groups that have deadlines, each with its earliest; see also `asked_for`."""
        self.asked_for: dict[tuple[Group, int], Watched] = {}
        """Groups that may have changed since their deadlines were looked at."""
        self.fired: dict[Group, int] = {}
        self.alerts_of: dict[Group, list[Alert]] = defaultdict(list)
        self.clocks: dict[tuple[str, str], int] = {}
        self.tell = True

    # --- what comes ------------------------------------------------------------------------------------

    def change(self, item: Rules) -> None:
        """A new condition resolves the alerts of the one before it."""
        before = {rule.id: rule.since for rule in self.rules.get(item.org, ())}
        for rule in item.rules:
            if before.get(rule.id, rule.since) < rule.since:
                for alert in self.found.alerts:
                    if alert.group.rule == rule.id:
                        alert.state = "resolved"
        self.rules[item.org] = item.rules
        for rule in item.rules:
            if rule.begun is not None and not rule.by:
                watched = self.group_of(rule, item.org, "", "{}")
                if watched.begun is None and not watched.past:
                    watched.begun = rule.begun

    def event(self, event: Event) -> None:
        found, place = self.found, (event.org, event.lane)
        skewed = event.timestamp > event.received_at + self.skew
        time = event.received_at if skewed else event.timestamp
        watermark = max(time, found.watermarks.get(place, 0))
        found.watermarks[place] = watermark
        found.stored.append((event, time, skewed, watermark - time))
        self.tell = event.tell
        self.time_passes(*place, max(watermark, 0 if event.lane else event.received_at))
        concerned = False
        held: list[Watched] = []
        for rule in self.rules.get(event.org, ()):
            reading = rule.reading
            sample = reading.sample(event) if rule.watches(event) or not reading.takes_event else None
            if sample is None:
                continue
            concerned = True
            if watermark - time > (rule.time("allowed_lateness") if has_lateness(rule) else rule.lateness):
                found.late[rule.id, rule.since] += 1
                continue
            watched = self.group_of(rule, event.org, event.lane, values(rule.by, event))
            if (time, event.id) not in watched.shown:
                watched.shown.add((time, event.id))
                watched.past.append(Seen(time, event.id, sample, event.type, len(watched.rung)))
            watched.event = event.id
            if self.evaluated(watched, time, rule.reading.judge(watched.past)):
                held.append(watched)
        count(event, time, concerned, found)
        self.composites(held, time)
        self.time_passes(*place, 0)  # a deadline that it set may lie behind the watermark already

    def time_passes(self, org: str, lane: str, time: int, *, alone: bool = False) -> None:
        """Meet every deadline before the clock: the earliest first, then by rule and group.

        `alone`, without an event, live time meets those before itself: one that a rule began with may lie
        behind the watermark, and waits for an event or for live time.
        """
        clock = self.clocks[org, lane] = max(time, self.clocks.get((org, lane), 0))
        clock = time if alone else clock
        while True:
            living = {(rule.id, rule.since): rule for rule in self.rules.get(org, ())}
            self.look_at_deadlines()
            waiting = self.due.get((org, lane), {}).items()
            due = [one for (group, since), one in waiting if one[0] < clock and (group.rule, since) in living]
            if not due:
                return
            time, group, watched = min(due, key=lambda one: one[:2])
            watched.rule = next(rule for rule in living.values() if rule.id == group.rule)
            self.ring(watched, time)

    def look_at_deadlines(self) -> None:
        for key, watched in self.asked_for.items():
            waiting = self.due.setdefault((watched.org, watched.group.lane), {})
            if deadlines := watched.deadlines():
                waiting[key] = min(deadlines.values()), watched.group, watched
            else:
                waiting.pop(key, None)
        self.asked_for = {}

    def ring(self, watched: Watched, time: int) -> None:
        self.group_of(watched.rule, watched.org, watched.group.lane, watched.group.values)
        deadlines, held = watched.deadlines(), False
        if deadlines.get("kind") == time:
            watched.rung.append(time)
            why = watched.rule.reading.ring(watched.past, watched.rung, watched.begun)
            held = self.evaluated(watched, time, why, timer=True)
        if watched.due_for == time:
            watched.due_for = None
            if time < watched.until:
                self.candidate(watched, time, self.verdict(watched), timer=True)
                held = True
            else:
                watched.since = None
        if watched.due_quiet == time:
            watched.due_quiet = None
            self.resolve(watched, time)
        if held:
            self.composites([watched], time, timer=True)

    # --- what becomes of it ----------------------------------------------------------------------------

    def evaluated(self, watched: Watched, time: int, found: Found | None, *, timer: bool = False) -> bool:
        """The condition was evaluated for a time; whether that makes a firing candidate."""
        rule, newest = watched.rule, time >= watched.at
        watched.at = max(time, watched.at)
        if found is None:
            if newest:
                watched.since = watched.due_for = None
                self.perhaps_over(watched, time)
            return False
        if newest:
            watched.held_at, watched.held_event = time, watched.event
        if not rule.time("for"):
            self.candidate(watched, time, found, timer=timer)
            return True
        if not newest:
            return False
        if watched.since is None or time >= watched.until:
            watched.since, watched.due_for = time, time + rule.time("for")
        watched.until = time + rule.reading.lasting
        if watched.since + rule.time("for") > time:
            return False
        watched.due_for = None
        self.candidate(watched, time, self.verdict(watched), timer=timer)
        return True

    def verdict(self, watched: Watched) -> Found:
        found = watched.rule.reading.verdict(watched.past, watched.held_at)
        assert found is not None
        return found

    def candidate(self, watched: Watched, time: int, why: Found, *, timer: bool) -> None:
        """Held back, for the first reason there is, or a firing."""
        rule, group = watched.rule, watched.group
        resolve, cooldown = rule.body.get("resolve", {}), rule.time("cooldown")
        if "quiet_for" in resolve:
            watched.due_quiet = max(watched.due_quiet or 0, time + duration.parse(resolve["quiet_for"]))
        if rule.body.get("mode") == "paused":
            self.found.held[group, "paused"] += 1
        elif "active" in rule.body and not active(rule.body["active"], time):
            self.found.held[group, "inactive"] += 1
        elif cooldown and group in self.fired and time < self.fired[group] + cooldown:
            self.found.held[group, "cooldown"] += 1
        else:
            self.fired[group] = max(time, self.fired.get(group, time))
            self.fire(watched, time, why)

    def fire(self, watched: Watched, time: int, why: Found) -> None:
        """Record a firing; it opens its group's alert, or adds to the open one. Shadow rules have none."""
        rule, group = watched.rule, watched.group
        shadow = rule.body.get("mode") == "shadow"
        told = not shadow and self.tells(rule, self.alert(watched, time), time)
        self.found.firings.append(
            Firing(
                group=group,
                version=rule.version,
                event=watched.event,
                time=time,
                value=why.value,
                at_least=why.at_least,
                margin=why.margin,
                window=why.window,
                evidence=why.evidence,
                shadow=shadow,
                told=told,
            )
        )

    def alert(self, watched: Watched, time: int) -> tuple[Alert, bool]:
        """The group's alert with this firing in it, and whether its severity rose."""
        rule, group = watched.rule, watched.group
        severity = rule.body.get("severity", "warning")
        others = self.alerts_of[group]
        for alert in others:
            if alert.state == "open":
                worse = SEVERITIES.index(severity) > SEVERITIES.index(alert.severity)
                alert.firings += 1
                alert.last_fired_at = max(alert.last_fired_at, time)
                alert.version, alert.severity = rule.version, severity
                return alert, worse
        fresh = Alert(group, watched.event, time, time, 1, rule.version, severity)
        before = [a for a in others if a.by_itself and a.opened_at > time - HOUR]
        if len(before) >= FLAPS - 1:
            fresh.flapping = True
            fresh.told_at = max(
                (a.told_at for a in before if a.flapping and a.told_at is not None), default=None
            )
        self.found.alerts.append(fresh)
        others.append(fresh)
        return fresh, False

    def tells(self, rule: Rule, found: tuple[Alert, bool], time: int) -> bool:
        """Whether people are told of a firing; what is held back of those who would be is counted."""
        alert, worse = found
        if not (rule.tells and self.tell):
            return False
        reason = why_not(alert, worse, rule.body.get("repeat"), time)
        if reason:
            self.found.held[alert.group, reason] += 1
        else:
            alert.told_at = max(time, alert.told_at or time)
        return not reason

    def perhaps_over(self, watched: Watched, time: int) -> None:
        reading = watched.rule.reading
        threshold = watched.rule.body.get("resolve", {}).get("threshold")
        if reading.ends and reading.over(watched.past, watched.rung, watched.begun):
            watched.due_quiet = None
            self.resolve(watched, time)
        elif threshold is not None:
            value = reading.value(watched.past, time)
            if value is not None and reading.recovered(value, threshold):
                watched.due_quiet = None
                self.resolve(watched, time)

    def resolve(self, watched: Watched, time: int) -> None:
        """It is over by itself; those who were told of it are told that, unless it flaps."""
        if watched.rule.body.get("mode") == "shadow":
            return
        for alert in self.alerts_of[watched.group]:
            if alert.state == "open":
                alert.state, alert.by_itself = "resolved", True
                if watched.rule.tells and self.tell and alert.told_at is not None and not alert.flapping:
                    self.found.told_over[watched.group.rule, alert.event] += 1

    def composites(self, held: list[Watched], time: int, *, timer: bool = False) -> None:
        """Rules over other rules: judged after them, once, when one of their parts held in the same group."""
        for rule in self.rules.get(held[0].org, ()) if held else ():
            named = rule.body["when"]
            names = [name for of in ("all", "any", "none") for name in named.get(of, [])]
            parts = [part for part in held if part.rule.by == rule.by and part.rule.body["name"] in names]
            if named["kind"] != "composite" or not parts:
                continue
            whole = self.group_of(rule, parts[0].org, parts[0].group.lane, parts[0].group.values)
            for part in parts:
                whole.past.append(Seen(time, part.event, part.rule.body["name"]))
                whole.event = part.event
            why = rule.reading.judge(whole.past)
            if timer and why and (whole.held_at, whole.held_event) == (time, whole.event):
                continue  # it held at this very moment already
            self.evaluated(whole, time, why, timer=timer)

    def group_of(self, rule: Rule, org: str, lane: str, text: str) -> Watched:
        """A group, for whoever is about to show it something."""
        group = Group(rule.id, lane, text)
        watched = self.watched.setdefault((group, rule.since), Watched(rule, group, org))
        self.asked_for[group, rule.since] = watched
        watched.rule = rule
        return watched


def has_lateness(rule: Rule) -> bool:
    return "allowed_lateness" in rule.body


def active(hours: dict[str, Any], time: int) -> bool:
    """Whether a time lies in active hours: minute by minute, on the local clock."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).astimezone(
        ZoneInfo(hours.get("timezone", "UTC"))
    )
    start, end, now = hours.get("from", "00:00"), hours.get("to", "24:00"), f"{local:%H:%M}"
    days = hours.get("days", DAYS)
    today, yesterday = DAYS[local.weekday()] in days, DAYS[local.weekday() - 1] in days
    if start < end:
        return today and start <= now < end
    return (today and start <= now) or (yesterday and now < end)


def count(event: Event, time: int, watched: bool, found: Findings) -> None:
    """What happens per minute; imports are no part of it."""
    if not event.lane:
        place = (event.org, time // MINUTE * MINUTE, event.type)
        events, matched = found.counts.get(place, (0, 0))
        found.counts[place] = (events + 1, matched + watched)


def values(by: tuple[str, ...], event: Event) -> str:
    """The group an event belongs to. A missing field is null; 1 and 1.0 are the same, true and 1 are not."""
    return canonical({name: look_up(name, event) for name in by})


def look_up(name: str, event: Event) -> Any:
    if name in ("type", "source"):
        return getattr(event, name)
    value: Any = event.payload
    for step in name.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def canonical(group: dict[str, Any]) -> str:
    plain = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in group.items()
    }
    return json.dumps(plain, sort_keys=True)


def listed(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def like(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern in which `*` stands for anything."""
    head, star, rest = pattern.partition("*")
    if not star:
        return text == pattern
    return text.startswith(head) and any(like(rest, text[at:]) for at in range(len(head), len(text) + 1))


def why_not(alert: Alert, worse: bool, repeat: str | None, time: int) -> str:
    """Why people are not told of a firing; empty: they are."""
    if alert.flapping and alert.told_at is not None and time < alert.opened_at + HOUR:
        return "flapping"
    if alert.told_at is None or worse or repeat is None:
        return ""
    if repeat != "never" and time >= alert.told_at + duration.parse(repeat):
        return ""
    return "repeat"
