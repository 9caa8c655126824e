"""The versions of rules: each is written once and never changed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from signaldesk.errors import NotFound
from signaldesk.model.rule import Mode
from signaldesk.store.tables import rule_activations, rule_versions


class RuleVersion(NamedTuple):
    """One version of a rule, as people wrote it."""

    version: int
    fingerprint: str
    body: dict[str, Any]
    created_at: datetime
    created_by: UUID | None
    author: str
    """Who wrote it, by name: a person, an API key, somebody at the command line; empty: nobody knows."""


_TABLE = rule_versions.c
_COLUMNS = tuple(_TABLE[name] for name in RuleVersion._fields)


async def page(
    connection: AsyncConnection, org_id: UUID, rule_id: UUID, *, limit: int, before: int | None = None
) -> list[RuleVersion]:
    """Versions below `before`, newest first."""
    query = select(*_COLUMNS).where(_TABLE.org_id == org_id, _TABLE.rule_id == rule_id)
    if before is not None:
        query = query.where(_TABLE.version < before)
    rows = await connection.execute(query.order_by(_TABLE.version.desc()).limit(limit))
    return [RuleVersion(*row) for row in rows]


async def one(connection: AsyncConnection, org_id: UUID, rule_id: UUID, version: int) -> RuleVersion:
    """Raises NotFound."""
    query = select(*_COLUMNS).where(
        _TABLE.org_id == org_id, _TABLE.rule_id == rule_id, _TABLE.version == version
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound
    return RuleVersion(*row)


class Activation(NamedTuple):
    """From where on the engine judged by a condition."""

    since_version: int
    """The version that introduced it."""
    begun: int
    """Time of the change, µs."""
    position: int
    """Its place in the stream: events after it were judged."""
    failed_at: datetime | None
    """Since when it is not judged by any more, because it failed then."""
    error: str | None


async def activations(connection: AsyncConnection, org_id: UUID, rule_id: UUID) -> list[Activation]:
    """Newest first."""
    columns = [rule_activations.c[name] for name in Activation._fields]
    query = select(*columns).where(rule_activations.c.org_id == org_id, rule_activations.c.rule_id == rule_id)
    rows = await connection.execute(query.order_by(rule_activations.c.since_version.desc()))
    return [Activation(*row) for row in rows]


async def modes_before_pause(
    connection: AsyncConnection, org_id: UUID, rule_ids: Collection[UUID]
) -> dict[UUID, str]:
    """The mode of each rule's latest version that was not paused; rules that always were are missing."""
    mode = _TABLE.body["mode"].astext
    query = select(_TABLE.rule_id, mode).where(_TABLE.org_id == org_id, _TABLE.rule_id.in_(rule_ids))
    query = query.where(mode.is_distinct_from(Mode.PAUSED.value)).ext(distinct_on(_TABLE.rule_id))
    rows = await connection.execute(query.order_by(_TABLE.rule_id, _TABLE.version.desc()))
    return {rule_id: found or Mode.LIVE.value for rule_id, found in rows}
