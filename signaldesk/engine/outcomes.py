"""What becomes of a moment at which a condition holds: a firing, or a record that it was held back."""

from __future__ import annotations

from math import isfinite
from uuid import UUID

from signaldesk.engine.state import State
from signaldesk.ids import derived_id
from signaldesk.model import group
from signaldesk.model.event import Event
from signaldesk.model.outcome import Firing, Held, Resolution, Stored

Outcome = Firing | Resolution


class Sink:
    """Collects the outcomes of one lane. While the past is replayed (`replaying`), nothing fires anew."""

    def __init__(self, org_id: UUID, lane: str) -> None:
        self._org_id = org_id
        self._lane = lane
        self._tell = True
        self.received_at = 0
        self.position = 0
        self._outcomes: list[Outcome] = []
        self._holding: list[State] = []
        self._reports: list[Held] = []
        self.replaying: frozenset[UUID] | set[UUID] | None = None
        """Ids of the firings that are written down, when events are replayed of which they came."""

    def begin(self, stored: Stored) -> None:
        """What follows comes of this stream entry."""
        self._tell, self.received_at, self.position = stored.tell, stored.received_at, stored.position

    def take(self) -> list[Outcome]:
        """Take out the firings and resolutions since the last call, in order."""
        found, self._outcomes = self._outcomes, []
        return found

    # --- a condition holds -----------------------------------------------------------------------------

    def candidate(self, state: State, event: Event, time: int, *, timer: bool = False) -> None:
        """The condition holds at a time, `timer`: at a deadline. Fire, or hold back for the first reason."""
        watch, last = state.watch, state.last_fired
        if self.replaying is not None:
            if self._firing_id(state, event, time, timer) in self.replaying:
                state.last_fired = time if last is None else max(time, last)
            else:
                reason = "paused" if watch.paused else "inactive" if _inactive(state, time) else "cooldown"
                self._hold(state, event, time, reason)
        elif watch.paused:
            self._hold(state, event, time, "paused")
        elif watch.active is not None and _inactive(state, time):
            self._hold(state, event, time, "inactive")
        elif watch.cooldown and last is not None and time < last + watch.cooldown:
            self._hold(state, event, time, "cooldown")
        else:
            self._outcomes.append(self._fire(state, event, time, timer))

    def _firing_id(self, state: State, event: Event, time: int, timer: bool) -> UUID:
        at = (str(time),) if timer else ()
        return derived_id("firing", str(state.watch.id), self._lane, state.text, event.id.hex(), *at)

    def _fire(self, state: State, event: Event, time: int, timer: bool) -> Firing:
        watch = state.watch
        verdict = watch.judge.verdict(state, state.held_at if watch.holds_for else time, event.id)
        if not isfinite(verdict.value):
            raise ValueError(f"its value is {verdict.value}")  # nothing that can be stored, or told
        state.last_fired = time if state.last_fired is None else max(time, state.last_fired)
        return Firing(
            id=self._firing_id(state, event, time, timer),
            saved=watch.saved,
            org_name=watch.org_name,
            channels=self._channels(state),
            off=watch.off if self._tells(state) else (),
            group=state.ref(self._lane),
            values=group.values(watch.by, state.key),
            event=event,
            time=time,
            timer=timer,
            value=verdict.value,
            at_least=verdict.at_least,
            margin=verdict.margin,
            threshold=verdict.threshold,
            window_from=verdict.window_from,
            window_to=verdict.window_to,
            evidence=verdict.evidence,
            words=verdict.words,
            received_at=self.received_at,
            position=self.position,
        )

    def _channels(self, state: State) -> list[UUID]:
        return state.watch.channels if self._tells(state) else []

    def _tells(self, state: State) -> bool:
        return self._tell and not state.watch.saved.rule.shadow

    # --- it is over ------------------------------------------------------------------------------------

    def resolve(self, state: State, time: int, reason: str) -> None:
        """The group's alert is over by itself; if none is open, this comes to nothing."""
        watch = state.watch
        if self.replaying is not None or watch.saved.rule.shadow or _never_fired(state):
            return
        ref, values = state.ref(self._lane), group.values(watch.by, state.key)
        self._outcomes.append(
            Resolution(
                watch.saved,
                watch.org_name,
                self._channels(state),
                ref,
                values,
                time,
                reason,
                0,
                self.received_at,
            )
        )

    # --- what was held back ----------------------------------------------------------------------------

    def _hold(self, state: State, event: Event, time: int, reason: str) -> None:
        held = state.held
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
        return Held(self._org_id, state.ref(self._lane), values, reason, since, until, times, first, last)


def _never_fired(state: State) -> bool:
    """Whether there can be no alert of the group.

    Where memory does not hold every past, that is not known; nor of a group that waits from the beginning
    of its rule on: it may have one although no event has come yet.
    """
    watch = state.watch
    return state.last_fired is None and watch.complete and (bool(watch.by) or not watch.judge.begins)


def _inactive(state: State, time: int) -> bool:
    active = state.watch.active
    return active is not None and not active.at(time)
