"""Very many members in a window: the memory and the error that the pages of the kinds promise for a million.

A hundred thousand without SIGNALDESK_TEST_SOAK: a window keeps no more of the one than of the other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import orjson
import pytest

from signaldesk.model.event import Event
from signaldesk.model.window import Window
from signaldesk.rules import document
from tests.support.examples import SOAK

pytestmark = pytest.mark.slow

MEMBERS = 1_000_000 if SOAK > 1 else 100_000
WIDTH = 300_000_000
START = 1_700_000_000_000_000
CHECKPOINT_MOST = 1_000_000
"""Bytes of a group in a checkpoint."""
MEMORY_MOST = 5_000_000
"""Bytes of a group in memory."""


def weight(thing: Any, seen: set[int]) -> int:
    """Bytes of a thing and of everything in it."""
    if id(thing) in seen or isinstance(thing, type) or callable(thing):
        return 0
    seen.add(id(thing))
    parts: list[Any] = []
    if isinstance(thing, dict):
        parts = [*thing, *thing.values()]
    elif isinstance(thing, list | tuple | set):
        parts = list(thing)
    elif not isinstance(thing, int | float | bytes | bytearray | str):
        slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
        parts = [getattr(thing, name) for name in slots if hasattr(thing, name)]
        parts += list(vars(thing).values()) if hasattr(thing, "__dict__") else []
    return sys.getsizeof(thing) + sum(weight(part, seen) for part in parts)


def lognormal(random: Random) -> float:
    return random.lognormvariate(5, 1)


def visitor(random: Random) -> int:
    return random.randrange(200_000)


CASES: list[tuple[dict[str, Any], Callable[[Random], Any], float]] = [
    ({"kind": "aggregate", "function": "p95", "above": 1e9}, lognormal, 0.015),
    ({"kind": "aggregate", "function": "distinct", "above": 1e9}, visitor, 0.04),
    ({"kind": "aggregate", "function": "stddev", "above": 1e9}, lognormal, 0.015),
]


@pytest.mark.parametrize(("when", "draw", "margin"), CASES, ids=["p95", "distinct", "stddev"])
def test_very_many_members_take_what_the_page_says(
    when: dict[str, Any], draw: Callable[[Random], Any], margin: float
) -> None:
    full = {**when, "field": "x", "within": "5m"}
    rule = document.parse({"name": "x", "event": "y", "when": full})
    judge, window, random = document.kinds()[full["kind"]].judge(rule), Window(), Random(7)
    judge.load(window, None)
    values: list[Any] = []
    time = START
    for number in range(MEMBERS + MEMBERS // 10):
        value = draw(random)
        values.append(value)
        time = START + number * WIDTH // MEMBERS
        id_ = number.to_bytes(16, "big")
        sample = judge.sample({"x": value}, Event(id_, "y", time, b"{}"))
        if number % 1_000:  # what it comes to is worked out at every event, which is not what is tested here
            window.memory.add(window, time, id_, sample)
        else:
            judge.holds(window, time, id_, sample)
        if len(window.times) > window.limit:
            judge.thin(window, time - 2 * WIDTH)
    true = _true(when["function"], values[-MEMBERS:])
    found = judge.value(window, time)
    assert found is not None and abs(found - true) <= margin * true, (found, true)
    notes = msgspec.msgpack.encode(judge.dump(window))
    assert sum(map(len, window.ids)) + 8 * len(window.times) + len(notes) <= CHECKPOINT_MOST
    assert weight([window.times, window.ids, window.memory], set()) <= MEMORY_MOST
    assert "about" in judge.verdict(window, time, window.ids[-1][:16]).words


def _true(function: str, values: list[Any]) -> float:
    if function == "distinct":
        return len(set(values))
    if function == "p95":
        return float(sorted(values)[-(-len(values) * 95 // 100) - 1])
    mean = sum(values) / len(values)
    return float((sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5)


@pytest.mark.parametrize(
    "when",
    [
        {"kind": "ratio", "above": 0.9},
        {"kind": "change", "rise_by": 1e9},
        {"kind": "change", "rise": 5, "against": "day", "within": "5m"},
        {"kind": "change", "rise": 5, "against": "week", "within": "30m", "function": "avg", "field": "x"},
    ],
    ids=["ratio", "change", "change against a day", "change against a week"],
)
def test_shares_and_changes_of_many_take_what_their_pages_say(when: dict[str, Any]) -> None:
    rule = document.parse({"name": "x", "event": "y", "where": "x > 1", "when": {"within": "5m", **when}})
    judge, window, random = document.kinds()[when["kind"]].judge(rule), Window(), Random(7)
    judge.load(window, None)
    step = 2 * judge.span // 100_000
    for number in range(100_000):
        payload, time = {"x": random.random() * 2}, START + number * step
        id_ = number.to_bytes(16, "big")
        sample = judge.sample(payload, Event(id_, "y", time, orjson.dumps(payload)))
        if number % 100:
            window.memory.add(window, time, id_, sample)
        else:
            assert not judge.holds(window, time, id_, sample)
        if len(window.times) > window.limit:
            judge.thin(window, time - judge.span - WIDTH)
    notes = msgspec.msgpack.encode(judge.dump(window))
    assert sum(map(len, window.ids)) + 8 * len(window.times) + len(notes) <= CHECKPOINT_MOST
    assert weight([window.times, window.ids, window.memory], set()) <= 2 * MEMORY_MOST


@pytest.mark.parametrize("need", [3, 100, 10_000])
def test_a_count_of_fifty_thousand_a_second_keeps_what_its_threshold_needs(need: int) -> None:
    """Seconds of a key with 50,000 events a second, in a window of an hour: all of them lie in it."""
    rule = document.parse(
        {"name": "x", "event": "y", "when": {"kind": "count", "at_least": need, "within": "1h"}}
    )
    judge, window, most = document.kinds()["count"].judge(rule), Window(), 0
    judge.load(window, None)
    for number in range(2 * MEMBERS):
        time = START + number * 20
        judge.holds(window, time, number.to_bytes(16, "big"), None)
        if len(window.times) > window.limit:
            judge.thin(window, time - judge.span - WIDTH)
        most = max(most, len(window.times))
    assert most <= 8 * need + 1_000
    assert weight([window.times, window.ids, window.memory], set()) <= 200 * most + 10_000
