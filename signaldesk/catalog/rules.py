"""An organisation's rules: check, save as a new version, list, delete; tell the engine where in the order.

Every change appends a marker to the organisation's partition of the event stream: the engine changes its
rules at exactly that place, so the first event after saving is judged by the new version.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from signaldesk import log
from signaldesk.catalog import saving
from signaldesk.catalog.changes import RuleChanged
from signaldesk.errors import Unavailable
from signaldesk.model.outcome import RuleChange
from signaldesk.store import rules as store
from signaldesk.store.database import AsyncConnection, Database
from signaldesk.store.rules import StoredRule
from signaldesk.stream.events import EventStream

logger = log.get_logger(__name__)


class RuleCatalog:
    """Rules of organisations. Every method takes the organisation first and works as that tenant."""

    def __init__(self, *, database: Database, stream: EventStream) -> None:
        self._database = database
        self._stream = stream

    # --- reading ---------------------------------------------------------------------------------------

    async def all(self, org_id: UUID) -> list[StoredRule]:
        """The rules that are not deleted, by name."""
        async with self._database.tenant(org_id) as connection:
            return await store.listed(connection, org_id)

    async def get(self, org_id: UUID, rule_id: UUID) -> StoredRule:
        """Raises NotFound, also for another organisation's rule."""
        async with self._database.tenant(org_id) as connection:
            return await store.by_id(connection, org_id, rule_id)

    async def versions(self, org_id: UUID, rule_id: UUID) -> list[dict[str, Any]]:
        """Every version with its body, fingerprint and author, newest first. Raises NotFound."""
        async with self._database.tenant(org_id) as connection:
            return await store.versions(connection, org_id, rule_id)

    # --- changing --------------------------------------------------------------------------------------

    async def create(self, org_id: UUID, body: Any, *, by: UUID | None = None) -> StoredRule:
        """Save a new rule. Raises Invalid with every fault, Conflict when the name is taken."""
        async with self._writing(org_id) as connection:
            rule = await saving.checked(connection, org_id, body)
            created = await saving.add(connection, org_id, rule, by)
        await self.announce(org_id, [_marker(org_id, created)])
        return created

    async def update(
        self, org_id: UUID, rule_id: UUID, body: Any, *, by: UUID | None = None
    ) -> tuple[StoredRule, bool]:
        """(the rule, whether it changed): a new version, unless nothing is different.

        Raises Invalid with every fault, NotFound, Conflict.
        """
        async with self._writing(org_id) as connection:
            before = await store.by_id(connection, org_id, rule_id)
            rule = await saving.checked(connection, org_id, body)
            saved = await saving.replace(connection, before, org_id, rule, by)
        if saved != before:
            await self.announce(org_id, [_marker(org_id, saved)])
        return saved, saved != before

    async def apply(
        self,
        org_id: UUID,
        bodies: Sequence[Any],
        *,
        by: UUID | None = None,
        prune: bool = False,
        dry_run: bool = False,
    ) -> list[RuleChanged]:
        """Create or update rules by name, all of them or none; with `prune` delete all that are not given.

        With `dry_run` the very same is done, and undone. Raises Invalid with every fault of all rules.
        """
        async with self._writing(org_id) as connection:
            rules = await saving.all_checked(connection, org_id, bodies)
            done = await saving.apply(connection, org_id, rules, by, prune=prune)
            if dry_run:
                await connection.rollback()
        markers = [_marker(org_id, one) for one in done if one.change != "unchanged"]
        if markers and not dry_run:
            await self.announce(org_id, markers)
        return done

    async def delete(self, org_id: UUID, rule_id: UUID) -> None:
        """Stop judging a rule; its alerts and history stay. Raises NotFound."""
        async with self._writing(org_id) as connection:
            await store.remove(connection, org_id, rule_id)
        await self.announce(org_id, [RuleChange(org_id, rule_id, 0, 0)])

    async def announce(self, org_id: UUID, changes: Sequence[RuleChange] = ()) -> None:
        """Put a marker into the stream; without `changes` it says that channels changed. Without Redis the
        processor finds the change by itself, in a second or two after Redis is back."""
        async with self._database.tenant(org_id) as connection:
            partition = await store.partition_of(connection, org_id)
        try:
            await self._stream.mark(partition, org_id, list(changes))
        except Unavailable:
            logger.warning("rules changed, but the stream is away", org=str(org_id))

    @asynccontextmanager
    async def _writing(self, org_id: UUID) -> AsyncIterator[AsyncConnection]:
        """A transaction that is the only one to change this organisation's rules."""
        async with self._database.tenant(org_id) as connection:
            await store.hold(connection, org_id)
            yield connection


def _marker(org_id: UUID, saved: StoredRule | RuleChanged) -> RuleChange:
    return RuleChange(org_id, saved.id, saved.version, saved.since_version)
