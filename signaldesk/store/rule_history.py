"""What came of one rule: its firings, what was held back, and how its groups stand. The engine writes it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, select, text, tuple_

from signaldesk import statements
from signaldesk.store import rules
from signaldesk.store.database import Database
from signaldesk.store.rules import StoredRule
from signaldesk.store.tables import firings, suppressions


class Wanted(NamedTuple):
    """Which rows: those of one lane, of one group (its text), in a range of event time [since, until)."""

    lane: str = ""
    group: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class FiringRecord(NamedTuple):
    """A firing as stored."""

    id: UUID
    rule_version: int
    lane: str
    group: dict[str, Any]
    alert_id: UUID | None
    event_id: UUID
    timestamp: datetime
    value: float
    at_least: bool
    margin: float | None
    threshold: float
    window_from: datetime
    window_to: datetime
    evidence: list[UUID]
    shadow: bool


class SuppressionRecord(NamedTuple):
    """Firings of a group (`times`) that one reason held back, between `since` and `until`."""

    lane: str
    group: dict[str, Any]
    reason: str
    since: datetime
    until: datetime
    times: int
    first_event: UUID
    last_event: UUID
    silence_id: UUID | None


class GroupState(NamedTuple):
    """How one group stands: its latest firing, what was held back last, its alert that is not resolved."""

    group_key: str
    group: dict[str, Any]
    last_fired_at: datetime | None
    value: float | None
    at_least: bool | None
    margin: float | None
    threshold: float | None
    window_from: datetime | None
    window_to: datetime | None
    held_reason: str | None
    held_at: datetime | None
    held_count: int | None
    alert_id: UUID | None
    alert_state: str | None
    alert_opened_at: datetime | None
    alert_firings: int | None


class RuleState(NamedTuple):
    """A rule, the version that the engine judges by (None: it has not come to it yet), and its groups."""

    rule: StoredRule
    live_version: int | None
    late: int
    """Events that came too late for the present condition."""
    groups: list[GroupState]


class RuleHistory:
    """Every method takes the organisation first, works as that tenant, raises NotFound for foreign rules."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._sql = statements.named("postgres/rule_state.sql")

    async def firings(
        self,
        org_id: UUID,
        rule_id: UUID,
        wanted: Wanted,
        *,
        limit: int,
        before: tuple[datetime, UUID] | None = None,
    ) -> list[FiringRecord]:
        """Newest first; `before` is the (timestamp, id) of the last one on the page before."""
        table = firings.c
        query = select(*(table[name] for name in FiringRecord._fields))
        query = _narrowed(query, table, org_id, rule_id, wanted, table.timestamp, table.timestamp)
        if before is not None:
            query = query.where(tuple_(table.timestamp, table.id) < before)
        query = query.order_by(table.timestamp.desc(), table.id.desc()).limit(limit)
        async with self._database.tenant(org_id) as connection:
            await rules.by_id(connection, org_id, rule_id)
            return [FiringRecord(*row) for row in await connection.execute(query)]

    async def suppressions(
        self,
        org_id: UUID,
        rule_id: UUID,
        wanted: Wanted,
        *,
        reasons: Collection[str],
        limit: int,
        before: tuple[datetime, UUID] | None = None,
    ) -> list[SuppressionRecord]:
        """Latest first; `before` is the (until, last_event) of the last one on the page before."""
        table = suppressions.c
        names = (
            "lane",
            "group",
            "reason",
            "since",
            "until",
            "count",
            "first_event",
            "last_event",
            "silence_id",
        )
        query = select(*(table[name] for name in names))
        query = _narrowed(query, table, org_id, rule_id, wanted, table.until, table.since)
        query = query.where(table.reason.in_(reasons))
        if before is not None:
            query = query.where(tuple_(table.until, table.last_event) < before)
        query = query.order_by(table.until.desc(), table.last_event.desc()).limit(limit)
        async with self._database.tenant(org_id) as connection:
            await rules.by_id(connection, org_id, rule_id)
            return [SuppressionRecord(*row) for row in await connection.execute(query)]

    async def state(
        self, org_id: UUID, rule_id: UUID, *, lane: str = "", limit: int, after: str = ""
    ) -> RuleState:
        """The groups that ever fired or were held back, by the text of the group, after `after`."""
        async with self._database.tenant(org_id) as connection:
            rule = await rules.by_id(connection, org_id, rule_id)
            values: dict[str, Any] = {"org_id": org_id, "rule_id": rule_id}

            async def ask(name: str, **more: Any) -> Any:
                return await connection.execute(text(self._sql[name]), {**values, **more})

            groups = await ask("groups", lane=lane, limit=limit, after=after)
            late = await ask("late", since_version=rule.since_version)
            live = await ask("live_version")
            return RuleState(rule, live.scalar_one(), late.scalar_one(), [GroupState(*row) for row in groups])


def _narrowed(
    query: Select[Any], table: Any, org_id: UUID, rule_id: UUID, wanted: Wanted, last: Any, first: Any
) -> Select[Any]:
    """Rows whose stretch from `first` to `last` touches the wanted range."""
    query = query.where(table.org_id == org_id, table.rule_id == rule_id, table.lane == wanted.lane)
    if wanted.group is not None:
        query = query.where(table.group_key == wanted.group)
    if wanted.since is not None:
        query = query.where(last >= wanted.since)
    if wanted.until is not None:
        query = query.where(first < wanted.until)
    return query
