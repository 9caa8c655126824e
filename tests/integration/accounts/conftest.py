"""A migrated database, and the rooms of `accounts` on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from signaldesk.accounts.passwords import Passwords
from signaldesk.accounts.users import Founded, Users
from signaldesk.clock import ManualClock
from signaldesk.store.database import Database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def users(database: Database) -> Users:
    cheap = Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1)
    return Users(database=database, passwords=Passwords(cheap))


@pytest.fixture
async def founded(users: Users) -> Founded:
    return await users.found(org="Acme Shop", email="mira@acme.test", password="correct horse battery")
