"""A backtest gives what the oracle says and what live judgement gave: firings, alerts, what people hear.

SIGNALDESK_TEST_SOAK, a number, makes that many times more examples.
"""

from __future__ import annotations

import gc
import json
import weakref
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

import signaldesk as sd
from signaldesk.backtest.events import Events
from signaldesk.backtest.result import Backtest
from signaldesk.backtest.rule import backtest
from signaldesk.engine import timing
from signaldesk.model.event import Event
from signaldesk.model.outcome import Firing
from signaldesk.model.rule import Rule, SavedRule
from signaldesk.rules import _blocks, _series, aggregate, change, document, ratio
from signaldesk.rules._kind import Kind
from tests import oracle
from tests.integration.engine.scenarios import FILTERS
from tests.support.examples import examples
from tests.support.judging import LATENESS, MICROS, ORG, Judging, event, seen
from tests.unit.rules import test_every_kind as conformance
from tests.unit.rules.test_live_is_oracle import ALONE, START, _comings, documents

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "repeat": st.sampled_from(["1s", "5s", "never"]),
        "mode": st.sampled_from(["shadow", "paused"]),
        "active": st.just({"from": "22:13", "to": "22:14"}),
    },
)


@pytest.fixture(scope="module", autouse=True)
def _short_blocks() -> Iterator[None]:
    """So that few events are many blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_blocks, "_ROWS", 3)
        patch.setattr(_blocks, "_FEW", 10_000)
        yield


def table(events: list[Event]) -> pyarrow.Table:
    """Events as history keeps them: each an entry of its own, received at its own time."""
    time = pyarrow.timestamp("us", tz="UTC")
    watermark, behind = 0, []
    for one in events:
        watermark = max(watermark, one.timestamp)
        behind.append(watermark - one.timestamp)
    return pyarrow.table(
        {
            "id": pyarrow.array([one.id for one in events], pyarrow.binary()),
            "type": [one.type for one in events],
            "timestamp": pyarrow.array([one.timestamp for one in events], time),
            "received_at": pyarrow.array([one.timestamp for one in events], time),
            "behind": behind,
            "clock_skewed": [False for _ in events],
            "position": list(range(1, len(events) + 1)),
            "payload": [one.payload.decode() for one in events],
        }
    )


def saved(rule: Rule, number: int) -> SavedRule:
    return SavedRule(
        org_id=ORG, id=UUID(int=number + 2), version=1, since_version=1, fingerprint="", rule=rule
    )


def judged(rules: list[Rule], events: list[Event]) -> Backtest:
    *others, one = [saved(rule, number) for number, rule in enumerate(rules)]
    return backtest(one, Events.of(table(events)), others=others, since=START, lateness=LATENESS)


@pytest.mark.parametrize("kind", ALONE)
@examples(6)
@given(data=st.data(), comings=_comings, options=OPTIONS)
def test_a_backtest_gives_what_the_oracle_says(
    kind: str, data: st.DataObject, comings: list[Any], options: dict[str, Any]
) -> None:
    said = {**data.draw(documents(kind)), **options}
    id_, org, now = str(UUID(int=2)), str(ORG), START
    rule = oracle.Rule(id_, 1, 1, said, FILTERS[said.get("where")], LATENESS, tells=True, begun=START)
    stream: list[Any] = [oracle.Rules(org, (rule,))]
    events: list[Event] = []
    for number, (gap, ago, payload) in enumerate(comings):
        now += gap
        one = event(number + 1, "y", now - ago, payload)
        events.append(one)
        stream.append(oracle.Event(org, one.id, "y", one.timestamp, one.timestamp, payload))
    right, found = oracle.judge(stream, skew=10**12), judged([document.parse(said)], events)
    assert [
        (f.event.id, f.time, f.value, f.at_least, f.margin, (f.window_from, f.window_to), tuple(f.evidence))
        for f in found.firings
    ] == [(f.event, f.time, f.value, f.at_least, f.margin, f.window, f.evidence) for f in right.firings]
    assert [
        (one.event_id.bytes, one.opened_at, one.last_fired_at, one.firings, one.state, one.notified_at)
        for one in found.alerts
    ] == [(a.event, a.opened_at, a.last_fired_at, a.firings, a.state, a.told_at) for a in right.alerts]
    held: Counter[tuple[str, str]] = Counter()
    for back in found.suppressed:
        held[json.dumps(back.values, sort_keys=True), back.reason] += back.times
    assert held == {(group.values, reason): times for (group, reason), times in right.held.items()}
    told = sum(firing.told for firing in right.firings) + right.told_over.total()
    assert len(found.notifications) == told
    assert (found.late, found.matched) == (right.late.total(), sum(n for _, n in right.counts.values()))


@conformance.every_kind
@examples(4)
@given(data=st.data(), options=st.sampled_from([{}, {"cooldown": "7s"}, {"resolve": {"quiet_for": "9s"}}]))
def test_a_backtest_gives_what_came_live(kind: Kind, data: st.DataObject, options: dict[str, Any]) -> None:
    """Ids, values, evidence, words and reasons, of every kind by being registered."""
    events = conformance.events(data.draw(conformance.streams(kind)))
    rules = conformance.rules(kind, **options)
    judging = Judging(rules)
    for watch in judging.lane.watches.values():
        watch.begun = START
        if watch.judge.begins and not watch.by:
            timing.start(judging.lane, judging.lane.enter(watch, ()))
    live = [outcome for one in events for outcome in judging.take(one)]
    live = [one for one in live if one.saved.id == UUID(int=len(rules) + 1)]
    found = judged(rules, events)
    assert seen(list(found.firings)) == seen([one for one in live if isinstance(one, Firing)])


@conformance.every_kind
def test_events_are_gone_as_soon_as_nobody_holds_them(kind: Kind) -> None:
    """DuckDB has threads for each of them; a loop over rules must not wait for the garbage collector."""
    rules = conformance.rules(kind)
    *others, one = [saved(rule, number) for number, rule in enumerate(rules)]
    events = Events.of(table([event(n + 1, "y", START + n * MICROS, {"n": n % 3}) for n in range(50)]))
    backtest(one, events, others=others, since=START, lateness=LATENESS)
    gone = [weakref.ref(events), *(weakref.ref(known.columns) for known in events.answers.values())]
    gc.disable()
    try:
        del events
        assert [one() for one in gone] == [None] * len(gone)
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("when", "margin"),
    [
        ({"kind": "aggregate", "function": "distinct", "field": "n", "at_least": 3}, 0.02),
        ({"kind": "aggregate", "function": "p50", "field": "n", "at_least": 3}, 0.01),
        ({"kind": "aggregate", "function": "sum", "field": "n", "at_least": 3}, 0),
        ({"kind": "ratio", "at_least": 0.5, "min_events": 2}, 0),
        ({"kind": "change", "rise_by": 2, "min_events": 2}, 0),
    ],
    ids=["distinct", "percentile", "sum", "ratio", "change"],
)
def test_a_backtest_says_how_exact_a_value_is_as_it_was_said_live(
    when: dict[str, Any], margin: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in (_series, aggregate, change, ratio):
        monkeypatch.setattr(room, "EXACT", 8)
    rule = document.parse({"name": "x", "event": "y", "where": "n > 0", "when": {**when, "within": "5s"}})
    events = [event(n + 1, "y", START + n * MICROS // 10, {"n": n % 20}) for n in range(90)]
    judging = Judging([rule])
    live = [one for each in events for one in judging.take(each) if isinstance(one, Firing)]
    found = judged([rule], events)
    assert seen(list(found.firings)) == seen(list(live))
    assert (live[0].margin, live[-1].margin) == (None, margin)
    told = [(one["value"], one["at_least"], one["margin"]) for one in found.as_json()["firings"]]
    assert told == [(one.value, False, one.margin) for one in live]
    assert found.alerts[-1].margin == margin


def test_events_come_in_the_order_of_their_places_whatever_order_they_are_given_in() -> None:
    rule = sd.Rule.count("y", at_least=2, within="1s").model
    events = [event(number + 1, "y", START + time, {}) for number, time in enumerate([0, 5, 3, 900_000])]
    other = Events.of(table(events).take([3, 1, 0, 2]))
    found = backtest(saved(rule, 0), other, lateness=LATENESS)
    assert seen(list(found.firings)) == seen(list(judged([rule], events).firings))
