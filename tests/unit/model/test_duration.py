"""Durations: read as people write them, written as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk.model import duration

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("60s", MINUTE),
        ("5m", 5 * MINUTE),
        ("1h30m", HOUR + 30 * MINUTE),
        ("1h 30m", HOUR + 30 * MINUTE),
        (" 7d ", 7 * DAY),
        ("1w", 7 * DAY),
        ("250ms", 250_000),
        ("1.5h", HOUR + 30 * MINUTE),
        ("0.5ms", 500),
        ("0s", 0),
        ("400d", 400 * DAY),
        (90, 90 * SECOND),
        (0.25, 250_000),
        (0, 0),
    ],
)
def test_a_duration_is_read_as_written(written: str | float, micros: int) -> None:
    assert duration.parse(written) == micros


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("soon", "'soon' is not a duration; write 60s, 5m, 1h30m or 7d"),
        ("", "'' is not a duration"),
        ("60", "'60' is not a duration"),
        ("-5m", "'-5m' is not a duration"),
        ("5 minutes", "is not a duration"),
        ("5M", "is not a duration"),
        ("1e9s", "is not a duration"),
        ("٣s", "is not a duration"),
        ("401d", "a duration lies between 0s and 400d"),
        ("9" * 20 + "w", "a duration lies between 0s and 400d"),
        ("9" * 400 + "w", "is not a duration"),
        (-1, "a duration lies between 0s and 400d"),
        (1e300, "the longest is 400d"),
        (float("nan"), "the longest is 400d"),
        (float("inf"), "the longest is 400d"),
        (10**400, "the longest is 400d"),
        (True, "expected a duration such as 60s"),
        (None, "expected a duration such as 60s"),
        (["60s"], "expected a duration such as 60s"),
    ],
)
def test_what_is_no_duration_is_refused_with_what_is_expected(written: object, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        duration.parse(written)


@given(st.integers(0, duration.LONGEST))
def test_the_text_of_a_duration_is_read_back_exactly(micros: int) -> None:
    assert duration.parse(duration.text(micros)) == micros


@pytest.mark.parametrize(
    ("micros", "text", "words"),
    [
        (0, "0s", "0 s"),
        (MINUTE, "1m", "60 s"),
        (90 * SECOND, "1m30s", "90 s"),
        (5 * MINUTE, "5m", "5 min"),
        (HOUR, "1h", "1 h"),
        (7 * DAY, "7d", "7 d"),
        (1_500, "1.5ms", "0.0015 s"),
        (250_000, "250ms", "0.25 s"),
    ],
)
def test_a_duration_is_written_short_and_said_in_words(micros: int, text: str, words: str) -> None:
    assert duration.text(micros) == text
    assert duration.seconds(micros) == words
