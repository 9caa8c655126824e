"""An organisation's rules: check, save as a new version, list, delete; tell the engine where in the order.

Every change appends a marker to the organisation's partition of the event stream: the engine changes its
rules at exactly that place, so the first event after saving is judged by the new version.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from signaldesk import log
from signaldesk.catalog import saving, switching
from signaldesk.catalog.changes import FieldChange, RuleChanged, compare
from signaldesk.catalog.merge_patch import merged
from signaldesk.catalog.switching import Action
from signaldesk.catalog.yaml_text import canonical
from signaldesk.clock import Clock
from signaldesk.errors import FieldError, Invalid, NotFound, PreconditionFailed, Unavailable
from signaldesk.model.actor import Actor
from signaldesk.model.outcome import RuleChange
from signaldesk.store import rule_versions
from signaldesk.store import rules as store
from signaldesk.store.database import AsyncConnection, Database
from signaldesk.store.rule_versions import RuleVersion
from signaldesk.store.rules import RuleFilter, StoredRule
from signaldesk.stream.events import EventStream

Expected = Collection[int] | None
"""Versions that a change was made for; None: whichever there is."""
Body = Callable[[StoredRule, AsyncConnection], Awaitable[Any]]
"""From the rule as it is to the document of its next version."""

logger = log.get_logger(__name__)


class RuleCatalog:
    """Rules of organisations. Every method takes the organisation first and works as that tenant."""

    def __init__(self, *, database: Database, stream: EventStream, clock: Clock) -> None:
        self._database = database
        self._stream = stream
        self._clock = clock

    # --- reading ---------------------------------------------------------------------------------------

    async def all(self, org_id: UUID) -> list[StoredRule]:
        """The rules that are not deleted, by name."""
        async with self._database.tenant(org_id) as connection:
            return await store.listed(connection, org_id)

    async def get(self, org_id: UUID, rule_id: UUID) -> StoredRule:
        """Raises NotFound, also for another organisation's rule."""
        async with self._database.tenant(org_id) as connection:
            return await store.by_id(connection, org_id, rule_id)

    async def page(
        self, org_id: UUID, wanted: RuleFilter, *, limit: int, after: str = ""
    ) -> list[StoredRule]:
        """Some of the rules, by name."""
        async with self._database.tenant(org_id) as connection:
            return await store.page(connection, org_id, wanted, limit=limit, after=after)

    async def versions(
        self, org_id: UUID, rule_id: UUID, *, limit: int = 500, before: int | None = None
    ) -> list[RuleVersion]:
        """Every version with its body, fingerprint and author, newest first. Raises NotFound."""
        async with self._database.tenant(org_id) as connection:
            await store.by_id(connection, org_id, rule_id)
            return await rule_versions.page(connection, org_id, rule_id, limit=limit, before=before)

    async def version(
        self, org_id: UUID, rule_id: UUID, version: int
    ) -> tuple[RuleVersion, list[FieldChange]]:
        """A version, and how it differs from the one before. Raises NotFound."""
        async with self._database.tenant(org_id) as connection:
            await store.by_id(connection, org_id, rule_id)
            found = await rule_versions.one(connection, org_id, rule_id, version)
            if version == 1:
                return found, []
            before = await rule_versions.one(connection, org_id, rule_id, version - 1)
            return found, compare(canonical(before.body), canonical(found.body))

    async def check(self, org_id: UUID, body: Any) -> RuleChanged:
        """What `apply` would make of this one rule. Raises Invalid with every fault."""
        async with self._writing(org_id) as connection:
            rule = await saving.checked(connection, org_id, body)
            (done,) = await saving.apply(connection, org_id, [rule], None, prune=False)
            await connection.rollback()
        return done

    # --- changing --------------------------------------------------------------------------------------

    async def create(self, org_id: UUID, body: Any, *, by: Actor | None = None) -> StoredRule:
        """Save a new rule. Raises Invalid with every fault, Conflict when the name is taken."""
        async with self._writing(org_id) as connection:
            rule = await saving.checked(connection, org_id, body)
            created = await saving.add(connection, org_id, rule, by)
        await self.announce(org_id, [_marker(org_id, created)])
        return created

    async def update(
        self, org_id: UUID, rule_id: UUID, body: Any, *, by: Actor | None = None, expected: Expected = None
    ) -> StoredRule:
        """Save a new version, unless nothing is different. `expected` are the versions it may replace.

        Raises Invalid with every fault, NotFound, Conflict, PreconditionFailed.
        """

        async def given(before: StoredRule, connection: AsyncConnection) -> Any:
            return body

        return await self._change(org_id, rule_id, given, by, expected)

    async def patch(
        self, org_id: UUID, rule_id: UUID, patch: Any, *, by: Actor | None = None, expected: Expected = None
    ) -> StoredRule:
        """The same with what is to be different, as a JSON Merge Patch (RFC 7396)."""
        if not isinstance(patch, dict):
            raise Invalid("a change is an object with the fields to be changed; null takes one away")

        async def patched(before: StoredRule, connection: AsyncConnection) -> Any:
            return merged(before.body, patch)

        return await self._change(org_id, rule_id, patched, by, expected)

    async def roll_back(
        self, org_id: UUID, rule_id: UUID, version: int, *, by: Actor | None = None, expected: Expected = None
    ) -> StoredRule:
        """Save a new version that equals an old one. Raises Invalid when there is no such version, or when it
        is not valid any more; NotFound, Conflict, PreconditionFailed."""

        async def old(before: StoredRule, connection: AsyncConnection) -> Any:
            try:
                return (await rule_versions.one(connection, org_id, rule_id, version)).body
            except NotFound:
                message = f"there is no version {version}; there are 1 to {before.version}"
                raise Invalid(message, errors=[FieldError("version", message)]) from None

        return await self._change(org_id, rule_id, old, by, expected)

    async def switch(
        self, org_id: UUID, action: Action, wanted: RuleFilter, *, by: Actor | None = None
    ) -> list[RuleChanged]:
        """Pause or resume rules, all of them or none. A rule resumes the mode that it had before.

        Raises Invalid when one of them cannot be saved any more.
        """
        async with self._writing(org_id) as connection:
            done = await switching.switch(connection, org_id, action, wanted, by)
        if markers := [_marker(org_id, one) for one in done if one.change != "unchanged"]:
            await self.announce(org_id, markers)
        return done

    async def apply(
        self,
        org_id: UUID,
        bodies: Sequence[Any],
        *,
        by: Actor | None = None,
        prune: bool = False,
        dry_run: bool = False,
    ) -> list[RuleChanged]:
        """Create or update rules by name, all of them or none; with `prune` delete all that are not given.

        With `dry_run` the very same is done, and undone. Raises Invalid with every fault of all rules.
        """
        async with self._writing(org_id) as connection:
            rules = await saving.all_checked(connection, org_id, bodies)
            done = await saving.apply(connection, org_id, rules, by, prune=prune)
            await saving.must_fit(connection, org_id)
            if dry_run:
                await connection.rollback()
        markers = [_marker(org_id, one) for one in done if one.change != "unchanged"]
        if markers and not dry_run:
            await self.announce(org_id, markers)
        return done

    async def delete(self, org_id: UUID, rule_id: UUID, *, expected: Expected = None) -> None:
        """Stop judging a rule; its alerts and history stay.

        Raises NotFound, PreconditionFailed, Conflict when a composite rule is made of it.
        """
        async with self._writing(org_id) as connection:
            _expect(await store.by_id(connection, org_id, rule_id), expected)
            await store.remove(connection, org_id, rule_id)
            await saving.must_fit(connection, org_id)
        await self.announce(org_id, [RuleChange(org_id, rule_id, 0, 0)])

    async def announce(self, org_id: UUID, changes: Sequence[RuleChange] = ()) -> None:
        """Put a marker into the stream; without `changes` it says that channels changed. Without Redis the
        processor finds the change by itself, in a second or two after Redis is back."""
        async with self._database.tenant(org_id) as connection:
            partition = await store.partition_of(connection, org_id)
        try:
            await self._stream.mark(partition, org_id, list(changes), at=self._clock.now_us())
        except Unavailable:
            logger.warning("rules changed, but the stream is away", org=str(org_id))

    async def _change(
        self, org_id: UUID, rule_id: UUID, body: Body, by: Actor | None, expected: Expected
    ) -> StoredRule:
        async with self._writing(org_id) as connection:
            before = await store.by_id(connection, org_id, rule_id)
            _expect(before, expected)
            rule = await saving.checked(connection, org_id, await body(before, connection))
            saved = await saving.replace(connection, before, org_id, rule, by)
            await saving.must_fit(connection, org_id)
        if saved != before:
            await self.announce(org_id, [_marker(org_id, saved)])
        return saved

    @asynccontextmanager
    async def _writing(self, org_id: UUID) -> AsyncIterator[AsyncConnection]:
        """A transaction that is the only one to change this organisation's rules."""
        async with self._database.tenant(org_id) as connection:
            await store.hold(connection, org_id)
            yield connection


def _expect(rule: StoredRule, expected: Expected) -> None:
    if expected is not None and rule.version not in expected:
        raise PreconditionFailed(
            f"this rule is at version {rule.version} now; read it again and repeat the change on that"
        )


def _marker(org_id: UUID, saved: StoredRule | RuleChanged) -> RuleChange:
    return RuleChange(org_id, saved.id, saved.version, saved.since_version)
