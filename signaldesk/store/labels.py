"""Known incidents, as people tell them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from signaldesk.errors import NotFound
from signaldesk.ids import new_id
from signaldesk.model.actor import Actor
from signaldesk.model.label import MOST, Label
from signaldesk.store.database import Database
from signaldesk.store.rules import hold
from signaldesk.store.tables import audit, labels


class LabelRecord(NamedTuple):
    """A label as stored."""

    id: UUID
    name: str
    starts_at: datetime
    ends_at: datetime
    group: dict[str, Any]
    comment: str
    created_by: UUID | None
    author: str
    created_at: datetime

    @property
    def label(self) -> Label:
        return Label(self.name, self.starts_at, self.ends_at, self.group, self.comment)


class Taken(NamedTuple):
    """How many labels of a file were taken, and how many were known before, or stand in it twice."""

    imported: int
    known: int


_COLUMNS = [labels.c[name] for name in LabelRecord._fields]


class LabelStore:
    """Every method takes the organisation first and works as that tenant; foreign ids raise NotFound."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def page(
        self,
        org_id: UUID,
        *,
        limit: int,
        since: datetime | None = None,
        until: datetime | None = None,
        before: tuple[datetime, UUID] | None = None,
    ) -> list[LabelRecord]:
        """Those that overlap [since, until), latest start first."""
        column = labels.c
        query = select(*_COLUMNS).where(column.org_id == org_id)
        if since is not None:
            query = query.where(column.ends_at > since)
        if until is not None:
            query = query.where(column.starts_at < until)
        if before is not None:
            query = query.where(tuple_(column.starts_at, column.id) < before)
        query = query.order_by(column.starts_at.desc(), column.id.desc()).limit(limit)
        async with self._database.tenant(org_id) as connection:
            return [LabelRecord(*row) for row in await connection.execute(query)]

    async def between(self, org_id: UUID, since: datetime | None, until: datetime | None) -> list[Label]:
        """All that overlap [since, until), up to as many as a file has, earliest first; None is no bound."""
        found = await self.page(org_id, limit=MOST, since=since, until=until)
        return [one.label for one in reversed(found)]

    async def get(self, org_id: UUID, label_id: UUID) -> LabelRecord:
        query = select(*_COLUMNS).where(labels.c.org_id == org_id, labels.c.id == label_id)
        async with self._database.tenant(org_id) as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound
        return LabelRecord(*row)

    async def add(self, org_id: UUID, draft: Label, *, by: Actor, at: datetime) -> LabelRecord:
        async with self._database.tenant(org_id) as connection:
            (made,) = await _add(connection, org_id, [draft], by, at)
        return made

    async def take(self, org_id: UUID, drafts: Sequence[Label], *, by: Actor, at: datetime) -> Taken:
        """Those of a file whose incidents are not there yet, all of them or none."""
        starts, column = [one.starts_at for one in drafts], labels.c
        near = column.starts_at.between(min(starts), max(starts))
        async with self._database.tenant(org_id) as connection:
            await hold(connection, org_id)
            rows = await connection.execute(select(*_COLUMNS).where(column.org_id == org_id, near))
            known = {LabelRecord(*row).label.incident for row in rows}
            new = {one.incident: one for one in reversed(drafts) if one.incident not in known}
            made = await _add(connection, org_id, [*reversed(new.values())], by, at) if new else []
        return Taken(len(made), len(drafts) - len(made))

    async def remove(self, org_id: UUID, label_id: UUID, *, by: Actor, at: datetime) -> None:
        query = delete(labels).where(labels.c.org_id == org_id, labels.c.id == label_id)
        async with self._database.tenant(org_id) as connection:
            if (await connection.execute(query)).rowcount == 0:
                raise NotFound
            await connection.execute(_noted(org_id, str(label_id), "deleted", by, at))


async def _add(
    connection: AsyncConnection, org_id: UUID, drafts: Sequence[Label], by: Actor, at: datetime
) -> list[LabelRecord]:
    made = [
        LabelRecord(new_id(), *draft[:3], dict(draft.group), draft.comment, by.user_id, by.name, at)
        for draft in drafts
    ]
    await connection.execute(insert(labels), [{"org_id": org_id, **one._asdict()} for one in made])
    subject = str(made[0].id) if len(made) == 1 else f"{len(made)} labels"
    await connection.execute(_noted(org_id, subject, "created", by, at))
    return made


def _noted(org_id: UUID, subject: str, what: str, by: Actor, at: datetime) -> Any:
    return insert(audit).values(
        id=new_id(),
        org_id=org_id,
        user_id=by.user_id,
        actor=by.name,
        action=f"label.{what}",
        subject=subject,
        at=at,
    )
