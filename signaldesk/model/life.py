"""The life of alerts while firings and resolutions come in: what becomes of each, and what people are told.

A pure fold: from what is written down (`Ground`) and a batch to what has to be written (`Lives`). It decides
nothing by the clock and holds nothing back without a reason; see `telling` for who is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from signaldesk.ids import derived_id, of_event
from signaldesk.model import silence as silences
from signaldesk.model.outcome import Firing, GroupRef, Held, Resolution
from signaldesk.model.rule import SEVERITIES, Rule
from signaldesk.model.silence import Silence
from signaldesk.model.telling import CROWD_WITHIN, FLAPS, HOUR, Decision, Facts, decide, decide_resolved

STORM_AFTER = 10
"""Alerts of one rule that people are told of one by one within a minute; the others come as one message."""
GROUPS_NAMED = 10
"""Groups that the message about a storm names."""


@dataclass(slots=True, eq=False)
class Alert:
    """An alert on its way through a batch. Times are microseconds; `new`: it was opened in this batch."""

    id: UUID
    org_id: UUID
    group: GroupRef
    values: dict[str, Any]
    title: str
    severity: str
    labels: dict[str, str]
    version: int
    event_id: UUID
    opened_at: int
    last_fired_at: int
    value: float
    at_least: bool
    threshold: float
    window: int
    margin: float | None = None
    """As that of the firing that it shows the value of."""
    firings: int = 0
    state: str = "open"
    notified_at: int | None = None
    snoozed_until: int | None = None
    snoozed_value: float | None = None
    snoozed_firings: int | None = None
    flapping: bool = False
    storm_id: UUID | None = None
    resolved_at: int | None = None
    resolved_reason: str | None = None
    new: bool = False

    def wakes(self, firing: Firing) -> bool:
        """Whether this firing, counted already, ends the snooze: its time is over, or the alert has grown."""
        return self.state == "snoozed" and (
            (self.snoozed_until is not None and firing.time >= self.snoozed_until)
            or (self.snoozed_value is not None and firing.value > self.snoozed_value)
            or (self.snoozed_firings is not None and self.firings > self.snoozed_firings)
        )


class Opening(NamedTuple):
    """An earlier alert of a group that was over by itself."""

    at: int
    flapping: bool
    notified_at: int | None


@dataclass(slots=True, eq=False)
class Storm:
    """Many alerts of one rule within a short time, which people hear of in one message."""

    id: UUID
    org_id: UUID
    rule_id: UUID
    since: int
    until: int
    alerts: int = 0
    groups: list[dict[str, Any]] = field(default_factory=list)
    """The first few."""
    messages: dict[str, int] = field(default_factory=dict)
    """Channel → how many messages it got about this storm."""
    firing: Firing | None = None
    """The latest of this batch."""


@dataclass(slots=True)
class Ground:
    """What is written down when a batch comes."""

    alerts: dict[GroupRef, Alert] = field(default_factory=dict)
    """Those that are not resolved, of the groups in the batch."""
    earlier: dict[GroupRef, list[Opening]] = field(default_factory=dict)
    """Of the hour before."""
    told: dict[UUID, dict[UUID, int]] = field(default_factory=dict)
    """Rule → alert → when people were told of it, live ones only, the latest few."""
    storms: dict[UUID, Storm] = field(default_factory=dict)
    """Rule → its latest storm."""
    silences: dict[UUID, list[Silence]] = field(default_factory=dict)
    """By organisation."""


class Step(NamedTuple):
    """A row for an alert's timeline. Steps `fired` that follow one another are one with a count."""

    alert: Alert
    kind: str
    at: int
    until: int
    detail: dict[str, Any]
    times: int = 1


class Told(NamedTuple):
    """People are to be told of a firing."""

    firing: Firing
    alert: Alert
    reason: str


class Over(NamedTuple):
    """People are to be told that an alert is over."""

    resolution: Resolution
    alert: Alert


class Gathered(NamedTuple):
    """People are to be told of a storm; `numbers`: channel → which message about it that is."""

    storm: Storm
    firing: Firing
    numbers: dict[UUID, int]


