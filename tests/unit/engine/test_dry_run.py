"""Judging in memory comes to what the live engine comes to: firings, what was held back, what is over."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.engine.dry_run import judge
from signaldesk.model.event import Event
from signaldesk.model.moment import Moment
from signaldesk.model.outcome import Firing
from signaldesk.rules import document
from tests.support.examples import examples
from tests.support.judging import LATENESS, MICROS, Judging

START = 1_700_000_000 * MICROS
COUNT: dict[str, Any] = {
    "name": "Failures",
    "event": "failed",
    "by": "country",
    "when": {"kind": "count", "at_least": 2, "within": "60s"},
}


def run(
    rules: list[dict[str, Any]], *given: tuple[float, Any], until: float | None = None
) -> list[tuple[str, str, float, Any]]:
    """(what, rule, seconds, group or reason) of events (seconds, country)."""
    events = [
        Event(bytes([number]) * 16, "failed", START + round(at * MICROS), orjson.dumps({"country": country}))
        for number, (at, country) in enumerate(given)
    ]
    found = judge(
        [document.parse(rule) for rule in rules],
        events,
        start=START,
        lateness=LATENESS,
        until=None if until is None else START + round(until * MICROS),
    )
    return [(one.what, one.rule, (one.at - START) / MICROS, one.reason or one.group) for one in found]


def test_each_group_fires_by_itself() -> None:
    assert run([COUNT], (0, "DE"), (1, "FR"), (59, "DE"), (61, "FR")) == [
        ("fires", "Failures", 59, {"country": "DE"})
    ]


def test_what_is_held_back_says_why() -> None:
    rule = {**COUNT, "when": {"kind": "each"}, "cooldown": "10s"}
    assert run([rule], (0, "DE"), (9.9, "DE"), (10, "DE")) == [
        ("fires", "Failures", 0, {"country": "DE"}),
        ("held", "Failures", 9.9, "cooldown"),
        ("fires", "Failures", 10, {"country": "DE"}),
    ]
    assert run([{**rule, "mode": "paused"}], (0, "DE")) == [("held", "Failures", 0, "paused")]
    late = run([{**rule, "allowed_lateness": "5s", "cooldown": 0}], (10, "DE"), (4.9, "DE"))
    assert late[1:] == [("held", "Failures", 4.9, "late")]


def test_time_goes_on_after_the_last_event_up_to_and_with_the_end() -> None:
    rule = {**COUNT, "when": {"kind": "each"}, "resolve": {"quiet_for": "30s"}}
    over = ("resolves", "Failures", 30, "quiet")
    assert over not in run([rule], (0, "DE")) and over not in run([rule], (0, "DE"), until=29.999)
    assert run([rule], (0, "DE"), until=30)[1:] == [over]


def test_several_rules_are_judged_in_the_order_of_events() -> None:
    each = {"name": "Each", "event": "f*", "when": {"kind": "each"}}
    found = run([COUNT, each], (0, "DE"), (1, "DE"))
    assert [(rule, at) for _, rule, at, _ in found] == [("Each", 0), ("Failures", 1), ("Each", 1)]


def test_what_should_come_and_does_not_is_noticed_from_the_beginning_on() -> None:
    rule = {"name": "Quiet", "event": "beat", "when": {"kind": "absence", "within": "60s"}}
    assert run([rule], (50, "DE"), until=59.999) == []
    assert run([rule], (50, "DE"), until=60) == [("fires", "Quiet", 60, {})]


def test_rules_made_of_others_are_judged_with_them() -> None:
    each = {"name": "Each", "event": "failed", "by": "country", "when": {"kind": "each"}}
    whole = {
        "name": "Both",
        "by": "country",
        "when": {"kind": "composite", "all": ["Each", "Failures"], "within": "1m"},
    }
    found = run([each, COUNT, whole], (0, "DE"), (1, "FR"), (2, "DE"))
    assert [(rule, at, group) for _, rule, at, group in found if rule == "Both"] == [
        ("Both", 2, {"country": "DE"})
    ]


@examples(20)
@given(
    st.lists(st.tuples(st.integers(0, 90), st.sampled_from(["DE", "FR", None])), max_size=30),
    st.integers(1, 4),
    st.sampled_from([0, "20s"]),
)
def test_it_is_the_fold_of_the_engine(steps: list[tuple[int, Any]], need: int, cooldown: Any) -> None:
    rule = document.parse(
        {**COUNT, "when": {"kind": "count", "at_least": need, "within": "60s"}, "cooldown": cooldown}
    )
    events, time = [], START
    for number, (seconds, country) in enumerate(steps):
        time += (seconds - 10) * MICROS  # some come out of order
        events.append(Event(number.to_bytes(16, "big"), "failed", time, orjson.dumps({"country": country})))
    judging = Judging([rule])
    live = [one for event in events for one in judging.take(event) if isinstance(one, Firing)]
    assert [one for one in judge([rule], events, start=START, lateness=LATENESS) if one.what == "fires"] == [
        Moment("fires", "Failures", one.time, one.values, one.value, one.at_least) for one in live
    ]
