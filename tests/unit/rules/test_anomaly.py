"""`anomaly`: bins that close at exact deadlines, and what is told of them."""

from __future__ import annotations

from typing import Any

import pytest

from signaldesk.errors import Invalid
from signaldesk.model.outcome import Firing
from signaldesk.rules import document
from signaldesk.rules._anomaly.bins import ASLEEP
from tests.docs.anomaly_picture import PICTURE, picture
from tests.support.judging import MICROS, Judging, event

START = 1_700_000_100 * MICROS
MINUTE = 60 * MICROS


def judging(**when: Any) -> Judging:
    body = {"kind": "anomaly", "bin": "1m", "min_history": "0s", **when}
    return Judging([document.parse({"name": "x", "event": "y", "when": body})])


def steady(one: Judging, minutes: int, **payload: Any) -> int:
    """Two or three events in every minute, from the start on; the number of the next event."""
    number = 0
    for minute in range(minutes):
        for second in range(2 + minute % 2):
            number += 1
            assert one.take(event(number, "y", START + minute * MINUTE + second * MICROS, payload)) == []
    return number + 1


def crowd(one: Judging, number: int, minute: int, count: int, **payload: Any) -> list[Firing]:
    """Many events in one minute, and time until its bin is closed."""
    for i in range(count):
        one.take(event(number + i, "y", START + minute * MINUTE + i * 1_000, payload))
    due = START + (minute + 1) * MINUTE + 5 * MICROS
    assert one.pass_time(due) == []  # the deadline is exact: at that very moment events may still come
    return [outcome for outcome in one.pass_time(due + 1) if isinstance(outcome, Firing)]


def test_a_crowd_fires_when_its_bin_is_closed_and_no_event_is_needed_for_that() -> None:
    one = judging()
    (firing,) = crowd(one, steady(one, 120), 120, 60)

    assert firing.timer
    assert firing.time == START + 121 * MINUTE + 5 * MICROS
    assert (firing.window_from, firing.window_to) == (START + 120 * MINUTE, START + 121 * MINUTE)
    assert len(firing.evidence) == 60
    assert firing.value >= firing.threshold == 1.085
    assert "60 events" in firing.words


def test_silence_fires_as_well() -> None:
    one = judging()
    steady(one, 120)
    fired = [o for minute in range(120, 125) for o in one.pass_time(START + minute * MINUTE + 6 * MICROS)]
    (firing,) = fired
    assert isinstance(firing, Firing)
    assert (firing.window_to, firing.evidence) == (START + 121 * MINUTE, [])


@pytest.mark.parametrize(("direction", "fires"), [("up", True), ("down", False), ("both", True)])
def test_only_the_direction_that_was_asked_for_fires(direction: str, fires: bool) -> None:
    one = judging(direction=direction)
    assert bool(crowd(one, steady(one, 120), 120, 60)) is fires


def test_nothing_fires_while_a_group_is_only_watched() -> None:
    one = judging(min_history="2h")
    assert crowd(one, steady(one, 119), 119, 60) == []


def test_a_figure_of_a_field_leaves_out_what_is_no_number() -> None:
    one = judging(function="max", field="ms", direction="up")
    number = steady(one, 120, ms=20)
    one.take(event(number, "y", START + 120 * MINUTE, {"ms": "9999"}))
    one.take(event(number + 1, "y", START + 120 * MINUTE, {"ms": True}))
    assert crowd(one, number + 2, 120, 1, ms=20) == []
    (firing,) = crowd(one, number + 5, 121, 1, ms=4_000)
    assert "max of ms 4000" in firing.words


def test_an_event_that_comes_before_its_bin_is_closed_counts_in_it_and_later_in_none() -> None:
    counts = []
    for late in (4 * MICROS, 6 * MICROS):
        one = judging()
        number = steady(one, 120)
        end = START + 121 * MINUTE
        one.pass_time(end + late)
        for i in range(60):
            one.take(event(number + i, "y", end - 1 - i, {}))
        counts.append(len([o for o in one.pass_time(end + 6 * MICROS) if isinstance(o, Firing)]))
        found = one.states()[0].memory
        assert found.value == (60 if late < 5 * MICROS else 0)


def test_after_long_silence_a_group_sleeps_and_wakes_with_its_next_event() -> None:
    one = judging(settle="0s")
    number = steady(one, 60)
    one.pass_time(START + 10 * ASLEEP * MINUTE)
    (state,) = one.states()
    assert state.due is None
    assert state.memory.detector.count == 60 - 1 + ASLEEP

    one.take(event(number, "y", START + 20 * ASLEEP * MINUTE, {}))
    assert state.due == START + (20 * ASLEEP + 1) * MINUTE


def test_a_hot_group_keeps_a_thousand_ids_at_most_twice() -> None:
    one = judging()
    for number in range(10_000):
        one.take(event(number + 1, "y", START + number, {}))
    (state,) = one.states()
    assert len(state.times) <= 2_001
    one.pass_time(START + 2 * MINUTE)
    assert state.memory.closed >= START


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"bin": "500ms"}, "a bin is 1s to 1d long"),
        ({"bin": "5m", "settle": "2h"}, "settles within 1h"),
        ({"bin": "5m", "function": "avg"}, "`avg` needs a `field`"),
        ({"bin": "5m", "field": "ms"}, "`count` takes no `field`"),
        ({"bin": "5m", "score": 1}, "more than 1"),
    ],
)
def test_what_makes_no_sense_is_refused(fault: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        document.parse({"name": "x", "event": "y", "when": {"kind": "anomaly", **fault}})
    assert words in str(caught.value.errors)


@pytest.mark.parametrize(
    ("field", "given", "named"),
    [("for", "5m", "for"), ("resolve", {"threshold": 1}, "resolve.threshold")],
)
def test_what_one_bin_cannot_have_is_refused(field: str, given: Any, named: str) -> None:
    with pytest.raises(Invalid) as caught:
        document.parse({"name": "x", "event": "y", field: given, "when": {"kind": "anomaly", "bin": "5m"}})
    assert [fault.field for fault in caught.value.errors] == [named]


def test_the_picture_shows_what_the_detector_finds() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture()
    assert picture().count("<circle") == 3


def hours(zone: str, later: int) -> list[float]:
    """Scores of 40 days with a busy and a quiet half of the day, and a storm at last, so much later (µs)."""
    one, found = judging(bin="30m", timezone=zone), []
    number = 0
    for half in range(40 * 48):
        crowded = 500 if half == 40 * 48 - 20 else 1 + 4 * (half // 24 % 2) + half % 3
        for n in range(crowded):
            number += 1
            found += one.take(event(number, "y", START + later + half * 30 * MINUTE + n * 1_000, {}))
    return [out.value for out in found if isinstance(out, Firing)]


def test_hours_are_those_of_the_place() -> None:
    five_and_a_half = 330 * MINUTE
    assert hours("Asia/Kolkata", 0) == hours("UTC", five_and_a_half) != hours("UTC", 0)


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        judging(timezone="Mars/Olympus")
    assert [fault.field for fault in caught.value.errors] == ["when.timezone"]
