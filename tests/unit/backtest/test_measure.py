"""What a chart shows of a rule is what the live engine measures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import signaldesk as sd
from signaldesk.backtest.events import Events
from signaldesk.backtest.matched import in_time
from signaldesk.backtest.measure import measured, width
from signaldesk.clock import to_us
from signaldesk.rules import _ranked

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
SINCE, UNTIL = to_us(START), to_us(START + timedelta(hours=1))


def events(seed: int, *, late: bool = False) -> Events:
    """`late`: they come up to four minutes after their time, so that others overtake them."""
    chance = Random(seed)
    times = sorted(chance.sample(range(3600_000), 120))
    if late:
        times.sort(key=lambda at: at + chance.randrange(240_000))
    rows: list[dict[str, Any]] = [
        {
            "type": "a" if chance.random() < 0.8 else "b", "timestamp": START + timedelta(milliseconds=at),
            "country": chance.choice(["DE", "FR", None]), "ms": chance.randrange(1000) / 4,
            "user": {"plan": chance.choice(["pro", "free"])},
        }
        for at in times
    ]  # fmt: skip
    return Events.of(rows)


RULES = {
    "aggregate": {"function": "sum", "field": "ms", "above": -1, "within": "7m"},
    "avg": {"kind": "aggregate", "function": "avg", "field": "ms * 2", "above": -1, "within": "7m"},
    "p95": {"kind": "aggregate", "function": "p95", "field": "ms", "above": -1, "within": "7m"},
    "p50": {"kind": "aggregate", "function": "p50", "field": "ms", "below": 9e9, "within": "7m"},
    "max": {"kind": "aggregate", "function": "max", "field": "ms", "above": -1, "within": "90s"},
    "min": {
        "kind": "aggregate", "function": "min", "field": "ms", "at_most": 9e9, "within": "4m",
        "min_events": 2,
    },
    "stddev": {"kind": "aggregate", "function": "stddev", "field": "ms", "above": -1, "within": "7m"},
    "ratio": {"at_least": 0, "within": "7m", "min_events": 3},
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("seed", "by"), [(0, ["country", "user.plan"]), (1, ["type"]), (2, ["type", "country"]), (3, [])]
)
def test_the_value_of_a_slot_is_the_one_that_fires_there_and_is_farthest(
    name: str, seed: int, by: list[str], late: bool
) -> None:
    """A limit that everything exceeds makes the engine say each value that it finds."""
    when = {"kind": name, **RULES[name]}
    rule = sd.Rule({
        "name": "r", "event": "*", "by": by, "where": "ms > 20", "when": when,
    })  # fmt: skip
    stored = events(seed, late=late)
    slots, _ = measured(stored, rule.model, SINCE, UNTIL)
    length = width(SINCE, UNTIL)
    farthest = min if {"below", "at_most"} & when.keys() else max
    wanted: dict[int, float] = {}
    for firing in rule.backtest(stored).firings:
        place = SINCE + (firing.time - SINCE) // length * length
        wanted[place] = farthest(wanted.get(place, firing.value), firing.value)
    found = {slot.start: slot.value for slot in slots}
    assert found.keys() >= wanted.keys() and len(wanted) > 30
    assert all(found[place] == 0 for place in found.keys() - wanted.keys())
    exact = name in ("p95", "p50", "max", "min", "ratio")
    kept = {place: found[place] for place in wanted}
    assert kept == (wanted if exact else pytest.approx(wanted))


@given(st.integers(0, 2**32), st.integers(1, 300), st.integers(1, 40), *[st.booleans()] * 3)
def test_the_farthest_value_at_a_rank_is_that_of_every_window_put_in_order(
    seed: int, count: int, different: int, late: bool, most: bool, few: bool
) -> None:
    """Rows of several groups, in several parts; ranks and windows are any, for all rows or a few; values lie
    close together or far apart, on both sides of zero."""
    chance = np.random.default_rng(seed)
    starts = np.unique(np.append(0, chance.integers(0, count, 3)))
    times = chance.integers(0, 50, count) if late else np.arange(count)
    came = np.concatenate([np.sort(some) for some in np.split(chance.permutation(count), starts[1:])])
    scales = 10.0 ** chance.choice([0, 0, -300, 300], count)
    drawn = chance.integers(-different, different, count) / 4 * scales
    columns = in_time(times, came, starts, {"v": drawn + chance.choice([0.0, 1e6])})
    values = columns.samples["v"]
    first = columns.within(int(chance.integers(1, 60)))
    rows_of = [columns.inside(row, first, columns.places) for row in range(count)]
    ranks = np.array([chance.integers(0, len(rows) + 1) for rows in rows_of])
    if few:
        ranks[chance.random(count) > 0.02] = 0
    slots = chance.integers(0, 5, count)
    with mock.patch.object(_ranked, "_ROWS", 40):
        found = _ranked.extreme(columns, "v", first, ranks, slots, 5, most=most)
    wanted = np.full(5, np.nan)
    for slot, rank, rows in zip(slots, ranks, rows_of, strict=True):
        if rank:
            wanted[slot] = (np.fmax if most else np.fmin)(wanted[slot], np.sort(values[rows])[rank - 1])
    assert np.array_equal(found, wanted, equal_nan=True)


@pytest.mark.parametrize("seed", range(3))
def test_a_count_is_the_most_in_one_window(seed: int) -> None:
    stored, within = events(seed), timedelta(minutes=5)
    rule = sd.Rule.count("a", at_least=3, within="5m", by="country")
    rows = [
        (to_us(START) + one, country)
        for one, country in stored.sql(
            f"SELECT ts - {SINCE}, {stored.fields['country']} FROM events WHERE type = 'a'"
        ).fetchall()
    ]
    length = width(SINCE, UNTIL)
    wanted: dict[int, int] = {}
    for at, country in rows:
        many = sum(at - to_us(START) - (other - to_us(START)) < within / timedelta(microseconds=1)
                   for other, same in rows if other <= at and same == country)  # fmt: skip
        place = SINCE + (at - SINCE) // length * length
        wanted[place] = max(wanted.get(place, 0), many)
    slots, words = measured(stored, rule.model, SINCE, UNTIL)
    assert words == "most in a window"
    assert {slot.start: slot.value for slot in slots} == wanted


def test_where_nothing_is_measured_events_are_counted() -> None:
    slots, words = measured(events(1), sd.Rule.each("a").model, SINCE, UNTIL)
    assert words == "matching events" and all(slot.value == slot.events for slot in slots)


def test_a_rule_that_looks_at_no_type_has_no_slots() -> None:
    assert measured(events(1), sd.Rule.each("c").model, SINCE, UNTIL) == ([], "matching events")
