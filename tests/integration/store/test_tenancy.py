"""What a tenant's transaction sees and may do: only its own rows, whatever the statement says."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from signaldesk.store.database import Database
from signaldesk.store.tables import TENANT, channels, orgs, rules


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, pool_size=2)
    yield database
    await database.close()


@pytest.fixture
async def two_orgs(database: Database) -> tuple[UUID, UUID]:
    mine, theirs = uuid4(), uuid4()
    async with database.system() as connection:
        for number, org in enumerate((mine, theirs)):
            values = {"id": org, "slug": f"org-{number}", "name": "Org", "partition": number}
            await connection.execute(insert(orgs).values(**values))
            await connection.execute(
                insert(channels).values(id=uuid4(), org_id=org, name="ops", kind="in_app", config={})
            )
    return mine, theirs


async def _names(connection: AsyncConnection) -> list[UUID]:
    return list((await connection.execute(select(channels.c.org_id))).scalars())


async def test_a_tenant_sees_only_its_own_rows(database: Database, two_orgs: tuple[UUID, UUID]) -> None:
    mine, _ = two_orgs
    async with database.tenant(mine) as connection:
        assert await _names(connection) == [mine]
        assert list((await connection.execute(select(orgs.c.id))).scalars()) == [mine]


async def test_a_tenant_cannot_write_into_another_organisation(
    database: Database, two_orgs: tuple[UUID, UUID]
) -> None:
    mine, theirs = two_orgs
    row = {"id": uuid4(), "org_id": theirs, "name": "x", "version": 1, "since_version": 1, "fingerprint": "f"}
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.tenant(mine) as connection:
            await connection.execute(insert(rules).values(**row))


async def test_a_tenant_cannot_change_another_organisations_rows(
    database: Database, two_orgs: tuple[UUID, UUID]
) -> None:
    mine, theirs = two_orgs
    async with database.tenant(mine) as connection:
        changed = await connection.execute(
            update(channels).where(channels.c.org_id == theirs).values(name="mine now")
        )
        assert changed.rowcount == 0


async def test_without_an_organisation_the_tenant_role_sees_nothing(
    database: Database, two_orgs: tuple[UUID, UUID]
) -> None:
    async with database.system() as connection:
        await connection.execute(text("SET LOCAL ROLE signaldesk_app"))
        assert await _names(connection) == []


async def test_the_next_user_of_a_connection_inherits_no_tenant(
    database_url: str, two_orgs: tuple[UUID, UUID]
) -> None:
    database = Database(database_url, pool_size=1)
    async with database.tenant(two_orgs[0]) as connection:
        assert len(await _names(connection)) == 1
    async with database.system() as connection:
        assert len(await _names(connection)) == 2
        assert await connection.scalar(text("SELECT current_setting('app.org', true)")) in (None, "")
    await database.close()


@pytest.mark.parametrize("table", [table.name for table in TENANT])
async def test_no_tenant_table_shows_foreign_rows_to_the_tenant_role(database: Database, table: str) -> None:
    """Tables the role may not read at all refuse; the others are empty for an organisation without rows."""
    async with database.tenant(uuid4()) as connection:
        allowed = await connection.scalar(
            text("SELECT has_table_privilege('signaldesk_app', CAST(:name AS text), 'SELECT')"),
            {"name": table},
        )
        if allowed:
            found = await connection.run_sync(lambda sync: _count(sync, table))
            assert found == 0


def _count(connection: Connection, table: str) -> int:
    return int(connection.execute(text(f'SELECT count(*) FROM "{table}"')).scalar_one())
