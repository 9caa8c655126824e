"""`signaldesk query`: SQL in the terminal, here and from afar."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.integration.cli.conftest import Desk, installed
from tests.support.commands import Terminal
from tests.support.run import SharedServers
from tests.support.waiting import eventually_now

SQL = (
    "SELECT payload.country, count(*) AS n, [1, 2] AS list, true AS yes "
    "FROM events GROUP BY ALL ORDER BY n DESC"
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, shared_servers: SharedServers) -> Iterator[Desk]:
    """An installation of these tests' own, in which there is nothing else to count."""
    with installed(tmp_path_factory.mktemp("desk"), shared_servers) as desk:
        yield desk


@pytest.fixture(scope="module")
def stored(desk: Desk) -> Desk:
    """The installation with three events in its tables."""
    desk.terminal.run("send", "checkout_failed", "country=DE", "--times", "2")
    desk.terminal.run("send", "checkout_failed", "country=FR")
    counted = "SELECT 'all ' || count(*) AS found FROM events"
    eventually_now(lambda: "all 3" in desk.terminal.run("query", counted).out, 30)
    return desk


def test_a_result_is_a_table(stored: Desk) -> None:
    assert stored.terminal.run("query", SQL).out.splitlines() == [
        "country\tn\tlist\tyes",
        "DE\t2\t[1, 2]\ttrue",
        "FR\t1\t[1, 2]\ttrue",
    ]


def test_a_result_is_csv_or_json_for_programs(stored: Desk) -> None:
    said = stored.terminal.run("query", SQL, "--format", "csv").out
    assert said.splitlines()[1] == 'DE,2,"[1,2]",true'
    found = stored.terminal.run("query", "-", "--format", "json", stdin=SQL).json()
    assert found["rows"] == [["DE", 2, [1, 2], True], ["FR", 1, [1, 2], True]]


def test_a_result_is_a_parquet_file(stored: Desk, tmp_path: Path) -> None:
    file = tmp_path / "result.parquet"
    stored.terminal.run("query", SQL, "-f", "parquet", "-o", file)
    assert pq.read_table(file).column("n").to_pylist() == [2, 1]
    assert list(tmp_path.iterdir()) == [file]


def test_from_afar_the_answers_are_the_same(stored: Desk, terminal: Terminal, tmp_path: Path) -> None:
    away = terminal.with_(SIGNALDESK_URL=stored.up.url, SIGNALDESK_API_KEY=stored.key)
    assert away.run("query", SQL).out == stored.terminal.run("query", SQL).out
    away.run("query", "FROM range(100_000)", "-f", "parquet", "-o", tmp_path / "range.parquet")
    assert pq.read_table(tmp_path / "range.parquet").num_rows == 100_000


def test_what_is_wrong_is_said_in_one_line_here_and_from_afar(
    stored: Desk, terminal: Terminal, tmp_path: Path
) -> None:
    away = terminal.with_(SIGNALDESK_URL=stored.up.url, SIGNALDESK_API_KEY=stored.key)
    for one in (stored.terminal, away):
        assert "did you mean type? (line 1, column 8)" in one.refuses("query", "SELECT typ FROM events")
    latin = stored.terminal.refuses("query", "-", stdin="SELECT '\udce9'", expect=2)
    assert latin == "standard input is not UTF-8 (byte 9); save it as UTF-8"
    xml = stored.terminal.refuses("query", "SELECT 1", "--format", "xml", expect=2)
    assert xml.startswith("Invalid value for '--format' / '-f': 'xml' is not one of 'table', 'csv'")
    file = tmp_path / "never.csv"
    stored.terminal.refuses("query", "DROP TABLE events", "-f", "csv", "-o", file)
    assert list(tmp_path.glob("never*")) == []


def test_json_of_no_rows_is_json_too(stored: Desk) -> None:
    said = stored.terminal.run("query", "FROM events WHERE false", "-f", "json").out
    assert json.loads(said)["row_count"] == 0
    assert stored.terminal.run("query", "FROM events WHERE false").err == "no rows\n"
