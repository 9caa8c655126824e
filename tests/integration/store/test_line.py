"""One connection of its own: opened when needed, replaced when lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from signaldesk.errors import Unavailable
from signaldesk.store.line import Line
from tests.support import eventually


@pytest.fixture
async def line(empty_database_url: str) -> AsyncIterator[Line]:
    line = Line(empty_database_url, application="a line in a test")
    yield line
    await line.close()


async def backend(line: Line) -> int:
    return int((await line.fetch("SELECT pg_backend_pid()", {}))[0][0])


async def test_a_statement_is_committed_when_its_rows_come_back(line: Line, empty_database_url: str) -> None:
    assert await line.fetch("CREATE TABLE t (n int)", {}) == []
    assert await line.fetch("INSERT INTO t VALUES (%(n)s) RETURNING n", {"n": 7}) == [(7,)]
    with psycopg.connect(empty_database_url) as other:
        assert other.execute("SELECT n FROM t").fetchall() == [(7,)]


async def test_a_transaction_is_all_or_nothing(line: Line) -> None:
    await line.fetch("CREATE TABLE t (n int)", {})
    with pytest.raises(RuntimeError):
        async with line.transaction() as within:
            await within.fetch("INSERT INTO t VALUES (1)", {})
            raise RuntimeError
    assert await line.fetch("SELECT n FROM t", {}) == []
    async with line.transaction() as within:
        await within.fetch("INSERT INTO t VALUES (1)", {})
    assert await line.fetch("SELECT n FROM t", {}) == [(1,)]


async def test_one_connection_serves_until_it_is_lost_and_another_one_after_that(
    line: Line, empty_database_url: str
) -> None:
    first = await backend(line)
    assert await backend(line) == first
    with psycopg.connect(empty_database_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [first])
    with pytest.raises(Unavailable):
        await backend(line)
    assert await backend(line) != first


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    line = Line("postgresql://127.0.0.1:1/nowhere", application="a line in a test")
    with pytest.raises(Unavailable):
        await line.fetch("SELECT 1", {})


async def test_a_wrong_statement_is_an_error_and_the_line_goes_on(line: Line) -> None:
    with pytest.raises(psycopg.errors.SyntaxError):
        await line.fetch("SELEKT 1", {})
    assert await line.fetch("SELECT 1", {}) == [(1,)]


async def test_a_cancelled_statement_leaves_nothing_behind(line: Line, empty_database_url: str) -> None:
    task = asyncio.ensure_future(line.fetch("SELECT pg_sleep(60)", {}))

    def sleeping() -> bool:
        # Its text is there already while it is being prepared, when a server has nothing to cancel yet.
        running = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        with psycopg.connect(empty_database_url) as other:
            return other.execute(running).fetchone() is not None

    await eventually(sleeping)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: not sleeping())
    assert await line.fetch("SELECT 1", {}) == [(1,)]


@pytest.mark.parametrize(("durable", "setting"), [(True, "on"), (False, "off")])
async def test_only_what_need_not_be_durable_does_not_wait_for_the_disk(
    durable: bool, setting: str, own_setting: str, empty_database_url: str
) -> None:
    line = Line(empty_database_url, application="a line in a test", durable=durable)
    rows = await line.fetch("SHOW synchronous_commit", {})
    await line.close()
    assert rows == [(setting if not durable else own_setting,)]


@pytest.fixture
def own_setting(empty_database_url: str) -> str:
    """What the server does when nobody asks for anything else."""
    with psycopg.connect(empty_database_url) as connection:
        row = connection.execute("SHOW synchronous_commit").fetchone()
        assert row is not None
        return str(row[0])
