"""`count`: what is special about it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from signaldesk.model.window import Window
from signaldesk.rules import document
from signaldesk.rules._kind import Judge

SECOND = 1_000_000


def judge(**parameters: Any) -> Judge:
    rule = document.parse({"name": "x", "event": "y", "when": {"kind": "count", **parameters}})
    return document.kinds()["count"].judge(rule)


def ids(count: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in range(count)]


def test_it_holds_from_the_threshold_on() -> None:
    one, window = judge(at_least=3, within="60s"), Window()
    said = [
        one.holds(window, time * SECOND, id_, None)
        for time, id_ in zip([0, 30, 59, 60, 118], ids(5), strict=True)
    ]
    assert said == [False, False, True, True, True]
    # 60 s after the second one, that is out: an event exactly as old as the window is.
    one, window = judge(at_least=3, within="60s"), Window()
    times = zip([0, 30, 60, 90], ids(4), strict=True)
    said = [one.holds(window, time * SECOND, id_, None) for time, id_ in times]
    assert said == [False, False, False, False]


def test_it_names_its_newest_members_as_evidence() -> None:
    one, window = judge(at_least=2, within="60s"), Window()
    for time, id_ in enumerate(ids(5)):
        one.holds(window, time, id_, None)
    assert one.verdict(window, 4, ids(5)[4]).evidence == ids(5)[3:]


def test_it_names_at_most_a_hundred() -> None:
    one, window = judge(at_least=5_000, within="60s"), Window()
    held = [one.holds(window, time, id_, None) for time, id_ in enumerate(ids(5_000))]
    assert held.index(True) == 4_999
    assert one.verdict(window, 4_999, ids(5_000)[-1]).evidence == ids(5_000)[-100:]


def test_an_event_that_came_after_later_ones_vouches_for_itself() -> None:
    one, window = judge(at_least=2, within="60s"), Window()
    for time, id_ in zip([10, 12, 50], ids(3), strict=True):
        one.holds(window, time, id_, None)
    late = b"late".rjust(16)
    assert one.holds(window, 11, late, None)
    assert one.verdict(window, 11, late).evidence == [late]


@pytest.mark.parametrize("order", list(itertools.permutations([0, 20, 40])))
def test_it_needs_no_order_to_find_three_in_a_minute(order: tuple[int, ...]) -> None:
    one, window = judge(at_least=3, within="60s"), Window()
    for time in order:
        one.holds(window, time * SECOND, bytes([time]) * 16, None)
    assert one.holds(window, 40 * SECOND, bytes([40]) * 16, None)
