"""Organisations, channels and notifications in a database, for tests that need the rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update

from signaldesk.clock import from_us
from signaldesk.ids import new_id
from signaldesk.model.message import to_json
from signaldesk.store import tables as t
from signaldesk.store.database import Database
from tests.support.messages import NOW_US, firing_message


async def make_org(database: Database, slug: str = "acme") -> UUID:
    org_id = new_id()
    async with database.system() as connection:
        await connection.execute(insert(t.plans).values(name=f"plan-{slug}", limits={}))
        await connection.execute(
            insert(t.orgs).values(id=org_id, slug=slug, name=slug.title(), plan=f"plan-{slug}", partition=0)
        )
    return org_id


async def make_channel(
    database: Database, org_id: UUID, *, kind: str = "webhook", config: dict[str, Any], name: str = "hook"
) -> UUID:
    channel_id = new_id()
    async with database.system() as connection:
        await connection.execute(
            insert(t.channels).values(id=channel_id, org_id=org_id, name=name, kind=kind, config=config)
        )
    return channel_id


async def put_notifications(
    database: Database, org_id: UUID, channel_id: UUID, count: int = 1, *, due_us: int = NOW_US
) -> list[UUID]:
    """`count` pending notifications, due at `due_us`; their ids in order."""
    ids = [new_id() for _ in range(count)]
    message = to_json(firing_message(org_id=org_id))
    due = from_us(due_us)
    rows = [
        {
            "id": id,
            "org_id": org_id,
            "channel_id": channel_id,
            "message": message.replace(message[7:43], str(id), 1),
            "next_attempt_at": due,
        }
        for id in ids
    ]
    async with database.system() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO notifications (id, org_id, channel_id, message, next_attempt_at)"
            " VALUES (%(id)s, %(org_id)s, %(channel_id)s, %(message)s, %(next_attempt_at)s)",
            rows,
        )
    return ids


async def statuses(database: Database) -> dict[str, int]:
    """How many notifications have which status."""
    async with database.system() as connection:
        rows = await connection.execute(
            select(t.notifications.c.status, func.count()).group_by(t.notifications.c.status)
        )
        return {row[0]: row[1] for row in rows}


async def notification(database: Database, id: UUID) -> Any:
    async with database.system() as connection:
        return (await connection.execute(select(t.notifications).where(t.notifications.c.id == id))).one()


async def attempts(database: Database, id: UUID) -> Sequence[Any]:
    table = t.delivery_attempts
    async with database.system() as connection:
        query = select(table).where(table.c.notification_id == id).order_by(table.c.number)
        return (await connection.execute(query)).all()


async def channel(database: Database, id: UUID) -> Any:
    async with database.system() as connection:
        return (await connection.execute(select(t.channels).where(t.channels.c.id == id))).one()


async def change_channel(database: Database, id: UUID, **values: Any) -> None:
    async with database.system() as connection:
        await connection.execute(update(t.channels).where(t.channels.c.id == id).values(**values))


async def system_alerts(database: Database, org_id: UUID) -> Sequence[Any]:
    async with database.system() as connection:
        table = t.system_alerts
        return (await connection.execute(select(table).where(table.c.org_id == org_id))).all()


def at(us: int) -> datetime:
    return from_us(us)
