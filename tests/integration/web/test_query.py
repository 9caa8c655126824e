"""SQL over HTTP: what is asked, in which format it is answered, and what people are told who ask wrongly."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import duckdb
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import rows
from tests.support.sharing import shared_loop
from tests.support.web import Org, Web, running_web

NOON = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)


@shared_loop
async def three(web: Web, org: Org) -> None:
    """Three events of the organisation, two types."""
    for number, country in enumerate(("DE", "FR", "DE"), 1):
        await rows.event(
            web.desk.database,
            org.id,
            type="checkout_failed" if number < 3 else "signup",
            timestamp=NOON,
            payload={"country": country, "amount": number * 10, "user": {"plan": "pro"}},
            source=None if number == 1 else "",
        )


async def ask(client: httpx.AsyncClient, sql: str, accept: str = "application/json") -> httpx.Response:
    return await client.post("/api/v1/query", json={"sql": sql}, headers={"Accept": accept})


async def rows_of(client: httpx.AsyncClient, sql: str) -> list[list[Any]]:
    answer = await ask(client, sql)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["rows"])


@pytest.mark.usefixtures("three")
async def test_a_field_of_the_payload_counts_and_sums_as_what_it_is(client: httpx.AsyncClient) -> None:
    answer = await ask(
        client,
        "SELECT payload.country, count(*) AS n, sum(payload.amount) FROM events e "
        "WHERE e.payload.user.plan = 'pro' AND payload.amount < 30.5 "
        "GROUP BY payload.country ORDER BY n DESC",
    )
    found = answer.json()
    assert [column["name"] for column in found["columns"]] == ["country", "n", "sum(payload.amount)"]
    assert found["rows"] == [["DE", 2, 40], ["FR", 1, 20]]
    assert found["row_count"] == 2


@pytest.mark.usefixtures("three")
async def test_times_payloads_and_missing_values_come_as_they_are_stored(client: httpx.AsyncClient) -> None:
    found = await rows_of(
        client, "SELECT timestamp, payload, source, payload.no FROM events ORDER BY payload.amount"
    )
    payload = {"country": "DE", "amount": 10, "user": {"plan": "pro"}}
    assert found[0] == ["2026-01-31T12:00:00.250000Z", payload, None, None]
    assert found[1][2] == ""


@pytest.mark.usefixtures("three")
async def test_lists_of_times_are_lists_of_times_as_they_are_elsewhere(client: httpx.AsyncClient) -> None:
    sql = (
        "SELECT list(timestamp), list(timestamp)[:0], list(NULL::TIMESTAMP), "
        "[TIMESTAMP_MS '2026-01-31 13:00:00'] FROM events WHERE type = 'signup'"
    )
    times = ["2026-01-31T12:00:00.250000Z"]
    assert await rows_of(client, sql) == [[times, [], [None], ["2026-01-31T13:00:00.000000"]]]
    lines = (await ask(client, sql, "text/csv")).text.splitlines()
    assert lines[1].startswith('"[""2026-01-31T12:00:00.250000Z""]",[],[null],')


async def test_times_are_written_alike_however_deep_they_lie(client: httpx.AsyncClient) -> None:
    time, text = "TIMESTAMPTZ '2026-01-31 12:00:00.25Z'", "2026-01-31T12:00:00.250000Z"
    values = {
        f"{{'t': {time}, 'n': 1}}": {"t": text, "n": 1},
        f"[{{'t': {time}}}, NULL]": [{"t": text}, None],
        f"MAP {{'a': [{time}]}}": {"a": [text]},
        f"MAP {{{time}: 1}}": {text: 1},
        f"[{time}]::TIMESTAMPTZ[1]": [text],
        f"union_value(t := {time})": {"t": text},
        f"[[{time}]]": [[text]],
        "[NULL::STRUCT(t TIMESTAMPTZ)]": [None],
        """{'a"b''c': TIMESTAMP '2026-01-31 12:00:00.25'}""": {"a\"b'c": text.removesuffix("Z")},
    }
    sql = f"SELECT {', '.join(values)}"
    assert await rows_of(client, sql) == [list(values.values())]
    (line,) = csv.reader((await ask(client, sql, "text/csv")).text.splitlines()[1:])
    assert [json.loads(one) for one in line] == list(values.values())


@pytest.mark.usefixtures("three")
async def test_the_payload_answers_the_operators_of_json_as_well(client: httpx.AsyncClient) -> None:
    assert await rows_of(client, "FROM events SELECT count(*) WHERE payload->>'country' = 'DE'") == [[2]]


@pytest.mark.usefixtures("three")
async def test_a_result_comes_as_csv(client: httpx.AsyncClient) -> None:
    sql = "SELECT type, payload.amount AS amount, [1, 2] AS list FROM events ORDER BY amount"
    answer = await ask(client, sql, "text/csv;q=0.9, image/png")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(answer.text))) == [
        ["type", "amount", "list"],
        ["checkout_failed", "10", "[1,2]"],
        ["checkout_failed", "20", "[1,2]"],
        ["signup", "30", "[1,2]"],
    ]


@pytest.mark.usefixtures("three")
async def test_a_result_comes_as_an_arrow_stream_and_as_parquet(client: httpx.AsyncClient) -> None:
    sql = "SELECT type, count(*) AS n, max(timestamp) AS last FROM events GROUP BY type ORDER BY type"
    answer = await ask(client, sql, "application/vnd.apache.arrow.stream")
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.column("n").to_pylist() == [2, 1]
    assert table.column("last").to_pylist() == [NOON, NOON]
    answer = await ask(client, sql, "application/vnd.apache.parquet")
    assert pq.read_table(io.BytesIO(answer.content)).equals(table)


async def test_arrow_and_parquet_hold_whatever_lies_in_lists_objects_and_maps(
    client: httpx.AsyncClient,
) -> None:
    values: dict[str, Any] = {
        "[INTERVAL 1 DAY]": ["1 day"],
        "{'i': INTERVAL 1 DAY, 'n': 1}": {"i": "1 day", "n": 1},
        "MAP {'a': INTERVAL 1 DAY}": [("a", "1 day")],
        "[INTERVAL 1 DAY]::INTERVAL[1]": ["1 day"],
        "row(1, INTERVAL 1 DAY)": {"element1": 1, "element2": "1 day"},
        "MAP {}": [],
        "[MAP {}]": [[]],
        "NULL::STRUCT(i INTERVAL)": None,
        "[1::HUGEINT]": [1.0],
        "[union_value(a := 1)]": ["1"],
        "['a'::ENUM('a', 'it''s')]": ["a"],
    }
    if not duckdb.__version__.startswith("1."):
        values |= {"{}": "{}", "{'a': {}}": {"a": "{}"}, "[1::VARIANT]": ["1"]}
    sql = f"SELECT {', '.join(values)}"
    answer = await ask(client, sql, "application/vnd.apache.parquet")
    (row,) = zip(*pq.read_table(io.BytesIO(answer.content)).to_pydict().values(), strict=True)
    assert list(row) == list(values.values())
    answer = await ask(client, sql, "application/vnd.apache.arrow.stream")
    (row,) = zip(*pa.ipc.open_stream(answer.content).read_all().to_pydict().values(), strict=True)
    assert list(row) == list(values.values())


async def test_a_large_result_is_streamed_whole(client: httpx.AsyncClient) -> None:
    sql = "SELECT range AS i, repeat('x', 100) AS x FROM range(100_000)"
    answer = await ask(client, sql, "application/vnd.apache.arrow.stream")
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.num_rows == 100_000
    assert len(answer.content) > 10_000_000


async def test_alerts_and_firings_can_be_joined(client: httpx.AsyncClient, web: Web, org: Org) -> None:
    rule = await rows.rule(web.desk.database, org.id)
    alert = await rows.alert(web.desk.database, org.id, rule_id=rule, margin=0.02)
    await rows.firing(web.desk.database, org.id, rule, alert_id=alert, margin=0.01, event_id=UUID(int=0))
    found = await rows_of(
        client,
        'SELECT a.id, a."group".country, state, a.at_least, a.margin, f.at_least, f.margin, f.event_id '
        "FROM alerts a LEFT JOIN firings f ON f.alert_id = a.id",
    )
    assert found == [[str(alert), "DE", "open", False, 0.02, True, 0.01, None]]


@pytest.mark.usefixtures("three")
async def test_another_organisation_sees_none_of_it(web: Web, other: Org) -> None:
    async with web.client(headers=other.headers) as client:
        assert await rows_of(
            client, "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM alerts)"
        ) == [[0, 0]]


async def test_a_key_needs_the_scope(web: Web, org: Org) -> None:
    _, key = await web.services.keys.create(org.id, scopes=["events:read"])
    async with web.client(headers={"Authorization": f"Bearer {key}"}) as client:
        answer = await ask(client, "SELECT 1")
    assert answer.status_code == 403
    assert "query:read" in answer.json()["detail"]


WRONG = {
    "SELECT typ FROM events": ("query_invalid", "did you mean type? (line 1, column 8)"),
    "SELECT id,\n  payload.no, tpe\nFROM events": ("query_invalid", "type or timestamp or behind? (line 2"),
    "SELECT type FROM event": ("query_refused", "there is no table 'event', did you mean events?"),
    "SELEC 1": ("query_invalid", 'syntax error at or near "SELEC" (line 1, column 1)'),
    "SELECT 1; SELECT 2": ("query_refused", "one statement at a time"),
    "SELECT ?": ("query_refused", "write the value itself (line 1, column 8)"),
    "DROP TABLE events": ("query_refused", "a statement that begins with SELECT, FROM or WITH"),
    "FROM (PIVOT events ON type USING count(*))": ("query_refused", "PIVOT makes columns of values"),
    " ;-- nothing": ("query_refused", "there is no statement"),
    "SELECT payload.country::INTEGER FROM events": ("query_invalid", "'DE'"),
    "SELECT type,\n  payload.country::INTEGER FROM events": ("query_invalid", "(line 2, column 18)"),
    "FROM events WHERE payload.amount > 1 AND timestamp > 'noon'": ("query_invalid", "(line 1, column 54)"),
    "SELECT sum(payload.amonut) FROM events": (
        "query_invalid",
        "is read as text, did you mean payload.amount? (line 1, column 8)",
    ),
}


@pytest.mark.usefixtures("three")
async def test_who_asks_wrongly_is_told_what_and_where(client: httpx.AsyncClient) -> None:
    for sql, (code, words) in WRONG.items():
        answer = await ask(client, sql)
        document = answer.json()
        assert (answer.status_code, document["code"]) == (422, code)
        assert words in document["detail"]
        assert document["errors"] == [{"field": "sql", "message": document["detail"]}]


async def test_a_format_that_there_is_not_is_refused(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "SELECT 1", "application/xml, application/json;q=0")
    assert answer.status_code == 406
    assert "text/csv" in answer.json()["detail"]


async def test_a_body_that_is_no_query_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/query", json={"query": "SELECT 1"})
    assert answer.status_code == 422
    assert {fault["field"] for fault in answer.json()["errors"]} == {"sql", "query"}


FOREVER = "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t) SELECT count(*) FROM t"


async def test_each_limit_says_its_name_and_what_to_do(database_url: str, redis_url: str) -> None:
    limits: dict[str, Any] = {
        "query_seconds": 1,
        "query_memory": 128 << 20,
        "query_rows": 100,
        "query_result": 10_000,
    }
    expected = {
        FOREVER: "more than 1 seconds",
        "SELECT list(range) FROM range(1_000_000_000)": "more than 128 MiB of memory",
        "SELECT repeat('x', 1_500_000) FROM range(100)": "more than 128 MiB of memory",
        "SELECT reservoir_quantile(range, 0.5, 2_000_000_000) FROM range(9)": "more than 128 MiB of memory",
        "SELECT * FROM range(101)": "more than 100 rows; add LIMIT",
        "SELECT repeat('x', 20_000)": "larger than 9.766 KiB",
        f"SELECT {'1 + ' * 30_000} 1": "are allowed",
    }
    async with running_web(database_url, redis_url, **limits) as web:
        org = await web.found("Acme")
        async with web.client(headers=org.headers) as client:
            for sql, words in expected.items():
                answer = await ask(client, sql)
                assert answer.status_code == 422, answer.text
                assert words in answer.json()["detail"]
            assert await rows_of(client, "SELECT count(*) FROM range(100)") == [[100]]


async def test_who_asks_too_much_at_once_is_told_to_wait(database_url: str, redis_url: str) -> None:
    settings: dict[str, Any] = {"query_seconds": 1, "query_at_once": 3, "query_at_once_per_org": 2}
    async with running_web(database_url, redis_url, **settings) as web:
        org, other = await web.found("Acme"), await web.found("Other")
        async with web.client(headers=org.headers) as client, web.client(headers=other.headers) as others:
            asked = [ask(client, FOREVER) for _ in range(4)]
            answers, theirs = await asyncio.gather(asyncio.gather(*asked), ask(others, "SELECT 1"))
            assert sorted(answer.status_code for answer in answers) == [422, 422, 429, 429]
            refused = next(answer for answer in answers if answer.status_code == 429)
            assert int(refused.headers["Retry-After"]) >= 1
            assert theirs.status_code == 200
            assert await rows_of(client, "SELECT 1") == [[1]]


async def test_what_breaks_off_on_the_way_is_not_taken_for_whole(database_url: str, redis_url: str) -> None:
    async with running_web(database_url, redis_url, query_rows=50_000) as web:
        org = await web.found("Acme")
        async with web.client(headers=org.headers) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await ask(client, "SELECT repeat('x', 1000) FROM range(60_000)", "text/csv")
            assert await rows_of(client, "SELECT 1") == [[1]]
