"""`signaldesk backtest`: rules judged over what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from signaldesk.clock import MICROS, from_us
from tests.integration.cli.conftest import Desk, installed
from tests.support.commands import Terminal
from tests.support.history import HOUR, START, HistoryLab, event
from tests.support.run import SharedServers
from tests.support.waiting import eventually_now

RULE = """
name: Checkout failures by country
event: checkout_failed
by: [country]
when: {kind: count, at_least: 3, within: 60s}
cooldown: 1m
"""
AT = from_us(START)
SINCE, UNTIL = AT.isoformat(), (AT + timedelta(hours=1)).isoformat()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, shared_servers: SharedServers) -> Iterator[Desk]:
    """An installation of these tests' own, in which there is nothing else to judge."""
    with installed(tmp_path_factory.mktemp("desk"), shared_servers) as desk:
        yield desk


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
    assert all((one["group"], one["value"]) == ({"country": "DE"}, 3) for one in found["firings"])
    assert [one["at"][: len(ats[0])] for one in found["firings"]] == ats


def test_a_sweep_judges_them_at_every_point(terminal: Terminal) -> None:
    said = terminal.run(
        *("backtest", "rule.yaml", "--from", SINCE, "--to", UNTIL, "--sweep", "at_least=3:7", "--json")
    )
    points = said.json()["points"]
    assert [(one["parameters"]["at_least"], one["firings"]) for one in points][-1] == (7, 0)
    assert points[0]["firings"] == 7


@pytest.fixture(scope="module")
def shop(desk: Desk) -> Desk:
    """The installation with four failed checkouts."""
    desk.terminal.run("send", "checkout_failed", "country=DE", "--times", "4")
    counted = "SELECT 'all ' || count(*) AS found FROM events"
    eventually_now(lambda: "all 4" in desk.terminal.run("query", counted).out, 30)
    return desk


def test_from_afar_the_answers_are_the_same(shop: Desk, terminal: Terminal) -> None:
    desk = shop
    asked = ("backtest", terminal.folder / "rule.yaml", "--from", "2020-01-01", "--to", "2099-01-01")
    away = terminal.with_(SIGNALDESK_URL=desk.up.url, SIGNALDESK_API_KEY=desk.key)
    incident = terminal.folder / "incident.csv"
    incident.write_text("name,starts_at,ends_at\nall of it,2020-01-01T00:00Z,2098-01-01T00:00Z\n")
    desk.terminal.run("labels", "import", incident)
    sweep = ("--sweep", "at_least=2:5")
    for more in (("--json",), (*sweep, "--json"), (*sweep, "--labels", "stored"), ()):
        here, there = desk.terminal.run(*asked, *more).out, away.run(*asked, *more).out
        assert there == here
    assert "firings: 1" in there and "kept since: " in there
    for one in (desk.terminal, away):
        assert "history has no events from before" in one.run(*asked).err
        assert "history has no events from before" in one.run(*asked, *sweep).err
    drawn = terminal.folder / "drawn.html"
    away.run(*asked, *sweep, "--labels", incident, "--plot", drawn)
    assert "f score" in drawn.read_text()
    refused = away.refuses(*asked, "--sweep", "at_leats=2:3")
    assert "sweep.at_leats: is no parameter" in refused


def test_a_rule_is_compared_with_a_saved_one_here_and_from_afar(shop: Desk, terminal: Terminal) -> None:
    desk = shop
    (terminal.folder / "strict.yaml").write_text(RULE.replace("at_least: 3", "at_least: 30"))
    desk.terminal.run("rules", "apply", terminal.folder / "rule.yaml")
    asked = ("backtest", terminal.folder / "strict.yaml", "--from", "2020-01-01", "--to", "2099-01-01")
    compare = (*asked, "--against", "Checkout failures by country")
    away = terminal.with_(SIGNALDESK_URL=desk.up.url, SIGNALDESK_API_KEY=desk.key)
    said = desk.terminal.run(*compare).out
    assert "would have notified 1 time fewer" in said
    assert "and missed 1 of 1 alerts" in said
    assert away.run(*compare).out == said
    assert away.run(*compare, "--json").json() == desk.terminal.run(*compare, "--json").json()
    for one in (away, desk.terminal):
        assert "there is no rule 'nobody'" in one.refuses(*asked, "--against", "nobody")
    assert "leave out --events" in terminal.refuses(*compare, "--sweep", "at_least=2:3", expect=2)


def test_a_range_that_is_none_is_refused_and_damage_is_told(terminal: Terminal) -> None:
    backwards = terminal.refuses("backtest", "rule.yaml", "--from", UNTIL, "--to", SINCE)
    assert "to: does not come after `from`" in backwards
    gone = terminal.refuses("backtest", "rule.yaml", "--from", "2013-01-01", "--to", "2013-02-01")
    assert "older events are not kept; name a later time" in gone
    folder = Path(terminal.variables["SIGNALDESK_DATA_DIR"]) / "history"
    (file,) = folder.rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:-100])
    said = terminal.run("backtest", "rule.yaml", "--from", SINCE, "--to", UNTIL, "--json")
    told = f"the events of 1 damaged file of history are not among these: {file.relative_to(folder)}"
    assert told in said.err
    assert said.json()["summary"]["events"] == 15
    asked = terminal.run("query", "SELECT count(*) AS n FROM events", "--format", "csv")
    assert asked.out.split() == ["n", "16"]
    assert told in asked.err
