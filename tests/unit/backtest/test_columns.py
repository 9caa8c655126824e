"""Judged in columns, a rule does exactly what the engine's fold says: on random streams, rules and entries.

SIGNALDESK_TEST_SOAK, a number, makes that many times more examples.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.backtest import columns, fold
from signaldesk.backtest.events import Events
from signaldesk.backtest.outcome import Judged
from signaldesk.model.event import Event
from signaldesk.model.outcome import Firing
from signaldesk.model.rule import Rule, SavedRule
from signaldesk.rules import document
from signaldesk.rules._kind import Kind
from tests.support.examples import examples
from tests.support.judging import LATENESS, MICROS, ORG, event
from tests.unit.backtest.test_parity import OPTIONS
from tests.unit.rules.test_live_is_oracle import ALONE, START, _payloads, documents

KINDS = [name for name in (*ALONE, "anomaly") if type(document.kinds()[name]).replay is not Kind.replay]
"""Kinds that are judged in columns."""

_steps = st.sampled_from(
    [0, 0, 1, MICROS // 2, MICROS, MICROS, 2 * MICROS, 3 * MICROS, 10 * MICROS, 70 * MICROS]
)
_agos = st.sampled_from([0, 0, 0, 0, 0, 1, MICROS, 2 * MICROS, 10 * MICROS, LATENESS, 2 * LATENESS])
_comings = st.lists(
    st.tuples(
        _steps, _agos, _payloads, st.integers(0, 3),
        st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2, 5]),  # so many events ago the same one came
        st.booleans(),  # whether it came in one entry with the one before
        st.sampled_from([0, 0, MICROS, 30 * MICROS]),  # how long it took until it was received
    ),
    min_size=1,
    max_size=40,
)  # fmt: skip


def stream(comings: list[Any], types: tuple[str, ...] = ("y", "y", "y", "z")) -> pyarrow.Table:
    """Events as history keeps them: late ones, ties, some that come twice, several in an entry."""
    events: list[Event] = []
    behind: list[int] = []
    received: list[int] = []
    position: list[int] = []
    now = watermark = clock = START
    for number, (step, ago, payload, type_, again, joined, delay) in enumerate(comings):
        now += step
        one = event(number * 7919 % 1009, types[type_], now - ago, payload)
        if 0 < again <= len(events):
            one = events[-again]
        events.append(one)
        watermark = max(watermark, one.timestamp)
        behind.append(watermark - one.timestamp)
        clock = max(clock, now + delay)
        received.append(received[-1] if joined and received else clock)
        position.append(position[-1] if joined and position else number + 1)
    time = pyarrow.timestamp("us", tz="UTC")
    return pyarrow.table(
        {
            "id": pyarrow.array([one.id for one in events], pyarrow.binary()),
            "type": [one.type for one in events],
            "timestamp": pyarrow.array([one.timestamp for one in events], time),
            "received_at": pyarrow.array(received, time),
            "behind": behind,
            "clock_skewed": [False for _ in events],
            "position": position,
            "idx": list(range(len(events))),
            "payload": [one.payload.decode() for one in events],
        }
    )


def saved(rule: Rule) -> SavedRule:
    return SavedRule(org_id=ORG, id=UUID(int=2), version=1, since_version=1, fingerprint="", rule=rule)


def told(found: Judged) -> Any:
    """Everything that was found, to be compared."""
    came = [
        (
            one.id, one.group, one.values, one.event, one.time, one.timer, one.value, one.at_least,
            one.threshold, one.window_from, one.window_to, one.evidence, one.words, one.channels,
            one.received_at, one.position,
        )
        if isinstance(one, Firing)
        else tuple(one[3:])
        for one in found.came
    ]  # fmt: skip
    return came, sorted(map(tuple, found.held), key=repr), found.matched, found.late


@pytest.mark.parametrize("kind", KINDS)
@examples(12)
@given(data=st.data(), comings=_comings, options=OPTIONS)
def test_columns_find_what_the_fold_finds(
    kind: str, data: st.DataObject, comings: list[Any], options: dict[str, Any]
) -> None:
    said = {**data.draw(documents(kind)), **options}
    if kind == "anomaly":
        said["when"] |= {"bin": data.draw(st.sampled_from(["1s", "2s"])), "score": 1.1}
    rule = document.parse(said)
    types = ("paid", "left", "paid_late", "y") if kind == "sequence" else ("y", "y", "y", "z")
    events = Events.of(stream(comings, types))
    until = data.draw(st.sampled_from([None, START + 1000 * MICROS]))
    right = fold.judge(events, saved(rule), lateness=LATENESS, since=START, until=until)
    found = columns.judge(events, saved(rule), lateness=LATENESS, since=START, until=until)
    assert isinstance(found, Judged)
    assert told(found) == told(right)


_rows = st.fixed_dictionaries(
    {
        "after": _steps,
        "amount": st.sampled_from([None, 0.0, -0.0, 1.0, 1.5, 2.0, 0.1, 0.2, 1e300, -3.25]),
        "number": st.sampled_from([None, 0, 1, 2, 3, 2**53 + 1, -(2**62)]),
        "country": st.sampled_from([None, "DE", "DE", "FR", "", "ü\"'"]),
        "ok": st.sampled_from([None, True, False]),
        "user": st.sampled_from([None, {"plan": "pro"}, {"plan": "free"}, {"plan": None}]),
        "tags": st.sampled_from([None, [], ["a"], ["a", "b"]]),
    }
)
TYPED: list[dict[str, Any]] = [
    {"when": {"kind": "count", "at_least": 2, "within": "3s"}, "by": "country"},
    {"when": {"kind": "count", "at_least": 2, "within": "9s"}, "by": ["number", "amount"], "where": "ok"},
    {"when": {"kind": "count", "below": 2, "within": "3s"}, "by": ["ok", "tags"], "where": "number >= 1"},
    {"when": {"kind": "count", "above": 1, "within": "9s"}, "by": ["user.plan", "tags.0"], "cooldown": "3s"},
    {"when": {"kind": "count", "at_least": 2, "within": "9s"}, "by": ["user", "missing", "type", "source"]},
    {"when": {"kind": "aggregate", "function": "avg", "field": "amount", "above": 1, "within": "9s"}},
    {"when": {"kind": "aggregate", "function": "sum", "field": "number + 1", "above": 3, "within": "9s"}},
    {"when": {"kind": "aggregate", "function": "p50", "field": "number", "at_most": 1, "within": "9s"}},
    {"when": {"kind": "aggregate", "function": "distinct", "field": "number", "above": 2, "within": "9s"}},
    {"when": {"kind": "aggregate", "function": "distinct", "field": "user.plan", "above": 1, "within": "9s"}},
    {"when": {"kind": "aggregate", "function": "distinct", "field": "ok", "above": 1, "within": "9s"}},
    {"when": {"kind": "ratio", "above": 0.4, "within": "9s", "min_events": 2}, "where": "ok OR number > 1"},
    {"when": {"kind": "change", "rise": 0.5, "within": "3s", "min_events": 2}, "where": "user.plan = 'pro'"},
]  # fmt: skip
"""Rules over columns with types of their own."""


@pytest.mark.parametrize("said", TYPED, ids=lambda said: str(TYPED.index(said)))
@examples(4)
@given(rows=st.lists(_rows, min_size=1, max_size=25))
def test_columns_of_any_type_mean_what_they_mean_in_a_payload(
    said: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    now, times = START, []
    for row in rows:
        now += row["after"]
        times.append(now)
    types = {
        "amount": pyarrow.float64(), "number": pyarrow.int64(), "country": pyarrow.string(),
        "ok": pyarrow.bool_(), "user": pyarrow.struct({"plan": pyarrow.string()}),
        "tags": pyarrow.list_(pyarrow.string()),
    }  # fmt: skip
    table = pyarrow.table(
        {
            "timestamp": pyarrow.array(times, pyarrow.timestamp("us", tz="UTC")),
            **{name: pyarrow.array([row[name] for row in rows], kind) for name, kind in types.items()},
        }
    )
    rule = document.parse({"name": "x", "event": "y", **said})
    events = Events.of(table, type="y")
    right = fold.judge(events, saved(rule), lateness=LATENESS, since=START)
    found = columns.judge(events, saved(rule), lateness=LATENESS)
    assert isinstance(found, Judged)
    assert told(found) == told(right)
