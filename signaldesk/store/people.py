"""Names of people who act in an organisation."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from signaldesk.store.database import Database
from signaldesk.store.tables import users


async def names(database: Database, ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Name, or else e-mail, by id; the ids must come from an organisation's own rows."""
    wanted = {one for one in ids if one is not None}
    if not wanted:
        return {}
    query = select(users.c.id, users.c.name, users.c.email).where(users.c.id.in_(wanted))
    async with database.system() as connection:
        return {row.id: row.name or row.email for row in await connection.execute(query)}
