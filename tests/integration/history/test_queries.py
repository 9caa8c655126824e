"""SQL over history: files and the rows that are in none yet are one table, whose fields mean the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
import pytest

from signaldesk.history.holdings import Holdings
from signaldesk.history.queries import Queries, QueryInvalid, QueryUnread
from signaldesk.history.sandbox.limits import Limits
from signaldesk.history.view import events_view
from signaldesk.store.extract import Extract
from tests.support.history import HistoryLab, event, some_events
from tests.support.web import LAUNCHER

SAME = (
    "SELECT count(*), count(DISTINCT id), min(timestamp), max(received_at) FROM events",
    "SELECT count(*), sum(payload.amount) FROM events WHERE payload.amount > 20",
    "SELECT payload.country, count(*), avg(payload.user.id) FROM events GROUP BY ALL ORDER BY ALL",
    "SELECT payload.user.plan, payload.ok, count(*) FROM events e WHERE e.payload.ok GROUP BY ALL ORDER BY 1",
    "SELECT count(*) FROM events WHERE TRY_CAST(payload.mixed AS INT) = 1",
    "SELECT count(*) FROM events WHERE payload.mixed = '1'",
    "SELECT count(payload.rare), count(payload.never) FROM events",
    "SELECT upper(payload.country) AS c, count(*) FROM events GROUP BY ALL ORDER BY ALL",
    "SELECT payload.amount, payload.country, payload.user FROM events ORDER BY ALL",
    "SELECT count(*) FROM events a JOIN events b USING (id) WHERE a.payload.amount = b.payload.amount",
    "WITH e AS (SELECT payload FROM events) SELECT count(*) FROM e WHERE payload.amount > 20",
    "SELECT (SELECT max(payload.rare) FROM (SELECT payload FROM events WHERE true)) FROM events LIMIT 1",
    "SELECT count(*) FROM (SELECT * FROM events WHERE payload.amount > 20)",
    "SELECT * FROM events ORDER BY id LIMIT 3",
    "SELECT count(*) FROM events WHERE payload->>'country' = 'DE'",
)


@pytest.fixture
def queries(lab: HistoryLab) -> Iterator[Queries]:
    holdings = Holdings(Extract(lab.url), lab.history)
    queries = Queries(
        holdings=lambda: holdings, limits=Limits(), at_once=2, at_once_per_org=2, launcher=LAUNCHER
    )
    yield queries
    queries.close()


def rows(queries: Queries, org: UUID, sql: str) -> list[Any]:
    async def ask() -> bytes:
        result = await queries.ask(org, sql)
        try:
            return await result.read()
        finally:
            result.close()

    return list(orjson.loads(asyncio.run(ask()))["rows"])


def test_a_query_is_answered_alike_before_between_and_after_archiving(
    lab: HistoryLab, queries: Queries
) -> None:
    org, other = lab.org(), lab.org("other")
    events = some_events(400)
    for start in range(0, len(events), 70):
        lab.store(org, events[start : start + 70])
    lab.store(org, [event({"amount": 1e6})], lane="an import")
    lab.store(other, [event({"amount": 1e6})])
    before = {sql: rows(queries, org, sql) for sql in SAME}
    assert before[SAME[0]][0][:2] == [400, 400]
    payloads = [orjson.loads(one.payload) for one in events]
    larger = [one["amount"] for one in payloads if one["amount"] > 20]
    assert before[SAME[1]] == [[len(larger), sum(larger)]]
    assert before[SAME[5]] == [[sum(1 for one in payloads if str(one.get("mixed")) == "1")]]
    for _ in range(3):
        lab.archiver().run(closed_only=False)
        assert {sql: rows(queries, org, sql) for sql in SAME} == before
        lab.hour_passes()


def test_a_field_is_read_from_its_column_where_there_is_one(lab: HistoryLab, queries: Queries) -> None:
    org = lab.org()
    lab.store(org, [event({"amount": number, "text": "é'\"", "odd key": 1}) for number in range(100)])
    lab.archiver().run(closed_only=False)
    lab.store(org, [event({"amount": 0.5, "text": "x", "odd key": 2})])
    view = events_view(lab.history.cut(org), 'SELECT payload.amount, payload.text, "odd key"', first=1)
    assert view.fields == {"amount": "DOUBLE", "odd key": "BIGINT", "text": "VARCHAR"}
    assert ', "payload.text" FROM tail' in view.wide
    sql = 'SELECT max(payload.amount), min(payload.text), sum(payload."odd key") AS odd FROM events'
    assert rows(queries, org, sql) == [[99.0, "x", 102]]


@pytest.mark.parametrize("where", ["", " WHERE payload.amount > 20"])
def test_a_file_that_was_changed_in_place_is_set_aside_when_it_cannot_be_read(
    lab: HistoryLab, queries: Queries, where: str
) -> None:
    org = lab.org()
    for _ in range(2):
        lab.store(org, some_events(40))
        lab.archiver().run(closed_only=False)
    path = lab.paths()[0]
    (lab.folder / path).write_bytes(b"x" * (lab.folder / path).stat().st_size)
    sql = f"SELECT count(*) FROM events{where}"
    ((found,),) = rows(queries, org, sql)
    assert 0 < found <= 40
    assert lab.history.cut(org).missing == [path]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT error('handed://1.parquet handed://2.parquet handed://7.parquet') FROM events",
        "SELECT error(concat('handed://', position % 1 + 1, '.parquet')) FROM events",
        "SELECT CAST(concat('handed://1', '.parquet') AS INT) FROM events",
    ],
)
def test_who_names_a_whole_file_in_an_error_does_not_have_it_checked(
    lab: HistoryLab, queries: Queries, sql: str
) -> None:
    org = lab.org()
    for _ in range(2):
        lab.store(org, some_events(40))
        lab.archiver().run(closed_only=False)
    with pytest.raises(QueryInvalid, match="a file of history") as found:
        rows(queries, org, sql)
    assert not isinstance(found.value, QueryUnread)


def test_an_error_names_the_place_in_the_statement_as_it_was_written(
    lab: HistoryLab, queries: Queries
) -> None:
    org = lab.org()
    lab.store(org, [event({"amount": 1})])
    lab.archiver().run(closed_only=False)
    with pytest.raises(QueryInvalid, match=r"did you mean type.*\(line 2, column 19\)"):
        rows(queries, org, "SELECT payload.amount\n, payload.amount, tpe FROM events")


def test_an_organisation_without_events_has_an_empty_table(lab: HistoryLab, queries: Queries) -> None:
    org = lab.org()
    assert rows(queries, org, "SELECT count(*), sum(payload.amount::DOUBLE) FROM events") == [[0, None]]
