"""`signaldesk db`: where the schema stands, and bringing it up to date."""

from __future__ import annotations

import asyncio

import pytest

from signaldesk.store import migrate
from signaldesk.store.database import Database
from signaldesk.store.health import Health
from tests.support.commands import Terminal


@pytest.fixture
def empty(terminal: Terminal, empty_database_url: str, redis_url: str) -> Terminal:
    """A terminal whose database has nothing in it."""
    return terminal.with_(SIGNALDESK_DATABASE_URL=empty_database_url, SIGNALDESK_REDIS_URL=redis_url)


def test_an_empty_database_is_brought_up_to_date_once(empty: Terminal) -> None:
    pending = empty.run("db", "status", "--json", expect=1).json()["pending"]
    assert pending
    assert "run `signaldesk db upgrade`" in empty.run("db", "status", expect=1).out
    assert empty.run("db", "upgrade", "--json").json()["applied"] == pending
    assert "nothing to do" in empty.run("db", "upgrade").out
    assert empty.run("db", "status", "--json").json()["pending"] == []


def test_a_database_that_is_away_is_one_line(terminal: Terminal) -> None:
    away = terminal.with_(
        SIGNALDESK_DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/x", SIGNALDESK_REDIS_URL="redis://x"
    )
    said = away.refuses("db", "status")
    assert "cannot be reached" in said
    assert "secret" not in said


def test_other_commands_say_that_the_schema_is_missing(empty: Terminal) -> None:
    assert "`signaldesk db upgrade`" in empty.refuses("keys", "list")


def test_what_is_asked_quickly_is_what_the_migrations_say(empty_database_url: str) -> None:
    async def asked() -> tuple[str | None, str]:
        database = Database(empty_database_url)
        try:
            return await Health(database=database).schema()
        finally:
            await database.close()

    before = migrate.status(empty_database_url)
    assert asyncio.run(asked()) == (before.current, before.head)
    after = migrate.upgrade(empty_database_url)
    assert asyncio.run(asked()) == (after.current, after.head)
