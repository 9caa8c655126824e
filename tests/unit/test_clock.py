"""Clocks and moments: microseconds, UTC, exact."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.clock import MICROS, ManualClock, SystemClock, from_us, iso, to_us


@given(
    st.datetimes(
        timezones=st.just(UTC) | st.builds(timezone, st.timedeltas(timedelta(hours=-14), timedelta(hours=14)))
    )
)
def test_a_moment_becomes_microseconds_and_back_without_loss(moment: datetime) -> None:
    assert from_us(to_us(moment)) == moment


@given(st.integers(-(10**16), 2 * 10**17))
def test_microseconds_become_a_moment_and_back_without_loss(us: int) -> None:
    assert to_us(from_us(us)) == us
    assert to_us(datetime.fromisoformat(iso(us))) == us


def test_text_is_rfc_3339_in_utc() -> None:
    assert iso(1) == "1970-01-01T00:00:00.000001Z"
    assert iso(1_760_000_000 * MICROS) == "2025-10-09T08:53:20.000000Z"


def test_a_time_without_a_zone_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        to_us(datetime(2026, 1, 31))  # noqa: DTZ001


def test_the_systems_clock_is_the_systems_clock() -> None:
    before, now, after = time.time_ns() // 1000, SystemClock().now_us(), time.time_ns() // 1000
    assert before <= now <= after


def test_a_manual_clock_moves_only_when_told_to() -> None:
    clock = ManualClock(5)
    assert (clock.now_us(), clock.now_us()) == (5, 5)
    clock.advance(1.5)
    assert clock.now_us() == 1_500_005
    clock.set(7)
    assert clock.now_us() == 7
