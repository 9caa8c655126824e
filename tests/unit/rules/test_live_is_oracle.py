"""Every kind, live in memory, does what its reading says: on random conditions, events and restarts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.model.outcome import Firing
from signaldesk.rules import document
from tests import oracle
from tests.integration.engine.scenarios import FILTERS, WHENS, fitting
from tests.support.examples import examples
from tests.support.judging import LATENESS, MICROS, ORG, Judging, event

START = 1_700_000_000 * MICROS
DAY = 86_400 * MICROS
ALONE = sorted(WHENS.keys() - {"composite", "anomaly"})
"""Kinds that can be judged without other rules beside them, and whose reading does not go through every bin
of the weeks between two events."""

_numbers = st.sampled_from([0, 1, 2, 3, 4, 2.0, 1.5, 0.1, -7])
_payloads = st.fixed_dictionaries(
    {"amount": _numbers | _numbers | st.sampled_from([1e15, "2", True, None])},
    optional={
        "country": st.sampled_from(["DE", "DE", "DE", "DE", "FR", 1, 1.0, True, None, [1]]),
        "user": st.sampled_from([{"plan": "pro"}, {"plan": 3}, {}, "pro"]),
    },
)
_SECONDS = (0, 0.001, 0.5, 1, 1, 1, 2, 3, 5, 10)
_gaps = st.sampled_from([0, 1, *(round(seconds * MICROS) for seconds in _SECONDS), DAY - MICROS, 7 * DAY])
_agos = st.sampled_from([0, 0, 0, 0, 1, MICROS, 2 * MICROS, 10 * MICROS, LATENESS])
_comings = st.lists(st.tuples(_gaps, _agos, _payloads), min_size=12, max_size=30)


@st.composite
def documents(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """A rule of the kind, without what it does not take."""
    return {
        "name": "x",
        **fitting(
            event="y",
            when=draw(WHENS[kind]),
            where=draw(st.sampled_from([None, None, None, None, None, *FILTERS])),
            by=draw(st.sampled_from([None, None, None, "country"])),
            cooldown=draw(st.sampled_from([None, None, "2s"])),
            allowed_lateness=draw(st.sampled_from([None, "2s"])),
            resolve=draw(st.sampled_from([None, None, {"threshold": 1}, {"quiet_for": "3s"}])),
            **{"for": draw(st.sampled_from([None, None, None, "1s", "3s"]))},
        ),
    }


@pytest.mark.parametrize("kind", ALONE)
@examples(12)
@given(data=st.data(), comings=_comings, restarts=st.sets(st.integers(0, 25)))
def test_live_judgement_is_what_the_oracle_says(
    kind: str, data: st.DataObject, comings: list[Any], restarts: set[int]
) -> None:
    said = data.draw(documents(kind))
    judging, now = Judging([document.parse(said)]), START
    id_, org = str(UUID(int=2)), str(ORG)
    rule = oracle.Rule(id_, 1, 1, said, FILTERS[said.get("where")], LATENESS)
    stream: list[Any] = [oracle.Rules(org, (rule,))]
    found: list[Any] = []
    for number, (gap, ago, payload) in enumerate(comings):
        now += gap
        one = event(number + 1, "y", now - ago, payload)
        found += [outcome for outcome in judging.take(one) if isinstance(outcome, Firing)]
        stream.append(oracle.Event(org, one.id, "y", one.timestamp, one.timestamp, payload))
        if number in restarts:
            judging.restart()
    right = oracle.judge(stream, skew=10**12)
    wanted = [(f.event, f.time, f.value, f.at_least, f.margin, f.window, f.evidence) for f in right.firings]
    live = [
        (f.event.id, f.time, f.value, f.at_least, f.margin, (f.window_from, f.window_to), tuple(f.evidence))
        for f in found
    ]
    assert live == wanted
    matched = sum(matched for _, matched in judging.lane.minutes.values())
    assert matched == sum(matched for _, matched in right.counts.values())
    assert judging.late() == sum(right.late.values())
