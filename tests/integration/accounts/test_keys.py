from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from signaldesk.accounts.keys import KNOWN_S, ApiKeys, KeyRing
from signaldesk.accounts.users import Founded, Users
from signaldesk.clock import ManualClock, from_us
from signaldesk.errors import Invalid, NotFound, Unauthenticated, Unavailable
from signaldesk.store.database import Database
from signaldesk.store.tables import api_keys
from signaldesk.stream.client import connect
from signaldesk.stream.news import News
from tests.support import eventually


@pytest.fixture
async def news(redis_url: str) -> AsyncIterator[News]:
    redis = connect(redis_url)
    yield News(redis)
    await redis.aclose()


@pytest.fixture
def keys(database: Database, news: News, clock: ManualClock) -> ApiKeys:
    return ApiKeys(database=database, news=news, clock=clock)


@pytest.fixture
async def ring(database: Database, news: News, clock: ManualClock) -> AsyncIterator[KeyRing]:
    async with KeyRing(database=database, news=news, clock=clock) as ring:
        await eventually(lambda: ring.hearing)
        yield ring


async def test_a_key_is_recognised_with_its_organisation_and_scopes(
    keys: ApiKeys, ring: KeyRing, founded: Founded
) -> None:
    key_id, key = await keys.create(founded.org_id, scopes=["events:write"], name="shop")
    principal = await ring.principal(key)
    assert (principal.org_id, principal.key_id) == (founded.org_id, key_id)
    assert principal.may("events:write") and not principal.may("rules:read")
    assert ring.remembered(key) == principal


async def test_a_revoked_key_is_refused_everywhere_within_a_second(
    keys: ApiKeys, ring: KeyRing, founded: Founded
) -> None:
    key_id, key = await keys.create(founded.org_id, scopes=["*"])
    await ring.principal(key)
    await keys.revoke(founded.org_id, key_id)
    await eventually(lambda: ring.remembered(key) is None, timeout=1)
    with pytest.raises(Unauthenticated):
        await ring.principal(key)


async def test_a_ring_that_hears_nothing_asks_again_after_a_second(
    keys: ApiKeys, database: Database, news: News, clock: ManualClock, founded: Founded
) -> None:
    deaf = KeyRing(database=database, news=news, clock=clock)
    key_id, key = await keys.create(founded.org_id, scopes=["*"])
    await deaf.principal(key)
    await keys.revoke(founded.org_id, key_id)
    clock.advance(1)
    with pytest.raises(Unauthenticated):
        await deaf.principal(key)


async def test_a_key_expires(keys: ApiKeys, ring: KeyRing, clock: ManualClock, founded: Founded) -> None:
    soon = from_us(clock.now_us()) + timedelta(seconds=KNOWN_S / 2)
    _, key = await keys.create(founded.org_id, scopes=["*"], expires_at=soon)
    await ring.principal(key)
    clock.advance(KNOWN_S / 2)
    assert ring.remembered(key) is None
    with pytest.raises(Unauthenticated):
        await ring.principal(key)


async def test_only_a_hash_of_the_key_is_stored(keys: ApiKeys, database: Database, founded: Founded) -> None:
    _, key = await keys.create(founded.org_id, scopes=["*"])
    async with database.system() as connection:
        row = (await connection.execute(select(api_keys))).one()
    assert key not in str(row) and key.startswith(row.hint)
    (listed,) = await keys.list(founded.org_id)
    assert key not in str(listed)


async def test_another_organisation_neither_sees_nor_revokes_a_key(
    keys: ApiKeys, ring: KeyRing, users: Users, founded: Founded
) -> None:
    other = await users.found(org="Other", email="o@other.test", password="correct horse battery")
    key_id, key = await keys.create(founded.org_id, scopes=["*"])
    assert await keys.list(other.org_id) == []
    for stranger in (key_id, uuid4()):
        with pytest.raises(NotFound):
            await keys.revoke(other.org_id, stranger)
    assert (await ring.principal(key)).key_id == key_id


@pytest.mark.parametrize("key", ["", "sk_", "sk_" + "0" * 48, "sk_" + "g" * 48, "\ud800", "x" * 100_000])
async def test_a_key_nobody_made_is_refused(ring: KeyRing, key: str) -> None:
    with pytest.raises(Unauthenticated):
        await ring.principal(key)


@pytest.mark.parametrize("scopes", [[], ["events:wirte"], ["*", "nothing"]])
async def test_scopes_that_do_not_exist_are_refused_by_name(
    keys: ApiKeys, founded: Founded, scopes: list[str]
) -> None:
    with pytest.raises(Invalid) as error:
        await keys.create(founded.org_id, scopes=scopes)
    assert all(fault.field.startswith("scopes") for fault in error.value.errors)


async def test_the_last_use_of_a_key_is_written_down(
    keys: ApiKeys, ring: KeyRing, clock: ManualClock, founded: Founded
) -> None:
    _, key = await keys.create(founded.org_id, scopes=["*"])
    clock.advance(5)
    await ring.principal(key)
    await ring.flush()
    (listed,) = await keys.list(founded.org_id)
    assert listed.last_used_at == from_us(clock.now_us())


class _Away(Database):
    """A database that can be taken away."""

    away = False

    @asynccontextmanager
    async def system(self) -> AsyncIterator[AsyncConnection]:
        if self.away:
            raise Unavailable("gone")
        async with super().system() as connection:
            yield connection


async def test_a_key_that_was_known_stays_known_while_postgres_is_away(
    keys: ApiKeys, database_url: str, news: News, clock: ManualClock, founded: Founded
) -> None:
    database = _Away(database_url)
    ring = KeyRing(database=database, news=news, clock=clock)
    _, key = await keys.create(founded.org_id, scopes=["events:write"])
    _, stranger = await keys.create(founded.org_id, scopes=["events:write"])
    known = await ring.principal(key)
    database.away = True
    clock.advance(3600)
    assert await ring.principal(key) == known
    with pytest.raises(Unavailable):
        await ring.principal(stranger)
    await database.close()
