"""An organisation's rules: check, save as a new version, list, delete; tell the engine where in the order.

Every change appends a marker to the organisation's partition of the event stream: the engine changes its
rules at exactly that place, so the first event after saving is judged by the new version.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from signaldesk import log
from signaldesk.catalog.channels import ensure_targets
from signaldesk.errors import Conflict, FieldError, NotFound, Unavailable
from signaldesk.ids import new_id
from signaldesk.model.rule import Rule, SavedRule
from signaldesk.rules import document
from signaldesk.store.database import Database
from signaldesk.store.tables import orgs, rule_versions, rules
from signaldesk.stream.events import EventStream

logger = log.get_logger(__name__)


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


Change = Literal["created", "updated", "unchanged"]

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


class RuleCatalog:
    """Rules of organisations. Every method takes the organisation first and works as that tenant."""

    def __init__(self, *, database: Database, stream: EventStream) -> None:
        self._database = database
        self._stream = stream

    async def all(self, org_id: UUID) -> list[StoredRule]:
        """The rules that are not deleted, by name."""
        query = select(*_COLUMNS).select_from(_CURRENT).where(rules.c.org_id == org_id)
        async with self._database.tenant(org_id) as connection:
            found = await connection.execute(query.where(rules.c.deleted_at.is_(None)).order_by(rules.c.name))
            return [StoredRule(*row) for row in found]

    async def get(self, org_id: UUID, rule_id: UUID) -> StoredRule:
        """Raises NotFound, also for another organisation's rule."""
        async with self._database.tenant(org_id) as connection:
            return await _get(connection, org_id, rules.c.id == rule_id)

    async def by_name(self, org_id: UUID, name: str) -> StoredRule:
        """Raises NotFound."""
        async with self._database.tenant(org_id) as connection:
            return await _get(connection, org_id, rules.c.name == name)

    async def create(self, org_id: UUID, body: Any, *, by: UUID | None = None) -> StoredRule:
        """Save a new rule. Raises Invalid with every fault, Conflict when the name is taken."""
        rule = document.parse(body)
        async with self._database.tenant(org_id) as connection:
            created = await _insert(connection, org_id, rule, by)
        await self.announce(org_id)
        return created

    async def update(
        self, org_id: UUID, rule_id: UUID, body: Any, *, by: UUID | None = None
    ) -> tuple[StoredRule, Change]:
        """Save a new version, unless nothing changed. Raises Invalid, NotFound, Conflict."""
        rule = document.parse(body)
        async with self._database.tenant(org_id) as connection:
            before = await _get(connection, org_id, rules.c.id == rule_id, lock=True)
            saved, change = await _replace(connection, org_id, before, rule, by)
        if change != "unchanged":
            await self.announce(org_id)
        return saved, change

    async def apply(
        self, org_id: UUID, bodies: list[Any], *, by: UUID | None = None, dry_run: bool = False
    ) -> list[tuple[StoredRule | Rule, Change]]:
        """Create or update rules by name, all of them or none. Raises Invalid with every fault of all rules.

        With `dry_run` nothing is written, and what would be created or updated comes back.
        """
        parsed = document.parse_all(bodies)
        done: list[tuple[StoredRule | Rule, Change]] = []
        async with self._database.tenant(org_id) as connection:
            for rule in parsed:
                try:
                    before = await _get(connection, org_id, rules.c.name == rule.name, lock=True)
                except NotFound:
                    done.append((rule if dry_run else await _insert(connection, org_id, rule, by), "created"))
                    continue
                if dry_run:
                    done.append((rule, "unchanged" if before.body == rule.document() else "updated"))
                else:
                    done.append(await _replace(connection, org_id, before, rule, by))
        if not dry_run and any(change != "unchanged" for _, change in done):
            await self.announce(org_id)
        return done

    async def delete(self, org_id: UUID, rule_id: UUID) -> None:
        """Stop judging a rule; its alerts and history stay. Raises NotFound."""
        async with self._database.tenant(org_id) as connection:
            gone = await connection.execute(
                update(rules)
                .where(rules.c.org_id == org_id, rules.c.id == rule_id, rules.c.deleted_at.is_(None))
                .values(deleted_at=func.now(), updated_at=func.now())
            )
            if not gone.rowcount:
                raise NotFound
            await _count_change(connection, org_id)
        await self.announce(org_id)

    async def versions(self, org_id: UUID, rule_id: UUID) -> list[dict[str, Any]]:
        """Every version with its body, fingerprint and author, newest first. Raises NotFound."""
        columns = (
            rule_versions.c.version,
            rule_versions.c.fingerprint,
            rule_versions.c.body,
            rule_versions.c.created_at,
            rule_versions.c.created_by,
        )
        query = select(*columns).where(rule_versions.c.org_id == org_id, rule_versions.c.rule_id == rule_id)
        async with self._database.tenant(org_id) as connection:
            rows = (await connection.execute(query.order_by(rule_versions.c.version.desc()))).mappings().all()
        if not rows:
            raise NotFound
        return [dict(row) for row in rows]

    async def announce(self, org_id: UUID) -> None:
        """Put a marker into the stream. Without Redis the processor finds the change by itself, in a second
        or two after Redis is back."""
        async with self._database.tenant(org_id) as connection:
            partition = (
                await connection.execute(select(orgs.c.partition).where(orgs.c.id == org_id))
            ).scalar_one()
        try:
            await self._stream.mark(partition, org_id, {"rules": True})
        except Unavailable:
            logger.warning("rules changed, but the stream is away", org=str(org_id))


