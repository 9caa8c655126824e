"""Deadlines of groups: put off by every event, met in order, and never piled up."""

from __future__ import annotations

from random import Random
from uuid import UUID

from signaldesk.engine.state import State
from signaldesk.engine.timers import NEVER, Timers
from signaldesk.engine.watch import Watch
from signaldesk.model.rule import SavedRule
from signaldesk.rules import document

WITHIN = 60_000_000


def watch(number: int) -> Watch:
    rule = document.parse(
        {
            "name": f"rule {number}",
            "event": "a",
            "by": "user",
            "when": {"kind": "count", "at_least": 1, "within": "60s"},
            "resolve": {"quiet_for": "1m"},
        }
    )
    saved = SavedRule(
        org_id=UUID(int=1), id=UUID(int=number), version=1, since_version=1, fingerprint="", rule=rule
    )
    return Watch(saved, channels=[], org_name="", lateness=0)


def states(watches: list[Watch], users: int) -> list[State]:
    made = [State(one, f"u{user}") for one in watches for user in range(users)]
    for state in made:
        state.watch.states[state.key] = state
    return made


def test_a_deadline_that_is_put_off_by_every_event_takes_one_place() -> None:
    timers = Timers()
    (state,) = states([watch(1)], 1)
    for time in range(1_000):
        state.due_quiet = time + WITHIN
        timers.set(state)
    assert len(timers._heap) == 1
    assert timers.pop(WITHIN + 999) is None
    assert timers.waiting() == WITHIN + 999
    assert timers.pop(WITHIN + 1_000) is state
    assert timers.waiting() == NEVER


def test_whatever_is_put_off_brought_forward_or_dropped_deadlines_come_in_order() -> None:
    chance = Random(7)
    timers, now = Timers(), 0
    all_of_them = states([watch(2), watch(1)], 5)
    for _ in range(3_000):
        state = chance.choice(all_of_them)
        state.due_quiet = chance.choice([None, now + chance.randrange(200)])
        timers.set(state)
        if chance.random() < 0.2:
            now += chance.randrange(60)
            wanted = sorted(
                (one.due_quiet, one.watch.id.bytes, one.text)
                for one in all_of_them
                if one.due_quiet is not None and one.due_quiet < now
            )
            found = []
            while (due := timers.pop(now)) is not None:
                found.append((due.due, due.watch.id.bytes, due.text))
                due.due_quiet = due.due = None
            assert found == wanted
            left = [one.due_quiet for one in all_of_them if one.due_quiet is not None]
            assert timers.waiting() == min(left, default=NEVER) >= timers.next
    assert len(timers._heap) <= 3 * len(all_of_them)


def test_a_group_that_left_memory_is_not_met() -> None:
    timers = Timers()
    (state,) = states([watch(1)], 1)
    state.due_quiet = 10
    timers.set(state)
    state.watch.states.clear()
    assert timers.pop(20) is None
