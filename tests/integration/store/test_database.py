"""The pool of connections: what a restart of the server does to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from signaldesk.store.database import Database

ENDED = text(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'pooled' "
    "AND datname = current_database()"
)


@pytest.fixture
async def pooled(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, pool_size=3, application="pooled")
    yield database
    await database.close()


@pytest.fixture
async def operator(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, pool_size=1, application="operator")
    yield database
    await database.close()


async def test_connections_that_ended_while_they_were_idle_are_nobodys_problem(
    pooled: Database, operator: Database
) -> None:
    for _ in range(3):
        await asyncio.gather(*(pooled.ping() for _ in range(3)))
        async with operator.system() as connection:
            ended = (await connection.execute(ENDED)).scalars().all()
        assert len(ended) == 3 and all(ended)
    await pooled.ping()


async def test_a_connection_that_is_in_order_is_kept(pooled: Database) -> None:
    found = set()
    for _ in range(5):
        async with pooled.system() as connection:
            found.add((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())
    assert len(found) == 1
