"""Thousands of events, out of order and with gaps: columns find the very deadlines that the fold meets."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

import signaldesk as sd
from signaldesk.backtest.events import Events

R = sd.Rule
RULES = {
    "what was not seen for an hour": R.new_value("*", field="amount", within="1h", learn="1m", by="who"),
    "a sequence of two": R.sequence(
        steps=[{"event": "job", "where": "ok"}, {"event": "view"}], within="4s", by="who", cooldown="1m"
    ),
    "a sequence of three": R.sequence(
        steps=[{"event": "job", "where": "ok"}, {"event": "view"}, {"event": "*", "where": "NOT ok"}],
        within="20s",
        cooldown="1m",
    ),
    "what does not follow": R.sequence(
        steps=[{"event": "view"}], missing={"event": "job", "where": "NOT ok"}, within="40s", by="who"
    ),
    "what does not follow two, of which either may": R.sequence(
        steps=[{"event": "view"}, {"event": "job"}],
        missing={"event": "*", "where": "NOT ok"},
        within="10s",
        resolve={"quiet_for": "20s"},
    ),
    "a group that falls silent": R.absence("job", within="1m", by="who"),
    "silence": R.absence("job", within="2s"),
    "nothing on schedule": R.absence("job", expected={"cron": "*/5 * * * *", "grace": "10s"}, by="who"),
    "an unusual count": R.anomaly("*", bin="1m", min_history="30m", score=1.1),
    "an unusual sum of a group": R.anomaly(
        "*", bin="1m", function="sum", field="amount", min_history="30m", by="who", score=1.1, cooldown="10m"
    ),
}
MADE = """
    SELECT if(hash(n) % 5 < 1, 'view', 'job') AS type, (hash(n) % 1000) / 10 AS amount,
        'u' || (hash(n // 5) % 7) AS who, hash(n + 1) % 10 < 8 AS ok,
        TIMESTAMPTZ '2026-01-01T00:00:00Z' + to_seconds(
            n + if(n % 997 = 0, 400, 0) - if(n % 50 < 2 AND n % 7 < {0}, hash(n) % 20, 0)::BIGINT
        ) AS timestamp
    FROM range(6000) AS _ (n) WHERE n % 3000 > 600 OR n % 7 = 0
"""


@pytest.fixture(scope="module", params=[7, 0], ids=["late events", "late by a gap only"])
def events(request: pytest.FixtureRequest) -> Events:
    return Events.of(duckdb.sql(MADE.format(request.param)))


@pytest.mark.parametrize("name", RULES)
def test_columns_find_what_the_fold_finds(events: Events, name: str) -> None:
    columns, fold = RULES[name].backtest(events), RULES[name].backtest(events, columns=False)
    assert (columns.how, fold.how.partition(":")[0]) == ("columns", "fold")
    assert len(fold.firings) > 0
    assert columns.as_json() | {"summary": {}} == fold.as_json() | {"summary": {}}


JOBS: dict[str, Any] = {"by": "who", "event": "job"}
PARTS = {
    "silent": R.absence(name="silent", within="1m", **JOBS),
    "many": R.count(name="many", at_least=3, within="20s", **JOBS),
    "long": R.count(name="long", at_least=2, within="20s", for_="10s", **JOBS),
    "odd": R.anomaly("*", name="odd", bin="1m", min_history="30m", score=1.1, by="who"),
    "missed": R.sequence(
        name="missed", by="who", steps=[{"event": "view"}], missing={"event": "job"}, within="40s"
    ),
}
WHOLES: dict[str, dict[str, Any]] = {
    "silence, or something odd": {"any": ["silent", "odd"], "within": "1m"},
    "silence after something odd": {"all": ["odd", "silent"], "within": "10m", "cooldown": "5m"},
    "long, and nothing missed": {"all": ["long"], "none": ["missed"], "within": "30s", "for": "30s"},
    "anything, until it is quiet": {"any": [*PARTS], "within": "10s", "resolve": {"quiet_for": "2m"}},
    "many, and no silence": {"all": ["many"], "none": ["silent"], "within": "5m", "cooldown": "10m"},
}


@pytest.mark.parametrize("name", WHOLES)
def test_columns_find_what_the_fold_finds_of_parts_that_wait(events: Events, name: str) -> None:
    fields = {"for_" if field == "for" else field: value for field, value in WHOLES[name].items()}
    rule, others = R.composite(by="who", **fields), [*PARTS.values()]
    columns = rule.backtest(events, others=others)
    fold = rule.backtest(events, others=others, columns=False)
    assert (columns.how, fold.how.partition(":")[0]) == ("columns", "fold")
    assert len(fold.firings) > 0
    assert columns.as_json() | {"summary": {}} == fold.as_json() | {"summary": {}}
