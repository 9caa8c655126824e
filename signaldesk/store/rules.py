"""Rules and their versions: what the catalog reads and writes, inside a tenant's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from signaldesk.errors import Conflict, FieldError, NotFound
from signaldesk.model.rule import SavedRule
from signaldesk.store.tables import orgs, rule_versions, rules


class StoredRule(NamedTuple):
    """A rule with its identity and its document, as people wrote it."""

    id: UUID
    name: str
    version: int
    since_version: int
    fingerprint: str
    body: dict[str, Any]
    created_at: datetime
    updated_at: datetime


_COLUMNS = (
    rules.c.id,
    rules.c.name,
    rules.c.version,
    rules.c.since_version,
    rules.c.fingerprint,
    rule_versions.c.body,
    rules.c.created_at,
    rules.c.updated_at,
)
_CURRENT = rules.join(
    rule_versions, (rule_versions.c.rule_id == rules.c.id) & (rule_versions.c.version == rules.c.version)
)


async def hold(connection: AsyncConnection, org_id: UUID) -> None:
    """Until the transaction ends, nobody else changes rules of this organisation.

    Writers who lock rules one by one, each in an order of their own, would wait for each other for ever.
    """
    await connection.execute(select(orgs.c.id).where(orgs.c.id == org_id).with_for_update(key_share=True))


async def listed(connection: AsyncConnection, org_id: UUID) -> list[StoredRule]:
    """The rules that are not deleted, by name."""
    query = select(*_COLUMNS).select_from(_CURRENT)
    query = query.where(rules.c.org_id == org_id, rules.c.deleted_at.is_(None))
    return [StoredRule(*row) for row in await connection.execute(query.order_by(rules.c.name))]


async def by_id(connection: AsyncConnection, org_id: UUID, rule_id: UUID) -> StoredRule:
    """Raises NotFound, also for another organisation's rule."""
    query = select(*_COLUMNS).select_from(_CURRENT)
    query = query.where(rules.c.org_id == org_id, rules.c.deleted_at.is_(None), rules.c.id == rule_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound
    return StoredRule(*row)


async def add(connection: AsyncConnection, saved: SavedRule, by: UUID | None) -> StoredRule:
    """Store a new rule with its first version. Raises Conflict when its name is taken."""
    values = {"id": saved.id, "org_id": saved.org_id, **_changing(saved)}
    try:
        await connection.execute(insert(rules).values(**values))
    except IntegrityError as error:
        raise _taken(saved.rule.name) from error
    await _add_version(connection, saved, by)
    return await by_id(connection, saved.org_id, saved.id)


async def replace(connection: AsyncConnection, saved: SavedRule, by: UUID | None) -> StoredRule:
    """Store the next version of a rule. Raises Conflict when its new name is taken."""
    values = {**_changing(saved), "updated_at": func.now()}
    try:
        await connection.execute(update(rules).where(rules.c.id == saved.id).values(**values))
    except IntegrityError as error:
        raise _taken(saved.rule.name) from error
    await _add_version(connection, saved, by)
    return await by_id(connection, saved.org_id, saved.id)


async def remove(connection: AsyncConnection, org_id: UUID, rule_id: UUID) -> None:
    """Mark a rule as deleted; what it led to stays. Raises NotFound."""
    gone = await connection.execute(
        update(rules)
        .where(rules.c.org_id == org_id, rules.c.id == rule_id, rules.c.deleted_at.is_(None))
        .values(deleted_at=func.now(), updated_at=func.now())
    )
    if not gone.rowcount:
        raise NotFound
    await count_change(connection, org_id)


async def versions(connection: AsyncConnection, org_id: UUID, rule_id: UUID) -> list[dict[str, Any]]:
    """Every version with its body, fingerprint and author, newest first. Raises NotFound."""
    table = rule_versions.c
    columns = (table.version, table.fingerprint, table.body, table.created_at, table.created_by)
    query = select(*columns).where(table.org_id == org_id, table.rule_id == rule_id)
    rows = (await connection.execute(query.order_by(table.version.desc()))).mappings().all()
    if not rows:
        raise NotFound
    return [dict(row) for row in rows]


async def partition_of(connection: AsyncConnection, org_id: UUID) -> int:
    """The partition of the stream that an organisation's events go to."""
    found = await connection.execute(select(orgs.c.partition).where(orgs.c.id == org_id))
    return int(found.scalar_one())


async def count_change(connection: AsyncConnection, org_id: UUID) -> None:
    """Lets the processor see a change whose marker never made it into the stream."""
    await connection.execute(
        update(orgs).where(orgs.c.id == org_id).values(rules_revision=orgs.c.rules_revision + 1)
    )


async def _add_version(connection: AsyncConnection, saved: SavedRule, by: UUID | None) -> None:
    await connection.execute(
        insert(rule_versions).values(
            org_id=saved.org_id,
            rule_id=saved.id,
            version=saved.version,
            fingerprint=saved.fingerprint,
            body=saved.rule.document(),
            created_by=by,
        )
    )
    await count_change(connection, saved.org_id)


def _changing(saved: SavedRule) -> dict[str, Any]:
    return {
        "name": saved.rule.name,
        "version": saved.version,
        "since_version": saved.since_version,
        "fingerprint": saved.fingerprint,
    }


def _taken(name: str) -> Conflict:
    return Conflict(
        f"there is a rule named {name!r} already; update it, or choose another name",
        errors=[FieldError("name", "is taken")],
    )
