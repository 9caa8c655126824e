"""What a save writes does not depend on how much is judged before it has taken everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.engine import snapshot
from signaldesk.engine.lane import Lane
from signaldesk.engine.snapshot import Snapshot
from signaldesk.engine.state import State
from signaldesk.engine.watch import Watch
from signaldesk.model.event import Event
from signaldesk.model.outcome import Stored
from signaldesk.model.rule import SavedRule
from signaldesk.rules import document
from signaldesk.stream.windows import Changes

ORG = UUID(int=1)
START = 1_790_000_000_000_000
SECOND = 1_000_000
RULES: tuple[dict[str, Any], ...] = (
    {"when": {"kind": "count", "at_least": 2, "within": "5s"}},
    {"when": {"kind": "count", "at_least": 2, "within": "5s"}, "for": "3s", "resolve": {"quiet_for": "4s"}},
    {"when": {"kind": "aggregate", "function": "p95", "field": "amount", "within": "9s", "above": 5}},
    {"when": {"kind": "change", "rise": 2, "within": "4s", "min_events": 1}},
    {"when": {"kind": "sequence", "steps": [{"event": "a"}, {"event": "b"}], "within": "5s"}},
    {"when": {"kind": "new_value", "field": "amount", "within": "9s"}},
    {"when": {"kind": "anomaly", "bin": "1s"}},
    {"when": {"kind": "absence", "within": "3s"}},
    {"when": {"kind": "composite", "all": ["rule 0", "rule 7"], "within": "5s"}},
)
SAY_WHAT_THEY_LOOK_AT = ("sequence", "composite")

Sent = tuple[int, str, str, int]
"""Seconds after the one before (or, negative, earlier than that), type, user, amount."""
sent = st.tuples(st.integers(-2, 6), st.sampled_from("ab"), st.sampled_from("uvw"), st.integers(0, 9))
Written = tuple[dict[str, Any], dict[bytes, int | None]]


def desk() -> Lane:
    watches = []
    for number, body in enumerate(RULES):
        event = {} if body["when"]["kind"] in SAY_WHAT_THEY_LOOK_AT else {"event": "a"}
        rule = document.parse({"name": f"rule {number}", "by": "user", **event, **body})
        id_ = UUID(int=number + 1)
        saved = SavedRule(org_id=ORG, id=id_, version=1, since_version=1, fingerprint="", rule=rule)
        watch = Watch(saved, channels=[], org_name="", lateness=3 * SECOND)
        watch.complete = True
        watches.append(watch)
    return Lane(ORG, "", watches)


def judging(lane: Lane, events: list[Sent]) -> Iterator[None]:
    """Judge one event at a time."""
    time = START
    for number, (seconds, type_, user, amount) in enumerate(events, 1):
        time += seconds * SECOND
        payload = orjson.dumps({"user": user, "amount": amount})
        event = Event(number.to_bytes(16, "big"), type_, time, payload)
        lane.judge(lane.match(Stored(ORG.bytes, "", number, max(time, lane.clock), [event], {})))
        yield


def key(lane: Lane, state: State) -> str:
    return f"{state.watch.saved.rule.name} {state.text}"


def timer(lane: Lane, state: State | None) -> bytes:
    return key(lane, state).encode() if state else b"clock"


def written(lane: Lane, meanwhile: Callable[[], object]) -> Written:
    """What a save writes that takes portion after portion, while other things happen."""
    taken = Snapshot(key, timer)
    taken.add(lane)
    windows: dict[str, Any] = {}
    timers: dict[bytes, int | None] = {}
    meanwhile()
    noted = False
    while (part := taken.portion()) is not None:
        assert taken.portion() is part
        assert not noted or noted == has_notes(part)
        noted = has_notes(part)
        for change in part.windows:
            assert change.key not in windows
            windows[change.key] = change
        timers |= dict(part.timers)
        taken.written()
        meanwhile()
    return windows, timers


def has_notes(part: Changes) -> bool:
    return bool(part.timers) or any(change.notes for change in part.windows)


@given(st.lists(sent, min_size=2, max_size=40), st.data())
def test_what_is_judged_while_windows_are_taken_is_part_of_the_next_save(
    events: list[Sent], data: st.DataObject
) -> None:
    until, every = data.draw(st.integers(1, len(events) - 1)), data.draw(st.integers(1, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "_WINDOWS", 1)
        at_once, between = desk(), desk()
        one, other = judging(at_once, events), judging(between, events)
        list(islice(one, until)), list(islice(other, until))
        first = written(at_once, lambda: None)
        assert written(between, lambda: list(islice(other, every))) == first
        list(one), list(other)
        assert written(between, lambda: None) == written(at_once, lambda: None)


def test_a_portion_holds_so_many_windows_and_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_WINDOWS", 2)
    lane = desk()
    list(judging(lane, [(1, "a", user, 1) for user in "uvw"]))
    taken = Snapshot(key, timer)
    taken.add(lane)
    sizes = []
    while (part := taken.portion()) is not None:
        sizes.append(len(part.windows))
        taken.written()
    assert max(sizes) == 2
    assert sum(sizes) == 3 * len(RULES) - 1 * 3  # the composite rule has no part that held


def test_only_deadlines_that_there_are_or_were_are_written() -> None:
    lane = desk()
    events: list[Sent] = [(1, "a", "u", 9), (1, "a", "u", 9), (60, "b", "v", 9), (1, "a", "v", 9)]
    judged = judging(lane, events)
    list(islice(judged, 2))
    _, timers = written(lane, lambda: None)
    assert timers.pop(b"clock")
    assert all(due is not None for due in timers.values())
    assert {name.decode().rpartition(" ")[0] for name in timers} == {"rule 1", "rule 6", "rule 7"}
    list(judged)  # what they waited for came, or it did not
    _, timers = written(lane, lambda: None)
    assert b'rule 1 {"user":"u"}' in {name for name, due in timers.items() if due is None}
    assert not any(name.startswith(b"rule 2") for name in timers)
