"""Rules and their versions: what the catalog reads and writes, inside a tenant's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Insert, Update, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from signaldesk.errors import Conflict, FieldError, NotFound
from signaldesk.model.actor import Actor
from signaldesk.model.rule import Mode, Rule, SavedRule
from signaldesk.store.tables import orgs, rule_activations, rule_versions, rules


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
    failed_at: datetime | None = None
    """Since when its condition is not judged any more, because it failed then."""
    error: str | None = None
    """What happened then."""


class RuleFilter(NamedTuple):
    """Which rules: all that every given part agrees with. A label without a value asks for its presence."""

    ids: Collection[UUID] = ()
    labels: Sequence[tuple[str, str | None]] = ()
    modes: Collection[str] = ()
    severities: Collection[str] = ()
    kinds: Collection[str] = ()
    text: str = ""
    """Part of the name, the description or the event types, in any case."""


ALL = 1_000_000
"""More rules than an organisation has."""
_COLUMNS = (
    rules.c.id,
    rules.c.name,
    rules.c.version,
    rules.c.since_version,
    rules.c.fingerprint,
    rule_versions.c.body,
    rules.c.created_at,
    rules.c.updated_at,
    rule_activations.c.failed_at,
    rule_activations.c.error,
)
_CURRENT = rules.join(
    rule_versions, (rule_versions.c.rule_id == rules.c.id) & (rule_versions.c.version == rules.c.version)
).outerjoin(
    rule_activations,
    (rule_activations.c.rule_id == rules.c.id) & (rule_activations.c.since_version == rules.c.since_version),
)


async def hold(connection: AsyncConnection, org_id: UUID) -> None:
    """Until the transaction ends, nobody else changes rules or imports labels of this organisation.

    Writers who lock rules one by one, each in an order of their own, would wait for each other for ever.
    """
    await connection.execute(select(orgs.c.id).where(orgs.c.id == org_id).with_for_update(key_share=True))


async def listed(connection: AsyncConnection, org_id: UUID) -> list[StoredRule]:
    """The rules that are not deleted, by name."""
    query = select(*_COLUMNS).select_from(_CURRENT)
    query = query.where(rules.c.org_id == org_id, rules.c.deleted_at.is_(None))
    return [_stored(row) for row in await connection.execute(query.order_by(rules.c.name))]


async def page(
    connection: AsyncConnection, org_id: UUID, wanted: RuleFilter, *, limit: int, after: str = ""
) -> list[StoredRule]:
    """The rules among them whose names come after `after`, by name."""
    body = rule_versions.c.body
    query = select(*_COLUMNS).select_from(_CURRENT)
    query = query.where(rules.c.org_id == org_id, rules.c.deleted_at.is_(None), rules.c.name > after)
    if wanted.ids:
        query = query.where(rules.c.id.in_(wanted.ids))
    for name, value in wanted.labels:
        label = body["labels"]
        query = query.where(label.has_key(name) if value is None else label[name].astext == value)
    if wanted.modes:
        query = query.where(func.coalesce(body["mode"].astext, Mode.LIVE.value).in_(wanted.modes))
    if wanted.severities:
        default = Rule.model_fields["severity"].default
        query = query.where(func.coalesce(body["severity"].astext, default).in_(wanted.severities))
    if wanted.kinds:
        query = query.where(body["when"]["kind"].astext.in_(wanted.kinds))
    if wanted.text:
        texts = func.concat_ws(" ", rules.c.name, body["description"].astext, body["event"].astext)
        query = query.where(texts.icontains(wanted.text, autoescape=True))
    found = await connection.execute(query.order_by(rules.c.name).limit(limit))
    return [_stored(row) for row in found]


async def by_id(connection: AsyncConnection, org_id: UUID, rule_id: UUID) -> StoredRule:
    """Raises NotFound, also for another organisation's rule."""
    query = select(*_COLUMNS).select_from(_CURRENT)
    query = query.where(rules.c.org_id == org_id, rules.c.deleted_at.is_(None), rules.c.id == rule_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound
    return _stored(row)


def _stored(row: Sequence[Any]) -> StoredRule:
    return StoredRule(*row)


async def add(connection: AsyncConnection, saved: SavedRule, by: Actor | None) -> StoredRule:
    """Store a new rule with its first version. Raises Conflict when its name is taken."""
    values = {"id": saved.id, "org_id": saved.org_id, **_changing(saved)}
    return await _written(connection, insert(rules).values(**values), saved, by)


async def replace(connection: AsyncConnection, saved: SavedRule, by: Actor | None) -> StoredRule:
    """Store the next version of a rule. Raises Conflict when its new name is taken."""
    values = {**_changing(saved), "updated_at": func.now()}
    return await _written(connection, update(rules).where(rules.c.id == saved.id).values(**values), saved, by)


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


async def partition_of(connection: AsyncConnection, org_id: UUID) -> int:
    """The partition of the stream that an organisation's events go to."""
    found = await connection.execute(select(orgs.c.partition).where(orgs.c.id == org_id))
    return int(found.scalar_one())


async def count_change(connection: AsyncConnection, org_id: UUID) -> None:
    """Lets the processor see a change whose marker never made it into the stream."""
    await connection.execute(
        update(orgs).where(orgs.c.id == org_id).values(rules_revision=orgs.c.rules_revision + 1)
    )


async def _written(
    connection: AsyncConnection, statement: Insert | Update, saved: SavedRule, by: Actor | None
) -> StoredRule:
    """Write the rule and its version; the rule as it is stored now."""
    body = saved.rule.document()
    try:
        times = (await connection.execute(statement.returning(rules.c.created_at, rules.c.updated_at))).one()
    except IntegrityError as error:
        raise _taken(saved.rule.name) from error
    await connection.execute(
        insert(rule_versions).values(
            org_id=saved.org_id,
            rule_id=saved.id,
            version=saved.version,
            fingerprint=saved.fingerprint,
            body=body,
            created_by=by.user_id if by else None,
            author=by.name if by else "",
        )
    )
    await count_change(connection, saved.org_id)
    changing = (saved.rule.name, saved.version, saved.since_version, saved.fingerprint)
    return StoredRule(saved.id, *changing, body, *times)


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
