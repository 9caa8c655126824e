"""What a chart shows of a rule is what the live engine measures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

import signaldesk as sd
from signaldesk.backtest.events import Events
from signaldesk.backtest.measure import measured, width
from signaldesk.clock import to_us

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
SINCE, UNTIL = to_us(START), to_us(START + timedelta(hours=1))


def events(seed: int) -> Events:
    chance = Random(seed)
    times = sorted(chance.sample(range(3600_000), 120))
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
    "max": {"kind": "aggregate", "function": "max", "field": "ms", "above": -1, "within": "90s"},
    "stddev": {"kind": "aggregate", "function": "stddev", "field": "ms", "above": -1, "within": "7m"},
    "ratio": {"at_least": 0, "within": "7m", "min_events": 1},
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    ("seed", "by"), [(0, ["country", "user.plan"]), (1, ["type"]), (2, ["type", "country"])]
)
def test_the_highest_value_of_a_slot_is_the_highest_that_fires_there(
    name: str, seed: int, by: list[str]
) -> None:
    """A limit that everything exceeds makes the engine say each value that it finds."""
    when = {"kind": name, **RULES[name]}
    rule = sd.Rule({
        "name": "r", "event": "*", "by": by, "where": "ms > 20", "when": when,
    })  # fmt: skip
    stored = events(seed)
    slots, _ = measured(stored, rule.model, SINCE, UNTIL)
    length = width(SINCE, UNTIL)
    wanted: dict[int, float] = {}
    for firing in rule.backtest(stored).firings:
        place = SINCE + (firing.time - SINCE) // length * length
        wanted[place] = max(wanted.get(place, -1.0), firing.value)
    found = {slot.start: slot.value for slot in slots if slot.start in wanted}
    assert found.keys() == wanted.keys()
    assert found == pytest.approx(wanted)


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
