"""A lane finds all rules' states of a group at once, and only of groups that there are."""

from __future__ import annotations

from uuid import UUID

import orjson

from signaldesk.engine.lane import Lane
from signaldesk.engine.state import State
from signaldesk.engine.watch import Watch
from signaldesk.model.event import Event
from signaldesk.model.outcome import Stored
from signaldesk.model.rule import SavedRule
from signaldesk.rules import document

ORG = UUID(int=1)
START = 1_790_000_000_000_000


def watch(number: int, when: dict[str, object]) -> Watch:
    rule = document.parse({"name": f"rule {number}", "event": "a", "by": "user", "when": when})
    saved = SavedRule(org_id=ORG, id=UUID(int=number), version=1, since_version=1, fingerprint="", rule=rule)
    made = Watch(saved, channels=[], org_name="", lateness=60_000_000)
    made.complete = True
    return made


def match(lane: Lane, number: int, payload: dict[str, object], ago: int = 0) -> list[State]:
    event = Event(number.to_bytes(16, "big"), "a", START + number - ago, orjson.dumps(payload))
    matched = lane.match(Stored(ORG.bytes, "", number, START + number, [event], {}))
    return [state for _, state, *_ in matched.hits]


def test_a_group_that_left_memory_is_looked_up_again() -> None:
    one, two = watch(1, {"kind": "count", "at_least": 2, "within": "60s"}), watch(2, {"kind": "each"})
    lane = Lane(ORG, "", [one, two])
    first = match(lane, 1, {"user": "u"})
    assert match(lane, 2, {"user": "u"}) == first == [one.states["u"], two.states["u"]]
    del one.states["u"]
    lane.forget_groups()
    assert match(lane, 3, {"user": "u"}) == [one.states["u"], first[1]] != first


def test_events_that_are_none_of_a_rules_business_or_too_late_leave_no_group_behind() -> None:
    lane = Lane(ORG, "", [watch(1, {"kind": "new_value", "field": "country", "within": "1h"})])
    match(lane, 1, {"user": "u", "country": "DE"})
    for number in range(2, 100):
        assert not match(lane, number, {"user": f"without {number}"})
        assert not match(lane, number, {"user": f"late {number}", "country": "DE"}, ago=120_000_000)
    (step,) = lane._plans["a"].steps
    assert [list(grouping.known) for grouping in step.groups] == [["u"]]
