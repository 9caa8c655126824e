"""One organisation's events in one order: the deterministic fold (state, event) -> (state', firings).

Live events are the lane `''`; each import that is judged in its own event time is a lane of its own, with its
own watermark, windows and cooldowns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from signaldesk.engine.watch import Predicate, State, Watch
from signaldesk.ids import derived_id
from signaldesk.model import group
from signaldesk.model.event import Event
from signaldesk.model.group import Key
from signaldesk.model.outcome import Firing, Held, Stored

_MINUTE = 60_000_000
_DAY = 86_400_000_000
_NOTHING: dict[str, Any] = {}
_MOST_PLANS = 10_000
"""Event types are the senders' choice: their number must not fill memory."""

Hit = tuple[Watch, State, Event, int]
"""A rule, the group of it that an event belongs to, the event, and the watermark at that moment."""


class Step(NamedTuple):
    """Watches that share a filter; within it, those that share a grouping."""

    predicate: Predicate | None
    groups: list[tuple[Callable[[Event, dict[str, Any]], Key], list[Watch]]]


class Plan(NamedTuple):
    """What there is to do for one event type."""

    needs_payload: bool
    steps: list[Step]


class Lane:
    """Watches, their states and the watermark of one organisation in one lane."""

    def __init__(self, org_id: UUID, name: str, watches: list[Watch]) -> None:
        self.org_id = org_id
        self.name = name
        self.watermark = 0
        self.watches = {watch.id: watch for watch in watches}
        self.missing: list[State] = []
        """States entered into memory whose past is still to be loaded."""
        self.dirty: list[State] = []
        """States whose windows changed since the checkpoint."""
        self.minutes: dict[tuple[int, str], list[int]] = {}
        """(minute, event type) -> [events, matched] since the checkpoint."""
        self.days: dict[int, int] = {}
        """Day of receipt (µs) -> events since the checkpoint: what is used up of a plan."""
        self.events = 0
        self.batch = 0
        self._holding: list[State] = []
        self._reports: list[Held] = []
        self._plans: dict[str, Plan] = {}

    def replace(self, watches: list[Watch]) -> None:
        """The rules changed; watches handed in again keep their states."""
        self.watches = {watch.id: watch for watch in watches}
        self._plans.clear()

    # --- matching --------------------------------------------------------------------------------------

    def match(self, stored: Stored, *, replayed: bool = False) -> list[Hit]:
        """Which rules and groups each event belongs to; moves the watermark, counts what came too late.

        How far each event came behind the watermark goes into `stored.behind`, or, for `replayed` events,
        comes from there: lateness is decided once.
        """
        hits: list[Hit] = []
        watermark, plans, count = self.watermark, self._plans, self._count
        position, behind = stored.position, stored.behind
        for index, event in enumerate(stored.events):
            time, gap = event.timestamp, 0
            if replayed:
                gap = behind.get(index, 0)
                watermark = max(watermark, time)
            elif time >= watermark:
                watermark = time
            else:
                gap = behind[index] = watermark - time
            plan = plans.get(event.type) or self._plan(event.type)
            matched = bool(plan.steps) and self._match(plan, event, position, gap, hits)
            count(event, matched)
        day = stored.received_at // _DAY * _DAY
        self.days[day] = self.days.get(day, 0) + len(stored.events)
        self.events += len(stored.events)
        self.watermark = watermark
        return hits

    def _match(self, plan: Plan, event: Event, position: int, gap: int, hits: list[Hit]) -> bool:
        """Add a hit for each rule whose filter the event passes; whether there was any such rule."""
        time = event.timestamp
        payload = orjson.loads(event.payload) if plan.needs_payload else _NOTHING
        matched = False
        for predicate, groups in plan.steps:
            if predicate is not None and not predicate(payload, event.type, event.source, time):
                continue
            matched = True
            for grouped, watches in groups:
                key = grouped(event, payload)
                for watch in watches:
                    if watch.active_from >= position:
                        continue  # replayed: an event from before the rule
                    if gap > watch.lateness:
                        watch.late += 1
                    else:
                        state = watch.states.get(key) or self._enter(watch, key)
                        state.touched = self.batch
                        hits.append((watch, state, event, time + gap))
        return matched

    def _count(self, event: Event, matched: bool) -> None:
        place = (event.timestamp // _MINUTE, event.type)
        counts = self.minutes.get(place)
        if counts is None:
            counts = self.minutes[place] = [0, 0]
        counts[0] += 1
        counts[1] += matched

    def _enter(self, watch: Watch, key: Key) -> State:
        state = watch.states[key] = State(watch, key)
        if not watch.complete:
            self.missing.append(state)
        return state

    def _plan(self, type_: str) -> Plan:
        """Work out, once for each type, what there is to do for its events."""
        steps: dict[str | None, Step] = {}
        needs_payload = False
        for watch in self.watches.values():
            if watch.watches(type_):
                needs_payload |= watch.needs_payload
                step = steps.setdefault(watch.where, Step(watch.predicate, []))
                for _, watches in step.groups:
                    if watches[0].by == watch.by:
                        watches.append(watch)
                        break
                else:
                    step.groups.append((watch.group, [watch]))
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        plan = self._plans[type_] = Plan(needs_payload, list(steps.values()))
        return plan

    # --- judging ---------------------------------------------------------------------------------------

    def judge(self, hits: list[Hit], stored: Stored) -> list[Firing]:
        """Take each hit into its window, in order; the firings that were not held back."""
        firings: list[Firing] = []
        for watch, state, event, watermark in hits:
            time = event.timestamp
            if watch.judge.holds(state, time, event.id):
                last = state.last_fired
                if watch.paused:
                    self.hold(state, event, "paused")
                elif watch.cooldown and last is not None and time < last + watch.cooldown:
                    self.hold(state, event, "cooldown")
                else:
                    firings.append(self._fire(state, event, stored))
            if watch.windowed and (not state.dirty or len(state.times) > state.limit):
                self.tidy(state, watermark)
        return firings

    def tidy(self, state: State, watermark: int) -> None:
        """After a window took an event: keep it small, and remember that the checkpoint lacks it."""
        watch = state.watch
        if not watch.windowed:
            return
        if len(state.times) > state.limit:
            watch.judge.thin(state, watermark - watch.reach)
        if not state.dirty:
            state.dirty = True
            self.dirty.append(state)

    def _fire(self, state: State, event: Event, stored: Stored) -> Firing:
        watch, time = state.watch, event.timestamp
        verdict = watch.judge.verdict(state, time, event.id)
        state.last_fired = time if state.last_fired is None else max(time, state.last_fired)
        ref = state.ref(self.name)
        return Firing(
            id=derived_id("firing", str(watch.id), ref.lane, ref.key, event.id.hex()),
            saved=watch.saved,
            org_name=watch.org_name,
            channels=watch.channels if stored.tell and not watch.saved.rule.shadow else [],
            group=ref,
            values=group.values(watch.by, state.key),
            event=event,
            value=verdict.value,
            at_least=verdict.at_least,
            threshold=verdict.threshold,
            window_from=verdict.window_from,
            window_to=verdict.window_to,
            evidence=verdict.evidence,
            received_at=stored.received_at,
            position=stored.position,
        )

    # --- what was held back ----------------------------------------------------------------------------

    def hold(self, state: State, event: Event, reason: str) -> None:
        """Record that a firing was held back."""
        held, time = state.held, event.timestamp
        if held is not None and held[5] == reason:
            held[0] += 1
            held[1] = min(held[1], time)
            held[2] = max(held[2], time)
            held[4] = event.id
            return
        if held is None:
            self._holding.append(state)
        else:
            self._reports.append(self._report(state))
        state.held = [1, time, time, event.id, event.id, reason]

    def reports(self) -> list[Held]:
        """Take out what was held back since the last call."""
        found = self._reports + [self._report(state) for state in self._holding]
        for state in self._holding:
            state.held = None
        self._holding, self._reports = [], []
        return found

    def _report(self, state: State) -> Held:
        assert state.held is not None
        times, since, until, first, last, reason = state.held
        values = group.values(state.watch.by, state.key)
        ref = state.ref(self.name)
        return Held(self.org_id, ref, values, reason, since, until, times, first, last)

    def forget_counts(self) -> None:
        """Drop what was counted: it has been written down before."""
        self.minutes.clear()
        self.days.clear()
        self.events = 0
        self.reports()
        for watch in self.watches.values():
            watch.late = 0
