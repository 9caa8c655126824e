"""`signaldesk backtest`: rules judged over what is stored."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from signaldesk.clock import MICROS, from_us
from tests.support.commands import Terminal
from tests.support.history import HOUR, START, HistoryLab, event

RULE = """
name: Checkout failures by country
event: checkout_failed
by: [country]
when: {kind: count, at_least: 3, within: 60s}
cooldown: 1m
"""
AT = from_us(START)
SINCE, UNTIL = AT.isoformat(), (AT + timedelta(hours=1)).isoformat()


@pytest.fixture
def terminal(servers: Terminal, database_url: str) -> Terminal:
    """A terminal beside an organisation with events on both sides of the seam, and the rule in a file."""
    folder = Path(servers.variables["SIGNALDESK_DATA_DIR"]) / "history"
    lab = HistoryLab(database_url, folder)
    org = lab.org()
    events = [event({"country": "DE"}, time=START + 10 * number * MICROS) for number in range(40)]
    lab.store(org, events[:25])
    lab.archiver().run(closed_only=False)
    lab.store(org, [*events[25:], event({"country": "DE"}, time=START + HOUR)])
    (servers.folder / "rule.yaml").write_text(RULE)
    return servers


def test_stored_events_are_judged_across_the_seam(terminal: Terminal) -> None:
    found = terminal.run("backtest", "rule.yaml", "--from", SINCE, "--to", UNTIL, "--json").json()
    assert found["summary"]["events"] == 40
    seconds = [20 + 60 * number for number in range(7)]
    ats = [(AT + timedelta(seconds=one)).isoformat().removesuffix("+00:00") for one in seconds]
    assert [(one["group"], one["value"]) for one in found["firings"]][:2] == [
        ({"country": "DE"}, 3),
        ({"country": "DE"}, 6),
    ]
    assert [one["at"][: len(ats[0])] for one in found["firings"]] == ats


def test_a_sweep_judges_them_at_every_point(terminal: Terminal) -> None:
    said = terminal.run(
        *("backtest", "rule.yaml", "--from", SINCE, "--to", UNTIL, "--sweep", "at_least=3:7", "--json")
    )
    points = said.json()["points"]
    assert [(one["parameters"]["at_least"], one["firings"]) for one in points][-1] == (7, 0)
    assert points[0]["firings"] == 7


def test_a_range_that_is_none_is_refused_and_damage_is_told(terminal: Terminal) -> None:
    backwards = terminal.refuses("backtest", "rule.yaml", "--from", UNTIL, "--to", SINCE)
    assert "to: does not come after `from`" in backwards
    gone = terminal.refuses("backtest", "rule.yaml", "--from", "2013-01-01", "--to", "2013-02-01")
    assert "older events are not kept; name a later time" in gone
    folder = Path(terminal.variables["SIGNALDESK_DATA_DIR"]) / "history"
    (file,) = folder.rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:-100])
    said = terminal.run("backtest", "rule.yaml", "--from", SINCE, "--to", UNTIL, "--json")
    assert f"{file.relative_to(folder)} is damaged: its events are not among these" in said.err
    assert said.json()["summary"]["events"] == 15
