"""`new_value` keeps every time at which a value was seen, not only the latest."""

from __future__ import annotations

from signaldesk.model.outcome import Firing
from signaldesk.rules import document
from tests.support.judging import MICROS, Judging, event

NOON = 1_700_000_000 * MICROS


def fired(judging: Judging, number: int, seconds: float) -> bool:
    taken = judging.take(event(number, "y", NOON + round(seconds * MICROS), {"country": "DE"}))
    return any(isinstance(one, Firing) for one in taken)


def test_a_value_that_came_late_is_known_from_before_also_after_a_restart() -> None:
    when = {"kind": "new_value", "field": "country", "within": "2s"}
    judging = Judging([document.parse({"name": "x", "event": "y", "when": when})])
    assert fired(judging, 1, 0)
    assert not fired(judging, 2, 1)
    judging.restart()
    assert not fired(judging, 3, 0.5)
    assert fired(judging, 4, 4)
