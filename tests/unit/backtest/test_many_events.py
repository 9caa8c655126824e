"""Tables of more than a few row groups, of which DuckDB reads several at once: their order is kept."""

from __future__ import annotations

import duckdb
import pytest

import signaldesk as sd
from signaldesk.backtest.events import Events

MANY = 300_000
"""More than two row groups (122,880 rows each)."""


@pytest.fixture(scope="module")
def events() -> Events:
    """An event a second; every thousandth is a failure, and a third are of another type."""
    rows = duckdb.sql(
        f"SELECT if(n % 3 = 0, 'other', 'job') AS type, n % 1000 < 4 AS failed, "
        f"TIMESTAMPTZ '2026-01-01T00:00:00Z' + n * INTERVAL 1 SECOND AS timestamp FROM range({MANY}) AS _(n)"
    )
    return Events.of(rows)


def test_columns_find_in_many_events_what_the_fold_finds(events: Events) -> None:
    rule = sd.Rule.count(
        "job", where="failed", at_least=2, within="60s", cooldown="10m", resolve={"quiet_for": "10m"}
    )
    columns, fold = rule.backtest(events), rule.backtest(events, columns=False)
    assert (columns.how, fold.how.partition(":")[0]) == ("columns", "fold")
    assert len(columns.alerts) > 100
    assert columns.as_json() | {"summary": {}} == fold.as_json() | {"summary": {}}
