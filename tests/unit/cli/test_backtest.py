"""`signaldesk backtest` on a file of events."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from signaldesk import cli

RULE = """
name: Checkout failures
event: checkout_failed
by: country
when: {kind: count, at_least: 3, within: 60s}
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    rule, events = tmp_path / "rule.yaml", tmp_path / "events.ndjson"
    rule.write_text(RULE)
    lines = [
        {"type": "checkout_failed", "timestamp": f"2026-01-05T12:00:{second:02}Z", "country": "DE"}
        for second in (0, 20, 40, 50)
    ]
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(rule), str(events)


def test_the_result_is_json(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.exit_code(["backtest", files[0], "--events", files[1], "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"summary", "firings", "alerts", "suppressed"}
    assert found["firings"] == [
        {"group": {"country": "DE"}, "at": f"2026-01-05T12:00:{second}.000000Z"}
        | {"value": 3, "at_least": True, "margin": None}
        for second in (40, 50)
    ]
    assert (found["summary"]["firings"], found["summary"]["alerts"]) == (2, 1)


def test_notes_stand_beside_the_data(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    lines = [{**json.loads(line), "id": "one"} for line in Path(files[1]).read_text().splitlines()]
    Path(files[1]).write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = "3 events whose id came before were left out, as they are live\n"
    for options in ([], ["--json"], ["--sweep", "at_least=1:2"]):
        assert cli.exit_code(["backtest", files[0], "--events", files[1], *options]) == 0
        said = capsys.readouterr()
        assert said.err.startswith(told)
        assert "notes:" not in said.out


def test_a_sweep_is_a_line_for_each_point(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "sweep.html"
    sweep = ["--sweep", "at_least=2:4", "--sweep", "within=30s,60s", "--plot", str(plot)]
    assert cli.exit_code(["backtest", files[0], "--events", files[1], *sweep]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[1:4] for line in lines] == [
        ["at_least", "within", "firings"],
        ["2", "30s", "3"], ["2", "60s", "3"], ["3", "30s", "0"],
        ["3", "60s", "2"], ["4", "30s", "0"], ["4", "60s", "1"],
    ]  # fmt: skip
    assert plot.stat().st_size > 100_000


def test_people_read_groups_and_what_was_held_back_in_words(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path(files[0]).write_text(RULE + "cooldown: 1m\n")
    assert cli.exit_code(["backtest", files[0], "--events", files[1]]) == 0
    out = capsys.readouterr().out
    assert "suppressed: 1 by cooldown\n" in out
    assert "noisiest: country = DE (1)\n" in out
    assert out.endswith("at\tgroup\tvalue\n2026-01-05T12:00:40.000000Z\tcountry = DE\t≥\u00a03\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sweep", "at_least"], "names no values"),
        (["--sweep", "at_leats=2:4"], "is no parameter"),
        (["--sweep", "at_least=2", "--sweep", "at_least=3"], "'at_least' is given twice"),
        (["--from", "then"], "is no time"),
        (["--from", "0001-01-01T00:00+14:00"], "is no time"),
        (["--from", "2026-01-06", "--to", "2026-01-05"], "does not come after --from"),
        (["--sweep", "at_least=2:3", "--labels", "/nowhere.csv"], "cannot read /nowhere.csv"),
        (["--labels", "incidents.csv"], "--labels: says which points of a sweep find them; add --sweep"),
        (["--plot", "/nowhere/plot.html"], "/nowhere/plot.html: No such file or directory; name another"),
    ],
)
def test_what_is_wrong_is_one_line(
    files: tuple[str, str], options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.exit_code(["backtest", files[0], "--events", files[1], *options]) != 0
    assert said in capsys.readouterr().err
