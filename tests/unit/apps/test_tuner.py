"""The tuner without a browser: its sliders, what it draws, and what it sweeps."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest

from apps.markup import first_paint
from apps.parts.knobs import knobs_of
from apps.parts.tuner import Tuner, around
from apps.wording import exact
from signaldesk.backtest.bench import Bench, Stopped
from signaldesk.backtest.events import Events
from signaldesk.clock import MICROS, from_us
from signaldesk.errors import Invalid
from signaldesk.model.label import Label
from signaldesk.rules import document
from signaldesk.rules.document import kinds
from tests.unit.apps.conftest import EVIL, NOW, failures

BODY: dict[str, Any] = {
    "name": EVIL, "event": "checkout_failed", "by": "country", "cooldown": "10m",
    "when": {"kind": "count", "at_least": 3, "within": "5m"},
}  # fmt: skip


def shown(tuner: Tuner) -> str:
    return " ".join(str(first_paint(tuner.__panel__())).split())


def values(tuner: Tuner, name: str) -> list[Any]:
    (source,) = [s for s in tuner.chart.figure.references() if name in getattr(s, "column_names", ())]
    return list(source.data[name])


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_every_kind_has_sliders_whose_values_are_all_rules(kind: str) -> None:
    body: dict[str, Any] = {"name": "a", "when": kinds()[kind].example(), "cooldown": "5m"}
    if kinds()[kind].takes_event:
        body |= {"event": "x", "where": "ok = true"}
    knobs = knobs_of(body)
    assert knobs and knobs[-1].path == "cooldown"
    for knob in knobs:
        for value in knob.values:
            part, _, name = knob.path.rpartition(".")
            changed = {**body, "when": {**body["when"], name: value}} if part else {**body, name: value}
            document.parse(changed)


def test_the_present_value_is_among_those_of_its_slider() -> None:
    limit, within, cooldown = knobs_of({**BODY, "when": {**BODY["when"], "within": "7m"}, "cooldown": "11m"})
    assert [one.values[one.at] for one in (limit, within, cooldown)] == [3, "7m", "11m"]
    assert {"5m", "10m"} < set(within.values) and {2, 19} < set(limit.values)


def test_a_document_without_a_known_kind_has_no_sliders() -> None:
    wrong: list[Any] = [None, [], {"kind": "?"}, {"kind": "count", "at_least": "many", "within": "soon"}]
    for when in wrong:
        assert [one.path for one in knobs_of({"when": when})] in ([], ["cooldown"])


def test_figures_are_those_of_the_backtest() -> None:
    tuner = Tuner(BODY, Bench(failures()))
    tuner.judge_now()
    assert tuner.tried is not None
    found = tuner.tried.found
    # Of each country one event in two minutes: three lie within five minutes from the third on, and of
    # those that follow every fifth comes after the cooldown.
    assert (len(found.firings), found.matched) == (12, 60)
    html = shown(tuner)
    assert "<b>12</b> firings" in html and "judged 60 events, 60 match" in html
    assert "12</b> notifications" in html and "a week" not in html
    assert len(values(tuner, "at")) == 12
    assert max(values(tuner, "fired")) == 3


def test_a_slider_changes_the_rule_and_what_came_of_it() -> None:
    told: list[dict[str, Any]] = []
    tuner = Tuner(BODY, Bench(failures()), changed=told.append)
    tuner.judge_now()
    tuner.knobs.turn("when.at_least", 4)
    assert tuner.body["when"]["at_least"] == 4 and told == [tuner.body]
    assert tuner.tried is not None and not tuner.tried.found.firings
    assert "<b>0</b> firings" in shown(tuner)


def test_a_document_from_elsewhere_moves_the_sliders_and_tells_nobody() -> None:
    told: list[dict[str, Any]] = []
    tuner = Tuner(BODY, Bench(failures()), changed=told.append)
    tuner.take({**BODY, "when": {"kind": "count", "at_least": 2, "within": "7m"}})
    for words in ("At least: <b>2</b>", "Within: <b>7m</b>", "Cooldown: <b>10m</b>"):
        assert words in shown(tuner)
    assert told == []
    tuner.take({**BODY, "when": {"kind": "each"}})
    assert [one.path for one in tuner.knobs.knobs] == ["cooldown"]


def test_the_sweep_is_a_backtest_at_every_cell() -> None:
    bench = Bench(failures())
    tuner = Tuner(BODY, bench)
    tuner.judge_now()
    assert tuner.sweep is not None and len(tuner.sweep.points) == 35
    for point in tuner.sweep.points[::7]:
        rule = document.parse({**BODY, "when": {"kind": "count", **point.parameters}})
        assert point.firings == len(bench.judge(rule).found.firings)
    html = shown(tuner)
    assert html.count("<td title=") == 35 and "(as it is now)" in html


def test_known_incidents_are_scored() -> None:
    start = from_us(NOW - 3600 * MICROS)
    labels = [
        Label("outage", start, start + timedelta(hours=1), {}),
        Label("last year", start - timedelta(days=365), start - timedelta(days=364), {}),
    ]
    tuner = Tuner(BODY, Bench(failures(), labels=labels))
    tuner.judge_now()
    html = shown(tuner)
    assert "<b>1 of 1</b> known incidents caught" in html and "<b>100 %</b> of alerts right" in html
    assert "F-score" in html
    assert "No alert of this rule ends by itself" in html
    tuner.take({**BODY, "resolve": {"quiet_for": "10m"}})
    assert "1 of 1" in shown(tuner) and "ends by itself" not in shown(tuner)


def test_damaged_files_are_named_beside_what_is_known_without_them() -> None:
    tuner = Tuner(BODY, Bench(failures(), missing=["org=1/date=2026-01-31/a.parquet"]))
    tuner.judge_now()
    assert "The events of 1 damaged file of history are not among these: org=1/date=2026-01-31/a.pa" in shown(
        tuner
    )
    assert tuner.tried is not None


def test_that_only_the_latest_part_is_judged_is_said_with_what_to_do() -> None:
    since = NOW - 30 * 60 * MICROS
    tuner = Tuner(BODY, Bench(failures(), since=since, left_out=1_234_567))
    tuner.judge_now()
    html = shown(tuner)
    assert "1,234,567 more came before. Look at a shorter time" in html and exact(since, UTC) in html
    tuner.take(BODY, Bench(failures()))
    assert "more came before" not in shown(tuner)


def test_when_history_begins_is_said_and_a_week_counted_from_there() -> None:
    events, begins = failures(), NOW - 3600 * MICROS
    tuner = Tuner(BODY, Bench(events, since=NOW - 30 * 86_400 * MICROS, until=NOW))
    tuner.judge_now()
    assert "no events from before" not in shown(tuner) and "a week" in shown(tuner)
    events.kept_since = begins
    tuner.take(BODY, Bench(events, since=NOW - 30 * 86_400 * MICROS, until=NOW))
    tuner.judge_now()
    html = shown(tuner)
    assert f"no events from before {exact(begins, UTC)}" in html and "</b> a week" not in html


def test_it_is_compared_with_what_is_saved() -> None:
    tuner = Tuner(BODY, Bench(failures()))
    tuner.against = document.parse(BODY)
    tuner.judge_now()
    assert "Against what is saved" not in shown(tuner)
    tuner.knobs.turn("cooldown", "0s")
    assert "<b>Against what is saved:</b> 12 notifications until now" in shown(tuner)
    assert "44 more with this" in shown(tuner) and "misses nothing" in shown(tuner)
    tuner.knobs.turn("when.at_least", 4)
    assert "12 fewer with this" in shown(tuner) and "misses 2 of 2 alerts" in shown(tuner)


@pytest.mark.parametrize("mode", ["shadow", "paused"])
def test_a_rule_that_tells_nobody_is_tried_as_if_it_did(mode: str) -> None:
    tuner = Tuner({**BODY, "mode": mode}, Bench(failures()))
    tuner.judge_now()
    assert tuner.tried is not None and len(tuner.tried.found.notifications) == 12


def test_what_is_no_rule_is_said_and_not_judged() -> None:
    tuner = Tuner({**BODY, "cooldown": "soon"}, Bench(failures()))
    tuner.judge_now()
    assert "cooldown &#39;soon&#39; is not a duration" in shown(tuner)
    assert values(tuner, "at") == []


def test_text_from_tenants_is_escaped() -> None:
    event = {"type": "checkout_failed", "timestamp": from_us(NOW), "country": EVIL}
    tuner = Tuner({**BODY, "when": {"kind": "each"}}, Bench(Events.of([event])))
    tuner.judge_now()
    assert "<script" not in shown(tuner)


def test_without_events_it_says_what_is_waited_for() -> None:
    tuner = Tuner(BODY, absent="Looking for the events of this rule…")
    tuner.judge_now()
    assert "Looking for the events" in shown(tuner)


async def test_only_the_last_of_several_moves_is_judged() -> None:
    tuner = Tuner(BODY, Bench(failures()))
    for at_least in (5, 4, 2):
        tuner.take({**BODY, "when": {**BODY["when"], "at_least": at_least}})
    await tuner.settled()
    assert tuner.tried is not None
    assert tuner.tried.found.rule.when.at_least == 2  # type: ignore[attr-defined]
    assert tuner.sweep is not None


async def test_what_is_thrown_away_stops_its_sweep() -> None:
    bench, tuner = Bench(failures()), Tuner(BODY)
    with pytest.raises(Stopped):
        bench.sweep(document.parse(BODY), {"at_least": [1, 2]}, go_on=lambda: False)
    tuner.take(BODY, bench)
    tuner.close()
    await tuner.settled()
    assert tuner.tried is None


def test_a_sweep_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.parts.tuner.PATIENCE_S", 0.0)
    tuner = Tuner(BODY, Bench(failures()))
    tuner.judge_now()
    assert tuner.sweep is None and "too many events to try many values" in shown(tuner)


def test_points_that_are_no_rule_are_left_out_of_a_sweep() -> None:
    found = Bench(failures()).sweep(document.parse(BODY), {"at_least": [0, 3]}, go_on=lambda: True)
    assert [point.parameters for point in found.points] == [{"at_least": 3}]


def test_values_around_the_present_one_hold_it() -> None:
    for at_least in (1, 2, 3, 7, 40, 9_999):
        (knob, *_) = knobs_of({**BODY, "when": {**BODY["when"], "at_least": at_least}})
        found = around(knob, 7)
        assert at_least in found and len(found) == 7 and found == sorted(found)


def test_a_bench_bounds_what_it_shows() -> None:
    bench = Bench(failures(), since=NOW - 30 * 60 * MICROS, until=NOW)
    tried = bench.judge(document.parse({**BODY, "when": {"kind": "each"}, "cooldown": "0s"}))
    assert sum(slot.events for slot in tried.slots) == 30
    assert tried.words == "matching events"
    with pytest.raises(Invalid):
        bench.judge(
            document.parse({"name": "b", "when": {"kind": "composite", "all": ["A"], "within": "5m"}})
        )


def test_a_sweep_that_is_not_done_yet_has_its_title_and_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    label = Label("outage", from_us(NOW) - timedelta(hours=1), from_us(NOW))
    tuner = Tuner(BODY, Bench(failures(), labels=[label]))
    seen: list[str] = []

    def swept(turn: int) -> None:
        tuner.draw()
        seen.append(shown(tuner))

    monkeypatch.setattr(tuner, "_swept", swept)
    tuner.judge_now()
    assert "how well it finds the known incidents" in seen[0]
    assert '<p class="muted sm heat-room tall">Trying other values' in seen[0]