class Lives:
    """Folds a batch over the ground it falls on; then holds what has to be written."""

    def __init__(self, ground: Ground, *, storm_after: int = STORM_AFTER) -> None:
        self._ground = ground
        self._storm_after = storm_after
        self._open = dict(ground.alerts)
        self.alerts: list[Alert] = []
        """Every alert that changed, in the order in which they were touched first."""
        self._touched: set[UUID] = set()
        self.of_firing: dict[UUID, Alert] = {}
        self.steps: list[Step] = []
        self._latest: dict[UUID, int] = {}
        self.tellings: list[Told | Over] = []
        self.storms: dict[UUID, Storm] = {}
        self._held: dict[tuple[GroupRef, str, UUID | None], Held] = {}

    @property
    def held(self) -> list[Held]:
        """Messages that were held back."""
        return list(self._held.values())

    def run(self, firings: list[Firing], resolutions: list[Resolution]) -> Lives:
        """In the order of the stream: a resolution comes after so many firings as it says."""
        at = 0
        for resolution in resolutions:
            for firing in firings[at : resolution.after]:
                self._fire(firing)
            at = max(at, resolution.after)
            self._resolve(resolution)
        for firing in firings[at:]:
            self._fire(firing)
        return self

    # --- a firing --------------------------------------------------------------------------------------

    def _fire(self, firing: Firing) -> None:
        if firing.saved.rule.shadow:
            return
        alert = self._open.get(firing.group)
        opens = alert is None
        worse = alert is not None and _rank(firing.saved.rule.severity) > _rank(alert.severity)
        if alert is None:
            alert = self._begin(firing)
        self._touch(alert)
        self.of_firing[firing.id] = alert
        _extend(alert, firing)
        woke = alert.wakes(firing)
        if woke:
            alert.state = "open"
            alert.snoozed_until = alert.snoozed_value = alert.snoozed_firings = None
            self._step(alert, "woke", firing.time, {})
        if not opens:
            self._step(alert, "fired", firing.time, {})
        if firing.channels:
            self._tell(firing, alert, woke=woke, worse=worse)

    def _begin(self, firing: Firing) -> Alert:
        rule = firing.saved.rule
        alert = Alert(
            id=firing.alert_id,
            org_id=firing.saved.org_id,
            group=firing.group,
            values=firing.values,
            title=rule.name,
            severity=rule.severity,
            labels=rule.labels,
            version=firing.saved.version,
            event_id=UUID(bytes=firing.event.id),
            opened_at=firing.time,
            last_fired_at=firing.time,
            value=firing.value,
            at_least=firing.at_least,
            margin=firing.margin,
            threshold=firing.threshold,
            window=firing.window_to - firing.window_from,
            new=True,
        )
        self._open[firing.group] = alert
        off = {"switched_off": list(firing.off)} if firing.off else {}
        event = {"event": str(alert.event_id)} if of_event(alert.event_id) else {}
        self._step(alert, "opened", firing.time, {**event, **off})
        recent = [one for one in self._ground.earlier.get(firing.group, ()) if one.at > firing.time - HOUR]
        if len(recent) + 1 >= FLAPS:
            alert.flapping = True
            # Who was told that it flaps need not be told of every opening until it is stable.
            told = [one.notified_at for one in recent if one.flapping and one.notified_at is not None]
            alert.notified_at = max(told, default=None)
            self._step(alert, "flapping", firing.time, {"openings": len(recent) + 1})
        return alert

    def _tell(self, firing: Firing, alert: Alert, *, woke: bool, worse: bool) -> None:
        silence = self._silence(
            firing.saved.org_id, firing.group, firing.saved.rule, firing.values, firing.time
        )
        facts = Facts(
            time=firing.time,
            state=alert.state,
            opened_at=alert.opened_at,
            notified_at=alert.notified_at,
            woke=woke,
            worse=worse,
            flapping=alert.flapping,
            repeat=firing.saved.rule.repeat,
            silence=silence,
            crowded=self._crowded(firing, alert),
        )
        decision = decide(facts)
        if not decision.tell:
            self._hold(firing.group, firing.values, decision, firing.time, firing.event.id, alert, silence)
        if decision.reason == "storm":
            self._gather(firing, alert)
        elif decision.tell:
            alert.storm_id = None
            self.tellings.append(Told(firing, alert, decision.reason))
        if decision.tell or decision.reason == "storm":
            alert.notified_at = max(firing.time, alert.notified_at or firing.time)
            if not firing.group.lane:
                self._note_told(firing.group.rule_id, alert.id, alert.notified_at)

    # --- many at once ----------------------------------------------------------------------------------

    def _crowded(self, firing: Firing, alert: Alert) -> bool:
        if firing.group.lane:
            return False
        told = self._ground.told.get(firing.group.rule_id, {})
        others = len(told) - (alert.id in told)
        if others < self._storm_after:
            return False
        since = firing.time - CROWD_WITHIN
        if min(told.values()) > since:  # in a storm all of them are near
            return True
        return sum(at > since and id_ != alert.id for id_, at in told.items()) >= self._storm_after

    def _note_told(self, rule_id: UUID, alert_id: UUID, at: int) -> None:
        told = self._ground.told.setdefault(rule_id, {})
        told[alert_id] = at
        if len(told) > self._storm_after + 1:
            del told[min(told.items(), key=itemgetter(1))[0]]

    def _gather(self, firing: Firing, alert: Alert) -> None:
        rule_id = firing.group.rule_id
        storm = self._ground.storms.get(rule_id)
        if storm is None or storm.until <= firing.time - CROWD_WITHIN:
            id_ = derived_id("storm", str(firing.id))
            storm = Storm(id_, firing.saved.org_id, rule_id, firing.time, firing.time)
            self._ground.storms[rule_id] = storm
        self.storms[storm.id] = storm
        storm.firing, storm.until = firing, max(storm.until, firing.time)
        if alert.storm_id != storm.id:
            alert.storm_id = storm.id
            storm.alerts += 1
            if len(storm.groups) < GROUPS_NAMED:
                storm.groups.append(firing.values)
            self._step(alert, "storm", firing.time, {"storm": str(storm.id)})

    # --- it is over ------------------------------------------------------------------------------------

    def _resolve(self, resolution: Resolution) -> None:
        alert = self._open.pop(resolution.group, None)
        if alert is None:
            return
        self._touch(alert)
        before, alert.state = alert.state, "resolved"
        alert.resolved_at, alert.resolved_reason = resolution.at, resolution.reason
        self._step(alert, "resolved", resolution.at, {"by": resolution.reason})
        self._ground.earlier.setdefault(alert.group, []).append(
            Opening(alert.opened_at, alert.flapping, alert.notified_at)
        )
        if not resolution.channels:
            return
        org_id, rule = resolution.saved.org_id, resolution.saved.rule
        silence = self._silence(org_id, alert.group, rule, alert.values, resolution.at)
        decision = decide_resolved(
            state=before,
            notified_at=alert.notified_at,
            flapping=alert.flapping,
            grouped=alert.storm_id is not None,
            silence=silence,
        )
        if decision.tell:
            self.tellings.append(Over(resolution, alert))

    # --- the pieces ------------------------------------------------------------------------------------

    def _silence(
        self, org_id: UUID, group: GroupRef, rule: Rule, values: dict[str, Any], at: int
    ) -> Silence | None:
        known = self._ground.silences.get(org_id)
        if not known or group.lane:
            return None
        subject = silences.subject(rule=rule.name, severity=rule.severity, labels=rule.labels, group=values)
        return silences.first(known, subject, at)

    def _touch(self, alert: Alert) -> None:
        if alert.id not in self._touched:
            self._touched.add(alert.id)
            self.alerts.append(alert)

    def _step(self, alert: Alert, kind: str, at: int, detail: dict[str, Any]) -> None:
        index = self._latest.get(alert.id)
        if kind == "fired" and index is not None and self.steps[index].kind == "fired":
            last = self.steps[index]
            self.steps[index] = last._replace(until=max(at, last.until), times=last.times + 1)
            return
        self._latest[alert.id] = len(self.steps)
        self.steps.append(Step(alert, kind, at, at, detail))

    def _hold(
        self,
        group: GroupRef,
        values: dict[str, Any],
        decision: Decision,
        at: int,
        event: bytes,
        alert: Alert,
        silence: Silence | None,
    ) -> None:
        silence_id = silence.id if silence else None
        place = (group, decision.reason, silence_id)
        held = self._held.get(place)
        if held is None:
            first = Held(
                alert.org_id, group, values, decision.reason, at, at, 1, event, event, silence_id=silence_id
            )
            self._held[place] = first
        else:
            self._held[place] = held._replace(
                since=min(held.since, at), until=max(held.until, at), times=held.times + 1, last_event=event
            )


def _extend(alert: Alert, firing: Firing) -> None:
    alert.firings += 1
    alert.last_fired_at = max(alert.last_fired_at, firing.time)
    alert.value, alert.at_least, alert.margin = firing.value, firing.at_least, firing.margin
    alert.threshold = firing.threshold
    alert.window = firing.window_to - firing.window_from
    alert.version, alert.severity = firing.saved.version, firing.saved.rule.severity


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity)
