from __future__ import annotations

import pytest
from sqlalchemy import select, update

from signaldesk.accounts.roles import Principal
from signaldesk.accounts.sessions import LASTS, Sessions, principal_of
from signaldesk.accounts.users import Founded, Users
from signaldesk.clock import ManualClock
from signaldesk.errors import Forbidden
from signaldesk.store import identity
from signaldesk.store.database import Database
from signaldesk.store.tables import memberships
from signaldesk.store.tables import sessions as sessions_table
from signaldesk.store.tables import users as users_table


@pytest.fixture
def sessions(database: Database, clock: ManualClock) -> Sessions:
    return Sessions(database=database, clock=clock)


@pytest.fixture
async def token(sessions: Sessions, founded: Founded) -> str:
    return await sessions.open(founded.user_id, founded.org_id)


async def test_a_session_is_recognised_until_it_is_closed(
    sessions: Sessions, founded: Founded, token: str
) -> None:
    member = await sessions.member(token)
    assert member is not None and member.user_id == founded.user_id
    await sessions.close(token)
    assert await sessions.member(token) is None


async def test_a_session_ends_by_itself(sessions: Sessions, clock: ManualClock, token: str) -> None:
    clock.advance(LASTS.total_seconds() - 1)
    assert await sessions.member(token) is not None
    clock.advance(1)
    assert await sessions.member(token) is None
    assert await sessions.sweep() == 1


async def test_a_disabled_user_and_a_former_member_are_out_at_once(
    sessions: Sessions, database: Database, token: str
) -> None:
    async with database.system() as connection:
        await connection.execute(update(users_table).values(disabled_at="2026-01-01T00:00:00Z"))
    assert await sessions.member(token) is None
    async with database.system() as connection:
        await connection.execute(update(users_table).values(disabled_at=None))
        await connection.execute(memberships.delete())
    assert await sessions.member(token) is None


async def test_only_a_hash_of_the_token_is_stored(database: Database, token: str) -> None:
    async with database.system() as connection:
        stored = bytes((await connection.execute(select(sessions_table.c.hash))).scalar_one())
    assert len(stored) == 32 and token.encode() not in stored


@pytest.mark.parametrize("token", ["", "x", "\ud800", "x" * 10_000])
async def test_a_token_nobody_gave_out_is_nobodys(sessions: Sessions, token: str) -> None:
    assert await sessions.member(token) is None


async def test_a_role_decides_what_a_member_may_do(
    sessions: Sessions, database: Database, founded: Founded, token: str
) -> None:
    async def principal() -> Principal:
        member = await sessions.member(token)
        assert member is not None
        return principal_of(member)

    (await principal()).require("keys:write")
    async with database.system() as connection:
        await connection.execute(update(memberships).values(role="viewer"))
    viewer = await principal()
    viewer.require("alerts:read")
    with pytest.raises(Forbidden, match="rules:write"):
        viewer.require("rules:write")


async def test_somebody_in_two_organisations_logs_in_to_the_one_joined_first(
    database: Database, users: Users, founded: Founded
) -> None:
    second = await users.found(org="Second", email="second@acme.test", password="correct horse battery")
    async with database.system() as connection:
        await identity.add_membership(connection, second.org_id, founded.user_id, "viewer")
    member = await users.authenticate("mira@acme.test", "correct horse battery")
    assert member.org_id == founded.org_id
