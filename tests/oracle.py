"""The oracle: the smallest reading of what a rule means, for the kinds `each` and `count`. Slow and obvious.

It knows nothing of batches, partitions, checkpoints or restarts, and shares no code with the engine. Every
window is counted anew from all events that its group ever took. Tests give it the events and the changes of
rules in the order of the stream, and compare what comes out with what the engine wrote down.

Times are microseconds.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

EVIDENCE = 100
MINUTE = 60_000_000


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
    """One rule as it is judged from some place of the stream on; `need` is None for the kind `each`."""

    id: str
    version: int
    since: int
    """The version that introduced the present condition: with it windows and alerts begin anew."""
    types: tuple[str, ...]
    where: Callable[[Event], bool]
    by: tuple[str, ...]
    need: int | None
    within: int
    lateness: int
    cooldown: int
    mode: str
    tells: bool = False
    """Whether it names somebody to notify."""

    def watches(self, event: Event) -> bool:
        return any(like(pattern, event.type) for pattern in self.types) and self.where(event)


@dataclass(frozen=True)
class Rules:
    """From this place on an organisation has these rules and no others."""

    org: str
    rules: tuple[Rule, ...]


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
    value: int
    at_least: bool
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
    state: str = "open"


@dataclass
class Findings:
    """Everything that judging a stream comes to."""

    firings: list[Firing] = field(default_factory=list)
    held: Counter[tuple[Group, str]] = field(default_factory=Counter)
    """(group, reason) -> firings held back."""
    alerts: list[Alert] = field(default_factory=list)
    late: Counter[tuple[str, int]] = field(default_factory=Counter)
    """(rule, since) -> events that came too late for it."""
    counts: dict[tuple[str, int, str], tuple[int, int]] = field(default_factory=dict)
    """(org, minute, type) -> (live events, those that some rule watches)."""
    watermarks: dict[tuple[str, str], int] = field(default_factory=dict)
    """(org, lane) -> the latest event time."""
    stored: list[tuple[Event, int, bool, int]] = field(default_factory=list)
    """Event, its time, whether its clock was wrong, and how far it came behind the watermark."""


def judge(stream: Iterable[Event | Rules], *, skew: int) -> Findings:
    """Judge a stream; a timestamp more than `skew` ahead of its receipt is set back to it."""
    found = Findings()
    rules: dict[str, tuple[Rule, ...]] = {}
    members: dict[tuple[Group, int], set[tuple[int, bytes]]] = {}
    fired: dict[Group, int] = {}
    for item in stream:
        if isinstance(item, Rules):
            begin(item.rules, rules.get(item.org, ()), found)
            rules[item.org] = item.rules
            continue
        skewed = item.timestamp > item.received_at + skew
        time = item.received_at if skewed else item.timestamp
        watermark = max(time, found.watermarks.get((item.org, item.lane), 0))
        found.watermarks[item.org, item.lane] = watermark
        found.stored.append((item, time, skewed, watermark - time))
        watching = [rule for rule in rules.get(item.org, ()) if rule.watches(item)]
        count(item, time, bool(watching), found)
        for rule in watching:
            if watermark - time > rule.lateness:
                found.late[rule.id, rule.since] += 1
                continue
            group = Group(rule.id, item.lane, values(rule.by, item))
            window = members.setdefault((group, rule.since), set())
            window.add((time, item.id))
            inside = sorted(one for one in window if time - rule.within < one[0] <= time)
            if rule.need is not None and len(inside) < rule.need:
                continue
            if rule.mode == "paused":
                found.held[group, "paused"] += 1
            elif rule.cooldown and group in fired and time < fired[group] + rule.cooldown:
                found.held[group, "cooldown"] += 1
            else:
                fired[group] = max(time, fired.get(group, time))
                newest = max(window)[0] <= time
                fire(rule, group, item, time, inside if newest else [], found)
    return found


def begin(rules: tuple[Rule, ...], before: tuple[Rule, ...], found: Findings) -> None:
    """A new condition resolves the alerts of the one before it."""
    for rule in rules:
        if any(one.id == rule.id and one.since < rule.since for one in before):
            for alert in found.alerts:
                if alert.group.rule == rule.id:
                    alert.state = "resolved"


def fire(
    rule: Rule, group: Group, event: Event, time: int, inside: list[tuple[int, bytes]], found: Findings
) -> None:
    """Record a firing; it opens its group's alert, or adds to the open one. Shadow rules have no alerts."""
    if rule.need is None:
        start, evidence = time, [event.id]
    else:
        newest = inside[-min(rule.need, EVIDENCE) :]
        start, evidence = time - rule.within, [id for _, id in newest] or [event.id]
    shadow = rule.mode == "shadow"
    found.firings.append(
        Firing(
            group=group,
            version=rule.version,
            event=event.id,
            time=time,
            value=rule.need or 1,
            at_least=rule.need is not None,
            window=(start, time),
            evidence=tuple(evidence),
            shadow=shadow,
            told=rule.tells and event.tell and not shadow,
        )
    )
    if shadow:
        return
    for alert in found.alerts:
        if alert.group == group and alert.state == "open":
            alert.firings += 1
            alert.last_fired_at = max(alert.last_fired_at, time)
            alert.version = rule.version
            return
    found.alerts.append(Alert(group, event.id, time, time, 1, rule.version))


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


def like(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern in which `*` stands for anything."""
    head, star, rest = pattern.partition("*")
    if not star:
        return text == pattern
    return text.startswith(head) and any(like(rest, text[at:]) for at in range(len(head), len(text) + 1))
