"""How long a condition must hold, when an alert is over, and what composite rules make of it: per group.

A condition is evaluated at every matching event and at the deadlines of its kind. What an evaluation found
stays true until the next one, at most for the judge's `lasting` (until the window has run empty).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from signaldesk.engine.state import State, shown
from signaldesk.model.event import Event

if TYPE_CHECKING:
    from signaldesk.engine.lane import Lane


def start(lane: Lane, state: State) -> None:
    """A group that is judged without an event, and has no past: the rule's beginning stands for one."""
    watch = state.watch
    if not watch.judge.begins or watch.by or lane.name or state.event is not None:
        return
    state.event = Event(bytes(16), watch.saved.rule.event[0], watch.begun, b"{}")
    watch.judge.begin(state, watch.begun)
    lane.begin(state)
    lane.tidy(state, lane.mark)


def judged(lane: Lane, state: State, event: Event, time: int, holds: bool) -> None:
    """A rule that is not plain was judged at an event."""
    watch = state.watch
    if watch.remembers:
        state.keep_event(event)
    evaluated(lane, state, event, time, holds)
    if watch.puts_off and state.queued is not None and state.due_quiet is None:
        return  # when that deadline comes up, it is seen where it belongs
    if watch.timed or state.due is not None:
        lane.timers.set(state)


def evaluated(lane: Lane, state: State, event: Event, time: int, holds: bool, *, timer: bool = False) -> None:
    """The condition was evaluated for a time, at an event or (`timer`) at a deadline of its kind."""
    if holds:
        held(lane, state, shown(event), time, timer=timer)
    elif time >= state.at:
        state.at = time
        state.since = state.due_for = None
        if state.watch.recovers:
            _recovered(lane, state, time)


def held(lane: Lane, state: State, event: Event, time: int, *, timer: bool) -> None:
    """The condition holds at an event, or with that as the latest one at a deadline."""
    watch = state.watch
    newest = time >= state.at
    if newest:
        state.at = state.held_at = time
    if not watch.holds_for:
        candidate(lane, state, event, time, timer=timer)
    elif newest:
        if state.since is None or time >= state.until:
            state.since, state.due_for = time, time + watch.holds_for
        state.until = time + watch.judge.lasting
        if state.since + watch.holds_for <= time:
            state.due_for = None
            candidate(lane, state, event, time, timer=timer)


def candidate(lane: Lane, state: State, event: Event, time: int, *, timer: bool) -> None:
    """The condition holds, and has for long enough."""
    if (quiet := state.watch.quiet_for) is not None:
        state.due_quiet = max(state.due_quiet or 0, time + quiet)
    lane.sink.candidate(state, event, time, timer=timer)
    if state.watch.composites:
        lane.held.append((state, event, time))


def composites(lane: Lane, *, timer: bool = False) -> None:
    """Judge, once, the composite rules of which a part held at the moment at hand, in the same group."""
    held, lane.held = lane.held, []
    wholes: dict[int, tuple[State, Event, int, bool]] = {}
    for state, event, time in held:
        for watch in state.watch.composites:
            if watch.active_from >= lane.sink.position:
                continue  # replayed: from before the rule
            whole = watch.states.get(state.key) or lane.enter(watch, state.key)
            lane.secure(whole)
            try:
                holds = watch.judge.holds(whole, time, event.id, state.watch.saved.rule.name)
            except Exception as error:
                lane.fails(watch, error)
            else:
                wholes[id(whole)] = whole, event, time, holds
    for whole, event, time, holds in wholes.values():
        whole.touched = lane.batch
        if timer and holds and whole.held_at == time and whole.event and whole.event.id == event.id:
            continue  # it held at this very moment already, by another part
        whole.keep_event(event)
        try:
            evaluated(lane, whole, event, time, holds, timer=timer)
            lane.timers.set(whole)
            lane.tidy(whole, lane.mark)
        except Exception as error:
            lane.fails(whole.watch, error)
    lane.held = []


def ring(lane: Lane, state: State) -> None:
    """The group's earliest deadline has come: that of its kind first, then `for`, then `quiet_for`."""
    due, judge = state.due, state.watch.judge
    assert due is not None
    state.due = None
    if judge.timed and judge.due(state) == due:
        holds = judge.ring(state, due)
        assert state.event is not None
        evaluated(lane, state, state.event, due, holds, timer=True)
    if state.due_for == due:
        state.due_for = None
        if due < state.until:
            assert state.event is not None
            candidate(lane, state, state.event, due, timer=True)
        else:
            state.since = None  # the window ran empty before
    if state.due_quiet == due:
        state.due_quiet = None
        lane.sink.resolve(state, due, "quiet")


def _recovered(lane: Lane, state: State, time: int) -> None:
    watch = state.watch
    resolve = watch.saved.rule.resolve
    if watch.judge.ends and watch.judge.over(state):
        state.due_quiet = None
        lane.sink.resolve(state, time, "returned")
    elif resolve is not None and resolve.threshold is not None:
        value = watch.judge.value(state, time)
        if value is not None and watch.judge.recovered(value, resolve.threshold):
            state.due_quiet = None
            lane.sink.resolve(state, time, "threshold")
