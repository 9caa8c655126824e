"""What a schedule comes to when nothing comes for very long."""

from __future__ import annotations

from signaldesk.model.outcome import Firing, Resolution
from signaldesk.rules import document
from tests.support.judging import MICROS, Judging, event

MINUTE = 60 * MICROS
START = 1_700_000_040 * MICROS
YEARS = 40 * 365 * 86_400 * MICROS


def every_minute() -> Judging:
    when = {"kind": "absence", "expected": {"cron": "* * * * *"}}
    return Judging([document.parse({"name": "x", "event": "y", "when": when})])


def test_a_thousand_missed_moments_in_a_row_are_enough() -> None:
    judging = every_minute()
    judging.take(event(1, "y", START, {}))
    fired = judging.pass_time(START + YEARS)
    assert [one.time for one in fired if isinstance(one, Firing)] == [
        START + n * MINUTE for n in range(1, 1001)
    ]
    judging.restart()
    assert judging.pass_time(START + 2 * YEARS) == []


def test_the_next_event_wakes_it() -> None:
    judging = every_minute()
    judging.take(event(1, "y", START, {}))
    judging.pass_time(START + YEARS)
    judging.restart()
    judging.take(event(2, "y", START + YEARS, {}))
    fired = judging.pass_time(START + YEARS + MINUTE + 1)
    assert [one.time for one in fired if isinstance(one, Firing)] == [START + YEARS + MINUTE]


def test_an_event_from_before_the_last_missed_moment_wakes_it_for_the_one_after_that() -> None:
    judging = every_minute()
    judging.take(event(1, "y", START, {}))
    judging.pass_time(START + 1000 * MINUTE + 1)
    judging.take(event(2, "y", START + 998 * MINUTE, {}))
    fired = judging.pass_time(START + 1002 * MINUTE)
    assert [one.time for one in fired if isinstance(one, Firing)] == [START + 1001 * MINUTE]


def test_an_event_from_before_the_deadline_leaves_it_to_the_next_one_to_end_the_alert() -> None:
    when = {"kind": "absence", "within": "10s"}
    judging = Judging([document.parse({"name": "x", "event": "y", "when": when})])
    judging.take(event(1, "y", START, {}))
    assert len(judging.pass_time(START + 11 * MICROS)) == 1
    assert judging.take(event(2, "y", START + 5 * MICROS, {})) == []
    judging.restart()
    (over,) = judging.take(event(3, "y", START + 11 * MICROS, {}))
    assert isinstance(over, Resolution)
    assert (over.at, over.reason) == (START + 11 * MICROS, "returned")
