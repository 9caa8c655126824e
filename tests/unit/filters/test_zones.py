"""The tables of time zones say what Python's own time zones say, and SQL what the tables say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest

from signaldesk.filters import zones
from tests.unit.filters.history import open_history

ZONES = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Pacific/Apia",
]
SECOND = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def history() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_history() as connection:
        yield connection


def moments(name: str) -> list[int]:
    """Just before, at and just after each change, and every 97th hour of a hundred years."""
    near = [change + step for change in zones.table(name).changes for step in (-SECOND, -1, 0, 1, SECOND)]
    return near + [hour * 3_600 * SECOND for hour in range(0, 876_000, 97)]


def shown(name: str, micros: int) -> int:
    moment = (EPOCH + timedelta(microseconds=micros)).astimezone(ZoneInfo(name))
    return (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize("name", ZONES)
def test_local_clocks_are_pythons_and_duckdb_is_told_the_same(
    history: duckdb.DuckDBPyConnection, name: str
) -> None:
    some = moments(name)
    local = zones.local(name)
    expected = [shown(name, micros) for micros in some]
    assert [local(micros) for micros in some] == expected
    told = f"SELECT {zones.local_sql(name, 'm')} FROM (SELECT unnest(?::BIGINT[]) AS m)"
    assert [found for (found,) in history.execute(told, [some]).fetchall()] == expected


def test_before_and_after_the_tables_the_nearest_offset_holds() -> None:
    local = zones.local("Europe/Berlin")
    assert local(-1) == -1 + 3_600 * SECOND
    year_2150 = int(datetime(2150, 7, 1, tzinfo=UTC).timestamp()) * SECOND
    assert local(year_2150) == year_2150 + 3_600 * SECOND
