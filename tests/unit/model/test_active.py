"""Active hours: days, nights, and clocks that are changed."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from signaldesk.clock import MICROS, from_us, to_us
from signaldesk.model.active import DAYS, Active

BERLIN = ZoneInfo("Europe/Berlin")


def hours(**fields: object) -> Active:
    return Active.model_validate(fields)


def berlin(text: str, fold: int = 0) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold))


@pytest.mark.parametrize(
    ("moment", "active"),
    [
        ("2026-01-05 08:59:59.999999", False),
        ("2026-01-05 09:00:00", True),
        ("2026-01-05 17:59:59.999999", True),
        ("2026-01-05 18:00:00", False),
        ("2026-01-09 12:00:00", True),  # Friday
        ("2026-01-10 12:00:00", False),  # Saturday
    ],
)
def test_hours_begin_with_their_first_minute_and_end_before_their_last(moment: str, active: bool) -> None:
    office = hours(days="mon-fri", **{"from": "09:00", "to": "18:00", "timezone": "Europe/Berlin"})
    assert office.at(berlin(moment)) is active


@pytest.mark.parametrize(
    ("moment", "active"),
    [
        ("2026-01-09 21:59", False),
        ("2026-01-09 22:00", True),  # Friday evening
        ("2026-01-10 05:59", True),  # the same night
        ("2026-01-10 06:00", False),
        ("2026-01-10 22:00", False),  # Saturday's night is nobody's
        ("2026-01-12 05:00", False),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(moment: str, active: bool) -> None:
    night = hours(days="fri", **{"from": "22:00", "to": "06:00", "timezone": "Europe/Berlin"})
    assert night.at(berlin(moment)) is active


def test_the_local_clock_counts_in_summer_and_in_winter() -> None:
    office = hours(**{"from": "09:00", "to": "10:00", "timezone": "Europe/Berlin"})
    assert office.at(to_us(datetime.fromisoformat("2026-01-05T08:30+00:00")))
    assert not office.at(to_us(datetime.fromisoformat("2026-07-06T08:30+00:00")))
    assert office.at(to_us(datetime.fromisoformat("2026-07-06T07:30+00:00")))


def test_the_hour_that_comes_twice_is_active_twice_and_the_one_that_is_left_out_never() -> None:
    early = hours(**{"from": "02:00", "to": "03:00", "timezone": "Europe/Berlin"})
    assert early.at(berlin("2026-10-25 02:30", fold=0)) and early.at(berlin("2026-10-25 02:30", fold=1))
    spring = [to_us(datetime.fromisoformat(f"2026-03-29T00:{minute:02}+00:00")) for minute in range(60)]
    assert not any(early.at(moment) or early.at(moment + 3_600_000_000) for moment in spring)


def test_days_can_go_over_the_weekend() -> None:
    assert hours(days="sat-mon").days == ("sat", "sun", "mon")
    assert hours(days="wed").days == ("wed",)
    assert hours(days=["mon", "wed"]).days == ("mon", "wed")


UTC_HOURS = {"from": "22:30", "to": "23:15"}
SUNDAYS = {"days": "sun", "from": "02:30", "to": "04:00", "timezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("fields", "since", "first", "last"),
    [
        (UTC_HOURS, "2026-01-05T12:00Z", "2026-01-05T22:30Z", "2026-01-05T23:15Z"),
        (UTC_HOURS, "2026-01-05T22:45:30Z", "2026-01-05T22:45:30Z", "2026-01-05T23:15Z"),
        (UTC_HOURS, "2026-01-05T23:15Z", "2026-01-06T22:30Z", "2026-01-06T23:15Z"),
        # Friday night: it goes on until Saturday.
        ({"days": "fri", "from": "22:00", "to": "06:00"}, "2026-01-10T07:00Z", "2026-01-16T22:00Z",
         "2026-01-17T06:00Z"),
        # In the night in which 02:00 is followed by 03:00 the hours begin half an hour "late" ...
        (SUNDAYS, "2026-03-23T00:00Z", "2026-03-29T01:00Z", "2026-03-29T02:00Z"),
        # ... and in the one in which 02:00 comes twice they begin, are interrupted, and begin again.
        (SUNDAYS, "2026-10-20T00:00Z", "2026-10-25T00:30Z", "2026-10-25T01:00Z"),
        (SUNDAYS, "2026-10-25T01:00Z", "2026-10-25T01:30Z", "2026-10-25T03:00Z"),
        # An hour that does not exist comes a week later.
        ({**SUNDAYS, "from": "02:00", "to": "03:00"}, "2026-03-27T00:00Z", "2026-04-05T00:00Z",
         "2026-04-05T01:00Z"),
        ({}, "2026-01-05T12:00Z", "2026-01-05T12:00Z", "2026-01-19T23:00Z"),
    ],
)  # fmt: skip
def test_it_is_known_when_hours_hold_next_and_until_when(
    fields: dict[str, object], since: str, first: str, last: str
) -> None:
    found = hours(**fields).stretch(to_us(datetime.fromisoformat(since)))
    assert [from_us(moment).isoformat() for moment in found] == [
        datetime.fromisoformat(text).isoformat() for text in (first, last)
    ]


@given(
    start=st.integers(0, 24 * 60 - 1),
    end=st.integers(0, 24 * 60),
    days=st.sets(st.sampled_from(DAYS), min_size=1),
    place=st.sampled_from(
        ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"]
    ),
    since=st.integers(1_767_225_600, 1_798_761_600),
)
def test_between_now_and_then_they_do_not_hold_and_within_they_do(
    start: int, end: int, days: set[str], place: str, since: int
) -> None:
    clock = {"from": f"{start // 60:02}:{start % 60:02}", "to": f"{end // 60:02}:{end % 60:02}"}
    found = hours(days=sorted(days), timezone=place, **clock)
    first, last = found.stretch(since * MICROS)
    assert since * MICROS <= first < last
    assert found.at(first) and found.at(last - 1)
    assert first == since * MICROS or not found.at(first - 1)
    minutes = range(since * MICROS, first, 60 * MICROS)
    assert not any(map(found.at, minutes[:: max(1, len(minutes) // 500)]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"timezone": "Berlin"}, "is no IANA time zone"),
        ({"timezone": "../etc/passwd"}, "is no IANA time zone"),
        ({"from": "9"}, "expected a time of day"),
        ({"to": "24:01"}, "expected a time of day"),
        ({"from": 540}, "expected a time of day"),
        ({"days": "mon-freitag"}, "is no range of days"),
        ({"days": ["monday"]}, "Input should be 'mon'"),
    ],
)
def test_what_is_no_hour_is_refused_with_what_to_write(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        hours(**fields)
