from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from apps import wording
from signaldesk.clock import MICROS

NOW = 1_795_464_252_004_000  # 2026-11-23 20:04:12.004 UTC


def text(words: str) -> str:
    """The expected words, with the no-break spaces that keep a number and its unit together."""
    return words.replace("_", wording.SPACE)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "now"), (0, "now"), (4, "now"), (5, "5_s ago"), (59, "59_s ago"), (60, "1_min ago"),
     (38 * 60, "38_min ago"), (7200, "2_h ago"), (86_400, "1_d ago"), (40 * 86_400, "40_d ago")],
)  # fmt: skip
def test_ages(seconds: int, words: str) -> None:
    assert wording.ago(NOW - seconds * MICROS, NOW) == text(words)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "0.5_s"), (1, "1_s"), (60, "60_s"), (90, "90_s"), (120, "2_min"), (300, "5_min"), (3600, "1_h"),
     (5400, "90_min"), (7200, "2_h"), (86_400, "1_d")],
)  # fmt: skip
def test_durations_are_said_in_the_unit_people_would_use(seconds: float, words: str) -> None:
    assert wording.length(round(seconds * MICROS)) == text(words)


def test_numbers() -> None:
    assert wording.count(2914) == "2,914"
    assert [wording.short(n) for n in (0, 999, 1000, 6_213_000, 2e9)] == list(
        map(text, ("0", "999", "1_k", "6.2_M", "2_G"))
    )
    assert [wording.rate(r) for r in (0, 0.04, 3.44, 12.6, 1284)] == ["0", "0.0", "3.4", "13", "1,284"]
    assert [wording.number(n) for n in (14, 0.25, 1840.0, 1234.5678)] == ["14", "0.25", "1,840", "1,235"]
    assert [wording.millis(n) for n in (4.13, 31.4, 1840)] == list(map(text, ("4.1_ms", "31_ms", "1.84_s")))


def test_a_share_is_never_rounded_up_to_everything() -> None:
    assert [wording.share(s) for s in (1, 0.99999999, 0.9997, 0.5, 0)] == list(
        map(text, ("100_%", "99.99_%", "99.97_%", "50_%", "0_%"))
    )


def test_a_verdict_says_what_was_seen_and_what_would_have_sufficed() -> None:
    assert wording.verdict(14, False, None, 3, 60 * MICROS) == text("14 in 60_s (≥_3)")
    assert wording.verdict(3, True, None, 3, 300 * MICROS) == text("3 or more in 5_min")
    assert wording.verdict(1, False, None, 1, 0) == "each event"
    assert wording.verdict(1234, False, 0.02, 900, 60 * MICROS) == text("≈_1,234 ±_2_% in 60_s (≥_900)")
    assert wording.verdict(5, False, 0, 3, 60 * MICROS) == text("≈_5 in 60_s (≥_3)")


def test_groups() -> None:
    assert (
        wording.group_text({"country": "DE", "vip": True, "tier": None})
        == "country = DE, vip = true, tier = none"
    )
    assert wording.group_text({}) == "all events"
    assert wording.headline("Slow search", {}) == "Slow search"
    assert wording.headline("Checkout failures", {"country": "DE"}) == "Checkout failures: DE"


@pytest.mark.parametrize(
    ("name", "email", "letters"),
    [
        ("Mira Kern", "x@y.z", "MK"), ("Cher", "x@y.z", "C"), ("", "mira.kern@acme.test", "MK"),
        ("", "m@a.b", "M"), ("Anna van Dyk", "", "AD"), (" ", "", "?"),
    ],
)  # fmt: skip
def test_initials(name: str, email: str, letters: str) -> None:
    assert wording.initials(name, email) == letters


def test_times_are_told_in_the_viewers_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert wording.exact(NOW, berlin) == "2026-11-23 21:04:12 CET"
    assert wording.clock_time(NOW, UTC) == "20:04:12.004"
    assert wording.utc_offset_us(NOW, berlin) == 3600 * MICROS
