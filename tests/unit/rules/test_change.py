"""What a change comes to at the edge of what a number can hold."""

from __future__ import annotations

import sys

import pytest

from signaldesk.model.outcome import Firing
from signaldesk.rules import document
from tests.support.judging import MICROS, Judging, event

START = 1_700_000_000 * MICROS


@pytest.mark.parametrize(
    ("limit", "before", "now"),
    [
        ("rise", 5e-324, 1e308),
        ("rise_by", -sys.float_info.max, sys.float_info.max),
        ("fall", 5e-324, -1e308),
        ("fall_by", sys.float_info.max, -sys.float_info.max),
    ],
)
def test_a_change_beyond_all_numbers_is_the_largest_one(limit: str, before: float, now: float) -> None:
    when = {"kind": "change", "function": "sum", "field": "amount", "within": "2s", "min_events": 1, limit: 1}
    judging = Judging([document.parse({"name": "x", "event": "y", "when": when})])
    judging.take(event(1, "y", START, {"amount": before}))
    (fired,) = judging.take(event(2, "y", START + 2 * MICROS, {"amount": now}))
    assert isinstance(fired, Firing)
    assert fired.value == sys.float_info.max
