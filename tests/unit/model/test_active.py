"""Active hours: days, nights, and clocks that are changed."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from signaldesk.clock import to_us
from signaldesk.model.active import Active

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
