"""The notebook's tuner, as far as Python goes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import panel as pn
import pytest

import signaldesk as sd
from signaldesk.client import tuner as notebook
from signaldesk.client.saved import Saved
from signaldesk.errors import Conflict, FieldError
from signaldesk.ids import new_id

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
EVENTS = [
    {"type": "checkout_failed", "timestamp": NOON + n * timedelta(seconds=20), "country": "DE"}
    for n in range(30)
]
RULE = sd.Rule.count("checkout_failed", at_least=3, within="1m", by="country", cooldown="1m")


class Desk:
    """Keeps what is saved; a taken name is refused."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.saved: list[tuple[sd.Rule, str]] = []

    def save(self, rule: sd.Rule, *, mode: str) -> Any:
        if rule.model.name in self.names:
            raise Conflict("taken", errors=[FieldError("name", "is taken")])
        self.saved.append((rule, mode))
        return Saved(rule.model.name, new_id(), len(self.saved))


def texts(view: Any) -> str:
    return " ".join(str(pane.object) for pane in view.__panel__().select(pn.pane.HTML))


def test_it_shows_at_once_what_the_rule_would_have_done() -> None:
    tuner = sd.tune(RULE, EVENTS)
    assert tuner.backtest.summary["firings"] == RULE.backtest(EVENTS).summary["firings"] > 0
    assert "<b>10</b> firings" in texts(tuner) and "at_least: 3" in texts(tuner)
    assert not list(tuner.__panel__().select(pn.widgets.Button))


def test_its_rule_is_the_one_of_the_sliders() -> None:
    tuner = sd.tune(RULE, EVENTS)
    tuner.tuner.knobs.turn("when.at_least", 2)
    tuner.tuner.knobs.turn("when.within", "2m")
    assert tuner.rule.document == RULE.with_(at_least=2, within="2m").document
    assert tuner.backtest.rule == tuner.rule.model


def test_the_button_saves_into_the_shadow_or_live() -> None:
    desk = Desk()
    tuner = sd.tune(RULE, EVENTS, desk=desk)
    tuner.button.clicks += 1
    tuner.mode.value = "live"
    tuner.button.clicks += 1
    assert [mode for _, mode in desk.saved] == ["shadow", "live"]
    assert desk.saved[0][0].document == RULE.document
    assert "Saved as count of checkout_failed, version 2" in texts(tuner)


def test_what_the_desk_refuses_is_said() -> None:
    tuner = sd.tune(RULE, EVENTS, desk=Desk(RULE.model.name))
    tuner.button.clicks += 1
    assert "name is taken" in texts(tuner)


def test_known_incidents_may_come_from_a_file(tmp_path: Any) -> None:
    path = tmp_path / "incidents.csv"
    path.write_text(
        f"name,starts_at,ends_at\noutage,{NOON.isoformat()},{(NOON + timedelta(hours=1)).isoformat()}\n"
    )
    assert "<b>1 of 1</b> known incidents" in texts(sd.tune(RULE, EVENTS, labels=path))


def test_in_a_notebook_it_needs_nobody_elses_server(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(notebook, "_in_notebook", lambda: True)
    monkeypatch.setattr(pn, "extension", lambda **options: asked.append(options))
    sd.tune(RULE, EVENTS)
    assert asked == [{"inline": True}]


def test_in_a_dark_notebook_it_is_dark() -> None:
    sheet = sd.tune(RULE, EVENTS).__panel__().stylesheets[0]
    light, dark = sheet.split(notebook._DARK)
    assert "--bg: #f6f7f9" in light and "--bg: #0d1117" in dark
    (painter,) = sd.tune(RULE, EVENTS).tuner.chart.figure.js_property_callbacks["change:inner_width"]
    assert {"#b0d3d1", "#1c5150"} <= set(re.findall("#[0-9a-f]{6}", painter.code))
    assert painter.args["models"]


def test_a_file_of_events_that_is_not_there_is_said_before_anything_is_drawn() -> None:
    from signaldesk.errors import NotFound

    with pytest.raises(NotFound):
        sd.tune(RULE, "nowhere.parquet")
