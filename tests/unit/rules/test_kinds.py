"""Every rule kind: the conformance suite, by being registered; and what is special about each."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from signaldesk.model.rule import Condition, Rule
from signaldesk.model.window import Window
from signaldesk.rules import document
from signaldesk.rules._kind import EVIDENCE_MAX, Judge, Kind, Verdict

KINDS = sorted(document.kinds().values(), key=lambda kind: kind.name)
EXAMPLES: dict[str, dict[str, Any]] = {"each": {}, "count": {"at_least": 3, "within": "60s"}}
SECOND = 1_000_000


def rule(kind: Kind, **changes: Any) -> Rule:
    when = {"kind": kind.name, **EXAMPLES[kind.name], **changes}
    return document.parse({"name": "x", "event": "y", "when": when})


def condition(kind: Kind, **changes: Any) -> Condition:
    return kind.condition.model_validate({"kind": kind.name, **EXAMPLES[kind.name], **changes})


def judge(name: str, **changes: Any) -> Judge:
    kind = document.kinds()[name]
    return kind.judge(rule(kind, **changes))


def ids(count: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in range(count)]


def test_every_kind_has_an_example_here() -> None:
    assert {kind.name for kind in KINDS} == set(EXAMPLES)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
class TestEveryKind:
    def test_it_is_registered_under_the_name_of_its_parameters(self, kind: Kind) -> None:
        assert condition(kind).kind == kind.name

    def test_it_says_itself_in_words(self, kind: Kind) -> None:
        assert kind.sentence(condition(kind))

    def test_its_parameters_are_written_as_they_are_read(self, kind: Kind) -> None:
        rule = document.parse({"name": "x", "event": "y", "when": {"kind": kind.name, **EXAMPLES[kind.name]}})
        assert document.parse(rule.document()) == rule

    def test_the_same_events_are_judged_the_same_in_every_run(self, kind: Kind) -> None:
        times = [5, 1, 1, 9, 3, 70, 64, 61, 61]

        def run() -> list[Any]:
            one, window = kind.judge(rule(kind)), Window()
            found: list[Any] = []
            for time, id_ in zip(times, ids(len(times)), strict=True):
                holds = one.holds(window, time * SECOND, id_, None)
                found.append(one.verdict(window, time * SECOND, id_) if holds else None)
            return found

        assert run() == run()
        assert any(run())

    def test_a_redelivered_event_changes_nothing(self, kind: Kind) -> None:
        one, once, twice = kind.judge(rule(kind)), Window(), Window()
        for time, id_ in enumerate(ids(6)):
            said = [one.holds(once, time * SECOND, id_, None)]
            said += [one.holds(twice, time * SECOND, id_, None) for _ in range(2)]
            assert len(set(said)) == 1
        assert (once.times, once.ids) == (twice.times, twice.ids)

    def test_a_verdict_has_bounds_and_evidence(self, kind: Kind) -> None:
        one, window = kind.judge(rule(kind)), Window()
        for time, id_ in enumerate(ids(300)):
            if one.holds(window, time, id_, None):
                verdict = one.verdict(window, time, id_)
                assert verdict.value >= verdict.threshold
                assert verdict.window_from <= verdict.window_to == time
                assert verdict.window_to - verdict.window_from == one.span
                assert 1 <= len(verdict.evidence) <= EVIDENCE_MAX
                assert verdict.evidence[-1] == id_


def test_each_holds_for_every_event_and_keeps_none() -> None:
    one, window = judge("each"), Window()
    assert all(one.holds(window, 0, id_, None) for id_ in ids(3))
    assert (one.span, window.times) == (0, [])
    assert one.verdict(window, 7, b"x") == Verdict(1, False, 1, 7, 7, [b"x"])


def test_count_holds_from_the_threshold_on() -> None:
    one, window = judge("count", at_least=3, within="60s"), Window()
    said = [
        one.holds(window, time * SECOND, id_, None)
        for time, id_ in zip([0, 30, 59, 60, 118], ids(5), strict=True)
    ]
    assert said == [False, False, True, True, True]
    # 60 s after the second one, that is out: an event exactly as old as the window is.
    one, window = judge("count", at_least=3, within="60s"), Window()
    times = zip([0, 30, 60, 90], ids(4), strict=True)
    said = [one.holds(window, time * SECOND, id_, None) for time, id_ in times]
    assert said == [False, False, False, False]


def test_count_names_its_newest_members_as_evidence() -> None:
    one, window = judge("count", at_least=2, within="60s"), Window()
    for time, id_ in enumerate(ids(5)):
        one.holds(window, time, id_, None)
    assert one.verdict(window, 4, ids(5)[4]).evidence == ids(5)[3:]


def test_count_names_at_most_a_hundred() -> None:
    one, window = judge("count", at_least=5_000, within="60s"), Window()
    held = [one.holds(window, time, id_, None) for time, id_ in enumerate(ids(5_000))]
    assert held.index(True) == 4_999
    assert one.verdict(window, 4_999, ids(5_000)[-1]).evidence == ids(5_000)[-100:]


def test_an_event_that_came_after_later_ones_vouches_for_itself() -> None:
    one, window = judge("count", at_least=2, within="60s"), Window()
    for time, id_ in zip([10, 12, 50], ids(3), strict=True):
        one.holds(window, time, id_, None)
    late = b"late".rjust(16)
    assert one.holds(window, 11, late, None)
    assert one.verdict(window, 11, late).evidence == [late]


@pytest.mark.parametrize("order", list(itertools.permutations([0, 20, 40])))
def test_count_needs_no_order_to_find_three_in_a_minute(order: tuple[int, ...]) -> None:
    one, window = judge("count", at_least=3, within="60s"), Window()
    for time in order:
        one.holds(window, time * SECOND, bytes([time]) * 16, None)
    assert one.holds(window, 40 * SECOND, bytes([40]) * 16, None)
