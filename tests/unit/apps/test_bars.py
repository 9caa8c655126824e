from __future__ import annotations

import pytest

from apps.parts.bars import Bars
from apps.staleness import Staleness
from signaldesk.clock import MICROS
from signaldesk.model.overview import SPANS, Bar, Span, span_named

SPAN = Span("test", "test", 60, 3)
MINUTE = 60 * MICROS


def bars(*counts: int) -> Bars:
    return Bars(SPAN, [Bar(i * MINUTE, n, 0) for i, n in enumerate(counts)])


def counts(bars: Bars) -> list[tuple[int, int, int]]:
    return [(bar.start_us // MINUTE, bar.events, bar.matched) for bar in bars]


def test_events_are_counted_in_the_bar_that_runs() -> None:
    some = bars(1, 2, 3)
    some.add(5, 1, 2 * MINUTE + 1)
    assert counts(some) == [(0, 1, 0), (1, 2, 0), (2, 8, 1)]


def test_time_opens_new_bars_and_drops_old_ones_also_across_a_gap() -> None:
    some = bars(1, 2, 3)
    some.add(7, 0, 4 * MINUTE)
    assert counts(some) == [(2, 3, 0), (3, 0, 0), (4, 7, 0)]


def test_stored_counts_correct_what_was_missed_but_never_take_back() -> None:
    some = bars(1, 2, 9)
    some.correct([Bar(MINUTE, 5, 4), Bar(2 * MINUTE, 8, 2), Bar(99 * MINUTE, 1, 1)])
    assert counts(some) == [(0, 1, 0), (1, 5, 4), (2, 9, 2)]


def test_the_growing_bars_rate_is_over_the_time_it_has_had() -> None:
    some = bars(60, 120, 30)
    assert [rate.events for rate in some.rates(2 * MINUTE + 30 * MICROS)] == [1, 2, 1]
    young = some.rates(2 * MINUTE + 1)[-1].events
    assert young == pytest.approx(30 / 6)


@pytest.mark.parametrize("span", SPANS)
def test_a_span_ends_with_the_bar_that_holds_now(span: Span) -> None:
    now = 1_795_464_252_004_000
    last = span.start_us(now) + (span.bars - 1) * span.bar_us
    assert last <= now < last + span.bar_us
    assert span.bar_s % 60 == 0, "counts are kept by the minute"


def test_a_span_nobody_offers_is_the_usual_one() -> None:
    assert span_named("1h").name == "1h"
    assert span_named("3 weeks") is span_named(None) is span_named("6h")


def test_a_figure_is_asked_for_at_first_then_when_stale_but_not_too_often_then_now_and_then() -> None:
    staleness = Staleness({"alerts": 1.0}, at_most=60)
    assert staleness.due(0) == ("alerts",)
    assert staleness.due(MICROS) == ()
    staleness.hint(["alerts", "something else"])
    assert staleness.due(MICROS // 2) == ()
    assert staleness.due(MICROS) == ("alerts",)
    assert staleness.due(3 * MICROS) == ()
    assert staleness.due(61 * MICROS) == ("alerts",)
