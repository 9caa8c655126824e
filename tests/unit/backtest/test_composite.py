"""A composite rule in columns: what the fold makes of the same events, whatever its parts are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.backtest.events import Events
from signaldesk.backtest.result import Backtest
from signaldesk.backtest.rule import backtest
from signaldesk.model.event import Event
from signaldesk.rules import _blocks, document
from tests.support.examples import examples
from tests.support.judging import LATENESS, event
from tests.unit.backtest.test_parity import saved, table
from tests.unit.rules.test_live_is_oracle import ALONE, START, _comings, documents

NAMES = ["a", "b", "c"]
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "cooldown": st.sampled_from(["2s", "7s"]),
        "resolve": st.just({"quiet_for": "5s"}),
        "for": st.sampled_from(["1s", "3s"]),
        "mode": st.sampled_from(["shadow", "paused"]),
        "active": st.just({"from": "22:13", "to": "22:14"}),
    },
)
FILTERS = ["amount > 1", "amount <= 1", "amount <> 2", "amount IS NOT NULL"]
BUSY = [{"kind": "each"}, {"kind": "count", "at_least": 2, "within": "3s"}]
BUSY_PARTS = [{"event": "y", "when": when} for when in BUSY]


@pytest.fixture(scope="module", autouse=True)
def _short_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_blocks, "_ROWS", 3)
        yield


@st.composite
def composites(draw: st.DrawFn, parts: int) -> dict[str, Any]:
    """What a composite rule asks of so many parts."""
    asked = draw(st.lists(st.sampled_from(["all", "any", "none"]), min_size=parts, max_size=parts))
    asked[0] = "any" if asked[0] == "none" else asked[0]
    when: dict[str, Any] = {"kind": "composite", "within": draw(st.sampled_from(["1ms", "2s", "6s"]))}
    for name, list_ in zip(NAMES, asked, strict=False):
        when.setdefault(list_, []).append(name)
    return when


def stream(comings: list[Any]) -> list[Event]:
    found, now = [], START
    for number, (gap, ago, payload) in enumerate(comings):
        now += gap
        found.append(event(number + 1, "y", now - ago, payload))
    return found


def both(
    rules: list[dict[str, Any]], events: list[Event], *, whole_first: bool = False
) -> tuple[Backtest, Backtest]:
    """In columns, if that can be, and by the fold. `whole_first`: its id is the least."""
    ids = range(9, -1, -1) if whole_first else range(10)
    *others, one = [saved(document.parse(rule), id_) for rule, id_ in zip(rules, ids, strict=False)]
    loaded = Events.of(table(events))
    said: dict[str, Any] = {"others": others, "since": START, "lateness": LATENESS}
    return backtest(one, loaded, **said), backtest(one, loaded, **said, columns=False)


def told(found: Backtest) -> tuple[Any, ...]:
    """Everything there is to say of a backtest."""
    firings = [
        (f.id, f.time, f.value, f.threshold, f.window_from, f.window_to, f.evidence, f.words, f.position)
        for f in found.firings
    ]
    alerts = [
        (a.id, a.opened_at, a.last_fired_at, a.firings, a.state, a.resolved_at, a.notified_at)
        for a in found.alerts
    ]
    return firings, alerts, found.notifications, sorted(found.suppressed), found.matched, found.late


@examples(30)
@given(data=st.data(), comings=_comings, options=OPTIONS, count=st.integers(1, 3))
def test_parts_of_any_kind_come_to_what_the_fold_makes_of_them(
    data: st.DataObject, comings: list[Any], options: dict[str, Any], count: int
) -> None:
    by = data.draw(st.sampled_from([None, "country"]))
    parts = []
    for name in NAMES[:count]:
        part = data.draw(documents(data.draw(st.sampled_from(ALONE))))
        if data.draw(st.booleans()) or (by and part["when"].get("field") == by):
            part = {"name": name, "event": "y", "when": data.draw(st.sampled_from(BUSY))}
        parts.append({**part, "name": name, "by": by} if by else {**_without(part, "by"), "name": name})
    whole = {"name": "x", "when": data.draw(composites(count)), **options} | ({"by": by} if by else {})
    columns, fold = both([*parts, whole], stream(comings))
    assert told(columns) == told(fold)


@examples(25)
@given(data=st.data(), comings=_comings, options=OPTIONS)
def test_parts_that_wait_for_nothing_are_judged_in_columns(
    data: st.DataObject, comings: list[Any], options: dict[str, Any]
) -> None:
    parts = [
        {
            "name": name,
            "event": "y",
            "where": data.draw(st.sampled_from(FILTERS)),
            "by": "country",
            "when": data.draw(st.sampled_from(BUSY)),
        }
        for name in NAMES
    ]
    whole = {"name": "x", "by": "country", "when": data.draw(composites(3)), **options}
    columns, fold = both([*parts, whole], stream(comings))
    assert columns.how == "columns"
    assert told(columns) == told(fold)


def test_a_part_that_held_later_in_the_stream_was_not_on_before() -> None:
    comings = [(1000, 0, {"n": 1}), (1000, 1500, {"n": 2}), (1000, 0, {"n": 2}), (1000, 0, {"n": 1})]
    parts = [
        {"name": name, "event": "y", "where": f"n = {n}", "when": {"kind": "each"}}
        for n, name in ((1, "a"), (2, "b"))
    ]
    whole = {"name": "x", "when": {"kind": "composite", "all": ["a", "b"], "within": "1s"}}
    columns, fold = both([*parts, whole], stream(comings))
    assert columns.how == "columns"
    assert [firing.position for firing in columns.firings] == [3, 4]
    assert told(columns) == told(fold)


WAITING: list[dict[str, Any]] = [
    {"event": "y", "when": {"kind": "absence", "within": "2s"}},
    {"event": "y", "where": "amount > 1", "when": {"kind": "absence", "within": "2s"}},
    {"event": "y", "when": {"kind": "absence", "within": "3s"}, "resolve": {"quiet_for": "1s"}},
    {"event": "y", "when": {"kind": "count", "at_least": 2, "within": "3s"}, "for": "1s"},
    {
        "event": "y",
        "where": "amount <= 2",
        "when": {"kind": "count", "at_least": 1, "within": "3s"},
        "for": "2s",
    },
    {
        "when": {
            "kind": "sequence",
            "steps": [{"event": "y", "where": "amount > 1"}],
            "missing": {"event": "y", "where": "amount <= 1"},
            "within": "2s",
        }
    },
]


@examples(40)
@given(data=st.data(), comings=_comings, options=OPTIONS, whole_first=st.booleans())
def test_parts_that_wait_come_to_what_the_fold_makes_of_them(
    data: st.DataObject, comings: list[Any], options: dict[str, Any], whole_first: bool
) -> None:
    by = data.draw(st.sampled_from([{}, {"by": "country"}]))
    others = [*WAITING, *BUSY_PARTS]
    parts = [
        {"name": name, **data.draw(st.sampled_from(others if name != "a" else WAITING)), **by}
        for name in NAMES[: data.draw(st.integers(1, 3))]
    ]
    whole = {"name": "x", "when": data.draw(composites(len(parts))), **options, **by}
    columns, fold = both([*parts, whole], stream(comings), whole_first=whole_first)
    assert told(columns) == told(fold)


def test_a_deadline_that_a_late_deadline_of_a_part_sets_comes_with_it() -> None:
    """An event of ten seconds ago, when the time for which it takes is over as well."""
    comings = [(0, 0, {"amount": 0}), (0, 0, {"amount": 0}), (0, 10_000_000, {"amount": 0, "country": "DE"})]
    part = {"name": "a", "event": "y", "when": {"kind": "absence", "within": "2s"}, "by": "country"}
    when = {"kind": "composite", "all": ["a"], "within": "2s"}
    columns, fold = both([part, {"name": "x", "when": when, "for": "1s", "by": "country"}], stream(comings))
    assert [firing.position for firing in columns.firings] == [3]
    assert told(columns) == told(fold)


@examples(25)
@given(data=st.data(), gaps=st.lists(st.sampled_from([1, 500, 1000, 2000, 3000]), min_size=12))
def test_parts_that_wait_are_judged_in_columns_where_nothing_is_late(
    data: st.DataObject, gaps: list[int]
) -> None:
    countries = ["FR", "DE", "DE"]
    comings = [(1000 * gap, 0, {"amount": n % 4, "country": countries[n % 3]}) for n, gap in enumerate(gaps)]
    by = data.draw(st.sampled_from([{}, {"by": "country"}]))
    parts = [{"name": name, **data.draw(st.sampled_from(WAITING)), **by} for name in NAMES]
    whole = {"name": "x", "when": data.draw(composites(3)), **by}
    columns, fold = both([*parts, whole], stream(comings))
    assert columns.how == "columns"
    assert told(columns) == told(fold)


@examples(25)
@given(
    gaps=st.lists(st.sampled_from([0, 1, 100, 300, 900, 1999, 2000, 2500, 3000]), min_size=40, max_size=80),
    seed=st.integers(0, 2**16),
    lag=st.sampled_from([0, 500, 2500]),
    delay=st.sampled_from([0, 700, 5000]),
    within=st.sampled_from(["1s", "3s"]),
    lasting=st.sampled_from(["1ms", "1s", "2s", "4s"]),
)
def test_a_part_that_goes_on_holding_comes_to_what_the_fold_makes_of_it(
    gaps: list[int], seed: int, lag: int, delay: int, within: str, lasting: str
) -> None:
    """`lag`: events of one country always come so much (ms) later than those of the other, in their order;
    `delay`: all are received so much later."""
    chance, now, events = random.Random(seed), START, []
    for number, gap in enumerate(gaps):
        now += 1000 * gap
        country = chance.choice(["DE", "DE", "FR"])
        payload = {"country": country, "amount": chance.choice([2, 2, 2, 2, 2, 2, 2, 0])}
        events.append(event(number + 1, "y", now - (1000 * lag if country == "FR" else 0), payload))
    count = {"kind": "count", "at_least": 1, "within": within}
    ratio = {"kind": "ratio", "above": 0.5, "within": within, "min_events": 1}
    parts = [
        {"name": "a", "event": "y", "by": "country", "for": lasting, "when": count},
        {"name": "b", "event": "y", "by": "country", "for": lasting, "where": "amount > 1", "when": ratio},
    ]
    whole = {"name": "x", "by": "country", "when": {"kind": "composite", "any": ["a", "b"], "within": "1ms"}}
    given = table(events)
    received = pyarrow.array(
        [
            one.timestamp + one_behind + 1000 * delay
            for one, one_behind in zip(events, given["behind"].to_pylist(), strict=True)
        ],
        pyarrow.timestamp("us", tz="UTC"),
    )
    loaded = Events.of(given.set_column(given.schema.get_field_index("received_at"), "received_at", received))
    *others, one = [saved(document.parse(rule), id_) for id_, rule in enumerate([*parts, whole])]
    said: dict[str, Any] = {"others": others, "since": START, "lateness": LATENESS}
    columns, fold = backtest(one, loaded, **said), backtest(one, loaded, **said, columns=False)
    assert told(columns) == told(fold)


def test_two_parts_that_hold_at_one_deadline_are_one_firing() -> None:
    parts = [{"name": name, **WAITING[0]} for name in ("a", "b")]
    whole = {"name": "x", "when": {"kind": "composite", "any": ["a", "b"], "within": "1s"}}
    columns, fold = both([*parts, whole], stream([(1_000_000, 0, {}), (5_000_000, 0, {})]))
    assert columns.how == "columns"
    assert [firing.time - START for firing in columns.firings] == [3_000_000]
    assert told(columns) == told(fold)


def test_a_part_may_hold_before_any_event_came() -> None:
    parts = [{"name": "a", **WAITING[0]}]
    whole = {"name": "x", "when": {"kind": "composite", "all": ["a"], "within": "1s"}, "for": "500ms"}
    columns, fold = both([*parts, whole], stream([(5_000_000, 0, {})]))
    assert columns.how == "columns"
    assert columns.firings[0].event.id == bytes(16)
    assert told(columns) == told(fold)


def test_groups_of_a_part_that_are_judged_event_by_event_are_no_hindrance() -> None:
    events = stream([(1000, 0, {"country": "DE" if n % 9 else "FR"}) for n in range(100)])
    events.insert(50, events[49])  # delivered twice
    count = {"kind": "count", "at_least": 5, "within": "8ms"}
    part = {"name": "a", "event": "y", "by": "country", "when": count}
    whole = {"name": "x", "by": "country", "when": {"kind": "composite", "all": ["a"], "within": "3ms"}}
    columns, fold = both([part, whole], events)
    assert columns.how == "columns"
    assert told(columns) == told(fold)


def test_what_reaches_back_over_more_moments_than_are_kept_is_judged_by_the_fold() -> None:
    rules = [
        {"name": "a", "event": "y", "when": {"kind": "each"}},
        {"name": "x", "when": {"kind": "composite", "all": ["a"], "within": "1ms"}},
    ]
    for late, how in ((900_000, "columns"), (1_100_000, "fold: parts of it hold so often")):
        comings = [(1000, 0, {"n": n}) for n in range(1_200)] + [(1000, late, {"n": 0})]
        columns, fold = both(rules, stream(comings))
        assert columns.how.startswith(how)
        assert told(columns) == told(fold)


def test_a_deadline_that_was_over_when_it_was_set_is_judged_by_the_fold_where_parts_share_events() -> None:
    rules = [
        {"name": "a", **WAITING[0], "by": "country"},
        {"name": "b", "event": "y", "when": {"kind": "each"}, "by": "country"},
        {"name": "x", "when": {"kind": "composite", "all": ["a", "b"], "within": "1s"}, "by": "country"},
    ]
    de, fr = {"country": "DE"}, {"country": "FR"}
    comings = [(1000, 0, de), (3_000_000, 0, de), (1000, 2_500_000, fr), (1000, 0, de)]
    columns, fold = both(rules, stream(comings))
    assert columns.how == "fold: deadlines of a part were over when late events set them"
    assert told(columns) == told(fold)


def test_it_is_said_why_a_composite_rule_is_folded() -> None:
    rules = [
        {"name": "a", "event": "y", "when": {"kind": "each"}, "by": "country"},
        {"name": "x", "when": {"kind": "composite", "all": ["a"], "within": "1s"}},
    ]
    columns, _ = both(rules, stream([(1000, 0, {}) for _ in range(3)]))
    assert columns.how == "fold: its part a groups by other fields, or has parts itself"


def _without(rule: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in rule.items() if key != name}
