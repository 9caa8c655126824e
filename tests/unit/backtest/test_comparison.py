"""Two rules over the same past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import signaldesk as sd
from signaldesk.backtest.comparison import Comparison, as_html, compared
from signaldesk.backtest.events import Events
from signaldesk.backtest.fold import unsaved

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
OLD = sd.Rule.count(
    "checkout_failed", at_least=3, within="60s", by="country", resolve={"quiet_for": "2m"}, name="Failures"
)
ROWS = [
    {"type": "checkout_failed", "timestamp": NOON + timedelta(minutes=start, seconds=n), "country": country}
    for start, country, times in [(0, "DE", 3), (10, "FR", 8), (20, "DE", 8), (30, "US", 3)]
    for n in range(times)
]


def against_old(rule: sd.Rule) -> Comparison:
    return compared(unsaved(rule.model), unsaved(OLD.model), Events.of(ROWS))


def test_a_stricter_rule_tells_less_often_and_what_it_misses_is_named() -> None:
    found = against_old(OLD.with_(at_least=6, name="Failures (shadow)", mode="shadow"))
    told, before = len(found.new.notifications), len(found.old.notifications)
    assert 0 < told < before
    assert found.fewer == before - told
    assert [alert.values for alert in found.missed] == [{"country": "DE"}, {"country": "US"}]
    assert [pair.old.values for pair in found.both] == [{"country": "FR"}, {"country": "DE"}]
    assert found.later == 3.0
    assert found.sentence == (
        f"'Failures (shadow)' would have notified {found.fewer} times fewer than 'Failures' "
        f"({told} instead of {before}) and missed 2 of 4 alerts"
    )


def test_a_rule_that_misses_nothing_says_so() -> None:
    found = against_old(OLD.with_(cooldown="5m"))
    assert found.missed == found.extra == []
    assert found.fewer > 0
    assert found.sentence.endswith("and missed nothing")
    times = len(found.old.notifications)
    assert against_old(OLD).sentence == (
        f"'Failures' as given would have notified as often as the saved one ({times} times) "
        "and missed nothing"
    )


def test_what_only_the_new_rule_finds_is_extra() -> None:
    found = compared(unsaved(OLD.model), unsaved(OLD.with_(at_least=6).model), Events.of(ROWS))
    assert [alert.values for alert in found.extra] == [{"country": "DE"}, {"country": "US"}]
    assert "more than" in found.sentence
    assert "with 2 that the other did not have" in found.sentence


def test_a_notebook_shows_a_rule_in_words_and_as_yaml() -> None:
    shown = sd.Rule.each("checkout_*", name="<b>all</b>", by="country")._repr_html_()
    assert "&lt;b&gt;all" in shown and "<b>" not in shown
    assert "by: country" in shown and "kind: each" in shown


def test_a_notebook_shows_it_without_markup_of_events() -> None:
    found = against_old(OLD.with_(at_least=6, name="<b>strict</b>"))
    shown = found._repr_html_()
    assert shown == as_html(found.as_json(), [])
    assert "&lt;b&gt;strict" in shown and "<b>" not in shown
