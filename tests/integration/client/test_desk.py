"""A desk in Python: of an installation elsewhere, and of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

import signaldesk as sd
from signaldesk.client.desk import Desk
from signaldesk.client.http import Refused, Unreachable
from signaldesk.errors import Invalid, SignalDeskError
from tests.support import rows
from tests.support.web import Web, running_web

T = TypeVar("T")
NOW = rows.now()


@pytest.fixture
async def web(database_url: str, redis_url: str) -> AsyncIterator[Web]:
    async with running_web(database_url, redis_url) as web:
        yield web


@pytest.fixture(params=["elsewhere", "here"])
async def desk(
    request: pytest.FixtureRequest, web: Web, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    """The same organisation's desk over HTTP, and straight from this machine's servers."""
    org = await web.found("Acme")
    for number, type in enumerate(("checkout_failed", "checkout_done", "signup")):
        await rows.event(
            web.desk.database,
            org.id,
            type=type,
            timestamp=NOW - timedelta(days=number),
            payload={"country": "<DE>", "amount": number * 10},
        )
    if request.param == "here":
        monkeypatch.setenv("SIGNALDESK_DATABASE_URL", web.desk.urls.database)
        monkeypatch.setenv("SIGNALDESK_REDIS_URL", web.desk.urls.redis)
        found = await asyncio.to_thread(lambda: sd.connect(org="acme"))
    else:
        found = sd.connect(web.url, api_key=org.key)
    yield found
    await asyncio.to_thread(found.close)


async def aside(work: Callable[[], T]) -> T:
    """In a thread: the server of this test lives in its event loop."""
    return await asyncio.to_thread(work)


async def test_sql_becomes_whichever_table_people_work_with(desk: Desk) -> None:
    found = desk.sql("SELECT type, payload.amount::INT AS amount, timestamp FROM events ORDER BY amount")
    table = await aside(found.arrow)
    assert table.column("amount").to_pylist() == [0, 10, 20]
    frame = found.df()
    assert list(frame["type"]) == ["checkout_failed", "checkout_done", "signup"]
    assert frame["timestamp"].iloc[0].to_pydatetime() == NOW
    assert len(found) == 3


async def test_events_are_those_of_a_type_a_time_and_a_filter(desk: Desk) -> None:
    async def types(*given: Any, **options: Any) -> list[str]:
        return (await aside(desk.events(*given, **options).arrow)).column("type").to_pylist()  # type: ignore[no-any-return]

    assert await types() == ["signup", "checkout_done", "checkout_failed"]
    assert await types("checkout_*") == ["checkout_done", "checkout_failed"]
    assert await types(["signup", "checkout_failed"]) == ["signup", "checkout_failed"]
    assert await types(last="36h") == ["checkout_done", "checkout_failed"]
    assert await types(until=NOW) == ["signup", "checkout_done"]
    assert await types(since=NOW - timedelta(days=1), until=NOW) == ["checkout_done"]
    assert await types(where="amount > 5 AND country = '<DE>'") == ["signup", "checkout_done"]


async def test_a_large_result_comes_piece_by_piece(desk: Desk) -> None:
    batches = desk.sql("SELECT range AS n, repeat('x', 100) AS x FROM range(100_000)").batches()
    sizes = await aside(lambda: [batch.num_rows for batch in batches])
    assert sum(sizes) == 100_000
    assert len(sizes) > 5


async def test_a_notebook_shows_the_first_rows_without_their_markup(desk: Desk) -> None:
    shown = await aside(desk.sql("SELECT payload FROM events, range(10)")._repr_html_)
    assert "20 of 30 rows" in shown
    assert "&lt;DE&gt;" in shown and "<DE>" not in shown


async def test_what_is_wrong_says_what_and_where(desk: Desk) -> None:
    with pytest.raises(SignalDeskError, match=r"did you mean type\? \(line 1, column 8\)"):
        await aside(desk.sql("SELECT typ FROM events").arrow)
    with pytest.raises(Invalid, match="since: has no time zone") as error:
        desk.events(since=datetime(2026, 1, 31), last="soon", where="amount >")  # noqa: DTZ001
    assert {fault.field for fault in error.value.errors} == {"last", "since", "where"}


async def test_a_key_that_may_not_ask_is_refused(web: Web) -> None:
    org = await web.found("Acme")
    _, key = await web.services.keys.create(org.id, scopes=["events:write"])
    with sd.connect(web.url, api_key=key) as desk, pytest.raises(Refused, match="query:read"):
        await aside(desk.sql("SELECT 1").arrow)


async def test_an_answer_that_breaks_off_is_not_taken_for_whole(database_url: str, redis_url: str) -> None:
    async with running_web(database_url, redis_url, query_rows=50_000) as web:
        org = await web.found("Acme")
        with sd.connect(web.url, api_key=org.key) as desk, pytest.raises(Unreachable, match="broke off"):
            await aside(desk.sql("SELECT repeat('x', 1000) FROM range(60_000)").arrow)


async def test_connecting_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("SIGNALDESK_DATA_DIR", str(tmp_path))
    with pytest.raises(SignalDeskError, match="start it with `signaldesk up`"):
        sd.connect()
    with pytest.raises(SignalDeskError, match="SIGNALDESK_API_KEY"):
        sd.connect("https://desk.example.com")


def test_rows_are_not_asked_before_somebody_looks() -> None:
    def never(sql: str) -> Any:
        raise AssertionError(sql)

    desk = Desk(never, where="nowhere", close=lambda: None)
    assert repr(desk.sql("SELECT 1\n FROM events")) == "<Rows of 'SELECT 1 FROM events': not asked yet>"
    assert "2026-01-01" in desk.events(since=datetime(2026, 1, 1, tzinfo=UTC)).sql