async def _get(connection: AsyncConnection, org_id: UUID, which: Any, *, lock: bool = False) -> StoredRule:
    query = select(*_COLUMNS).select_from(_CURRENT)
    query = query.where(rules.c.org_id == org_id, rules.c.deleted_at.is_(None), which)
    if lock:
        query = query.with_for_update(of=rules)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound
    return StoredRule(*row)


async def _insert(connection: AsyncConnection, org_id: UUID, rule: Rule, by: UUID | None) -> StoredRule:
    fingerprint = document.fingerprint(rule)
    saved = SavedRule(
        org_id=org_id, id=new_id(), version=1, since_version=1, fingerprint=fingerprint, rule=rule
    )
    await ensure_targets(connection, org_id, list(rule.notify))
    values = {"id": saved.id, "org_id": org_id, "name": rule.name, "version": 1, "since_version": 1}
    try:
        await connection.execute(insert(rules).values(**values, fingerprint=fingerprint))
    except IntegrityError as error:
        raise _taken(rule.name) from error
    await _store_version(connection, saved, by)
    return await _get(connection, org_id, rules.c.id == saved.id)


async def _replace(
    connection: AsyncConnection, org_id: UUID, before: StoredRule, rule: Rule, by: UUID | None
) -> tuple[StoredRule, Change]:
    if before.body == rule.document():
        return before, "unchanged"
    await ensure_targets(connection, org_id, list(rule.notify))
    fingerprint, version = document.fingerprint(rule), before.version + 1
    since = before.since_version if fingerprint == before.fingerprint else version
    saved = SavedRule(
        org_id=org_id, id=before.id, version=version, since_version=since, fingerprint=fingerprint, rule=rule
    )
    values = {"name": rule.name, "version": version, "since_version": since, "fingerprint": fingerprint}
    try:
        await connection.execute(
            update(rules).where(rules.c.id == before.id).values(**values, updated_at=func.now())
        )
    except IntegrityError as error:
        raise _taken(rule.name) from error
    await _store_version(connection, saved, by)
    return await _get(connection, org_id, rules.c.id == before.id), "updated"


async def _store_version(connection: AsyncConnection, saved: SavedRule, by: UUID | None) -> None:
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
    await _count_change(connection, saved.org_id)


async def _count_change(connection: AsyncConnection, org_id: UUID) -> None:
    """Lets the processor see a change whose marker never made it into the stream."""
    await connection.execute(
        update(orgs).where(orgs.c.id == org_id).values(rules_revision=orgs.c.rules_revision + 1)
    )


def _taken(name: str) -> Conflict:
    return Conflict(
        f"there is a rule named {name!r} already; update it, or choose another name",
        errors=[FieldError("name", "is taken")],
    )
