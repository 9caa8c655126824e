"""A composite rule in columns: what the fold makes of the same events, whatever its parts are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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


def both(rules: list[dict[str, Any]], events: list[Event]) -> tuple[Backtest, Backtest]:
    """In columns, if that can be, and by the fold."""
    *others, one = [saved(document.parse(rule), number) for number, rule in enumerate(rules)]
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


def test_late_events_of_a_group_with_many_moments_are_judged_by_the_fold() -> None:
    comings = [(1000, 0, {"n": n}) for n in range(1_100)] + [(1000, 500_000, {"n": 0})]
    rules = [
        {"name": "a", "event": "y", "when": {"kind": "each"}},
        {"name": "x", "when": {"kind": "composite", "all": ["a"], "within": "1ms"}},
    ]
    columns, fold = both(rules, stream(comings))
    assert columns.how.startswith("fold: parts of it hold so often")
    assert told(columns) == told(fold)


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"when": {"kind": "absence", "within": "5s"}}, "of its part a: it waits for deadlines"),
        ({"when": BUSY[1], "for": "1s"}, "of its part a: it waits for deadlines"),
        (
            {"when": {"kind": "each"}, "by": "country"},
            "its part a groups by other fields, or has parts itself",
        ),
    ],
    ids=["absence", "for", "by"],
)
def test_it_is_said_why_a_composite_rule_is_folded(part: dict[str, Any], why: str) -> None:
    rules = [
        {"name": "a", "event": "y", **part},
        {"name": "x", "when": {"kind": "composite", "all": ["a"], "within": "1s"}},
    ]
    columns, _ = both(rules, stream([(1000, 0, {}) for _ in range(3)]))
    assert columns.how == f"fold: {why}"


def _without(rule: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in rule.items() if key != name}
