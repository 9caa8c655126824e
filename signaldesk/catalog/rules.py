"""An organisation's rules: check, save as a new version, list, delete; tell the engine where in the order.

Every change appends a marker to the organisation's partition of the event stream: the engine changes its
rules at exactly that place, so the first event after saving is judged by the new version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from signaldesk import log
from signaldesk.catalog.targets import ensure_targets
from signaldesk.errors import NotFound, Unavailable
from signaldesk.ids import new_id
from signaldesk.model.outcome import RuleChange
from signaldesk.model.rule import Rule, SavedRule
from signaldesk.rules import document
from signaldesk.store import rules
from signaldesk.store.database import AsyncConnection, Database
from signaldesk.store.rules import StoredRule
from signaldesk.stream.events import EventStream

logger = log.get_logger(__name__)

Change = Literal["created", "updated", "unchanged"]


class RuleCatalog:
    """Rules of organisations. Every method takes the organisation first and works as that tenant."""

    def __init__(self, *, database: Database, stream: EventStream) -> None:
        self._database = database
        self._stream = stream

    async def all(self, org_id: UUID) -> list[StoredRule]:
        """The rules that are not deleted, by name."""
        async with self._database.tenant(org_id) as connection:
            return await rules.listed(connection, org_id)

    async def get(self, org_id: UUID, rule_id: UUID) -> StoredRule:
        """Raises NotFound, also for another organisation's rule."""
        async with self._database.tenant(org_id) as connection:
            return await rules.by_id(connection, org_id, rule_id)

    async def by_name(self, org_id: UUID, name: str) -> StoredRule:
        """Raises NotFound."""
        async with self._database.tenant(org_id) as connection:
            return await rules.by_name(connection, org_id, name)

    async def create(self, org_id: UUID, body: Any, *, by: UUID | None = None) -> StoredRule:
        """Save a new rule. Raises Invalid with every fault, Conflict when the name is taken."""
        rule = document.parse(body)
        async with self._database.tenant(org_id) as connection:
            created = await _add(connection, org_id, rule, by)
        await self.announce(org_id, [_change(org_id, created)])
        return created

    async def update(
        self, org_id: UUID, rule_id: UUID, body: Any, *, by: UUID | None = None
    ) -> tuple[StoredRule, Change]:
        """Save a new version, unless nothing changed. Raises Invalid, NotFound, Conflict."""
        rule = document.parse(body)
        async with self._database.tenant(org_id) as connection:
            before = await rules.by_id(connection, org_id, rule_id, lock=True)
            saved, change = await _replace(connection, before, org_id, rule, by)
        if change != "unchanged":
            await self.announce(org_id, [_change(org_id, saved)])
        return saved, change

    async def apply(
        self, org_id: UUID, bodies: list[Any], *, by: UUID | None = None, dry_run: bool = False
    ) -> list[tuple[StoredRule | Rule, Change]]:
        """Create or update rules by name, all of them or none. Raises Invalid with every fault of all rules.

        With `dry_run` nothing is written, and what would be created or updated comes back.
        """
        done: list[tuple[StoredRule | Rule, Change]] = []
        parsed = document.parse_all(bodies)
        async with self._database.tenant(org_id) as connection:
            for rule in parsed:
                done.append(await _apply(connection, org_id, rule, by, dry_run))
        changed = [
            _change(org_id, saved)
            for saved, change in done
            if isinstance(saved, StoredRule) and change != "unchanged"
        ]
        if changed:
            await self.announce(org_id, changed)
        return done

    async def delete(self, org_id: UUID, rule_id: UUID) -> None:
        """Stop judging a rule; its alerts and history stay. Raises NotFound."""
        async with self._database.tenant(org_id) as connection:
            await rules.remove(connection, org_id, rule_id)
        await self.announce(org_id, [RuleChange(org_id, rule_id, 0, 0)])

    async def versions(self, org_id: UUID, rule_id: UUID) -> list[dict[str, Any]]:
        """Every version with its body, fingerprint and author, newest first. Raises NotFound."""
        async with self._database.tenant(org_id) as connection:
            return await rules.versions(connection, org_id, rule_id)

    async def announce(self, org_id: UUID, changes: Sequence[RuleChange] = ()) -> None:
        """Put a marker into the stream; without `changes` it says that channels changed. Without Redis the
        processor finds the change by itself, in a second or two after Redis is back."""
        async with self._database.tenant(org_id) as connection:
            partition = await rules.partition_of(connection, org_id)
        try:
            await self._stream.mark(partition, org_id, list(changes))
        except Unavailable:
            logger.warning("rules changed, but the stream is away", org=str(org_id))


def _change(org_id: UUID, saved: StoredRule) -> RuleChange:
    return RuleChange(org_id, saved.id, saved.version, saved.since_version)


async def _apply(
    connection: AsyncConnection, org_id: UUID, rule: Rule, by: UUID | None, dry_run: bool
) -> tuple[StoredRule | Rule, Change]:
    try:
        before = await rules.by_name(connection, org_id, rule.name, lock=True)
    except NotFound:
        return (rule if dry_run else await _add(connection, org_id, rule, by)), "created"
    if dry_run:
        return rule, "unchanged" if before.body == rule.document() else "updated"
    return await _replace(connection, before, org_id, rule, by)


async def _add(connection: AsyncConnection, org_id: UUID, rule: Rule, by: UUID | None) -> StoredRule:
    await ensure_targets(connection, org_id, list(rule.notify))
    judged = document.fingerprint(rule)
    saved = SavedRule(org_id=org_id, id=new_id(), version=1, since_version=1, fingerprint=judged, rule=rule)
    return await rules.add(connection, saved, by)


async def _replace(
    connection: AsyncConnection, before: StoredRule, org_id: UUID, rule: Rule, by: UUID | None
) -> tuple[StoredRule, Change]:
    """The next version. Its windows go on from the version that introduced the condition, if that stays."""
    if before.body == rule.document():
        return before, "unchanged"
    await ensure_targets(connection, org_id, list(rule.notify))
    judged, version = document.fingerprint(rule), before.version + 1
    since = before.since_version if judged == before.fingerprint else version
    saved = SavedRule(
        org_id=org_id, id=before.id, version=version, since_version=since, fingerprint=judged, rule=rule
    )
    return await rules.replace(connection, saved, by), "updated"
