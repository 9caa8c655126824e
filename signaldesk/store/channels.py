"""Channels: what the catalog reads and writes, inside a tenant's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from signaldesk.errors import Conflict, FieldError, NotFound
from signaldesk.ids import new_id
from signaldesk.store.tables import channels, orgs, rule_versions, rules, system_alerts


class StoredChannel(NamedTuple):
    """A channel as it is stored; `config` holds its secrets."""

    id: UUID
    name: str
    kind: str
    config: dict[str, Any]
    enabled: bool
    disabled_reason: str | None
    failures: int
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime


class ChannelFilter(NamedTuple):
    """Which channels: all that every given part agrees with."""

    kinds: Collection[str] = ()
    enabled: bool | None = None
    text: str = ""
    """Part of the name, in any case."""


_COLUMNS = tuple(channels.c[name] for name in StoredChannel._fields)
_USES = text("coalesce(rule_versions.body -> 'notify', '[]') @> to_jsonb(CAST(:name AS text))")


async def listed(connection: AsyncConnection, org_id: UUID) -> list[StoredChannel]:
    """Every channel, by name."""
    query = select(*_COLUMNS).where(channels.c.org_id == org_id).order_by(channels.c.name)
    return [StoredChannel(*row) for row in await connection.execute(query)]


async def page(
    connection: AsyncConnection, org_id: UUID, wanted: ChannelFilter, *, limit: int, after: str = ""
) -> list[StoredChannel]:
    """The channels among them whose names come after `after`, by name."""
    query = select(*_COLUMNS).where(channels.c.org_id == org_id, channels.c.name > after)
    if wanted.kinds:
        query = query.where(channels.c.kind.in_(wanted.kinds))
    if wanted.enabled is not None:
        query = query.where(channels.c.enabled == wanted.enabled)
    if wanted.text:
        query = query.where(channels.c.name.icontains(wanted.text, autoescape=True))
    return [
        StoredChannel(*row) for row in await connection.execute(query.order_by(channels.c.name).limit(limit))
    ]


async def by_id(
    connection: AsyncConnection, org_id: UUID, channel_id: UUID, *, lock: bool = False
) -> StoredChannel:
    """Raises NotFound, also for another organisation's channel. `lock` holds off other writers."""
    query = select(*_COLUMNS).where(channels.c.org_id == org_id, channels.c.id == channel_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFound
    return StoredChannel(*row)


async def ids_by_name(connection: AsyncConnection, org_id: UUID, names: Iterable[str]) -> dict[str, UUID]:
    """The ids of the channels among these names that there are."""
    query = select(channels.c.name, channels.c.id)
    rows = await connection.execute(
        query.where(channels.c.org_id == org_id, channels.c.name.in_(list(names)))
    )
    return {name: id for name, id in rows}  # noqa: C416  rows are no pairs to a type checker


async def names(connection: AsyncConnection, org_id: UUID) -> list[str]:
    """The names of every channel."""
    rows = await connection.execute(select(channels.c.name).where(channels.c.org_id == org_id))
    return list(rows.scalars())


async def add(
    connection: AsyncConnection, org_id: UUID, *, name: str, kind: str, config: dict[str, Any]
) -> UUID | None:
    """The id of a new channel; None when the name is taken."""
    values = {"id": new_id(), "org_id": org_id, "name": name, "kind": kind, "config": config}
    statement = insert(channels).values(**values).on_conflict_do_nothing().returning(channels.c.id)
    found: UUID | None = (await connection.execute(statement)).scalar_one_or_none()
    return found


async def change(connection: AsyncConnection, org_id: UUID, channel_id: UUID, **values: Any) -> None:
    """Write these columns. Raises Conflict when the new name is taken."""
    where = (channels.c.org_id == org_id, channels.c.id == channel_id)
    try:
        await connection.execute(update(channels).where(*where).values(**values, updated_at=func.now()))
    except IntegrityError as error:
        raise taken(values["name"]) from error


async def resolve_warning(connection: AsyncConnection, org_id: UUID, channel_id: UUID) -> None:
    """The warning that the channel was switched off has been heeded."""
    alert = system_alerts.c
    await connection.execute(
        update(system_alerts)
        .where(alert.org_id == org_id, alert.kind == "channel_disabled", alert.subject == str(channel_id))
        .where(alert.resolved_at.is_(None))
        .values(resolved_at=func.now())
    )


async def remove(connection: AsyncConnection, org_id: UUID, channel_id: UUID) -> None:
    """Delete the channel and every message for it."""
    await connection.execute(delete(channels).where(channels.c.org_id == org_id, channels.c.id == channel_id))


async def used_by(connection: AsyncConnection, org_id: UUID, name: str) -> list[str]:
    """The names of the rules that notify the channel of that name."""
    current = (rule_versions.c.rule_id == rules.c.id) & (rule_versions.c.version == rules.c.version)
    query = select(rules.c.name).join(rule_versions, current).order_by(rules.c.name)
    query = query.where(rules.c.org_id == org_id, rules.c.deleted_at.is_(None), _USES)
    return list((await connection.execute(query, {"name": name})).scalars())


async def org_name(connection: AsyncConnection, org_id: UUID) -> str:
    """What the organisation is called. Raises NotFound."""
    found = (await connection.execute(select(orgs.c.name).where(orgs.c.id == org_id))).scalar_one_or_none()
    if found is None:
        raise NotFound
    return str(found)


def taken(name: str) -> Conflict:
    """The error for a name that another channel has."""
    return Conflict(
        f"there is a channel named {name!r} already; choose another name",
        errors=[FieldError("name", "is taken")],
    )
