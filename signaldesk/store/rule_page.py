"""One organisation's rules for their page; `apps/data.py` says what each question means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from signaldesk import statements
from signaldesk.clock import from_us, to_us
from signaldesk.errors import NotFound
from signaldesk.model.rule_page import DAYS, SLICES, RuleDetail, RuleLine, RuleLines, RuleWanted, VersionLine
from signaldesk.store import channels, people, rule_versions
from signaldesk.store import rules as store
from signaldesk.store.database import AsyncConnection, Database
from signaldesk.store.eventlog import EventLog
from signaldesk.store.rule_versions import RuleVersion
from signaldesk.store.rules import RuleFilter, StoredRule

VERSIONS = 30
LABELS = 200
OFFERED, OFFERED_FIELDS = 200, 12
MOST_TYPES, SAMPLE = 5, 50
"""Event types, and events of each, that are looked at for fields."""


class RulePageQueries:
    """Works as the organisation that it is made for."""

    def __init__(self, *, database: Database, org_id: UUID) -> None:
        self._database = database
        self._org_id = org_id
        self._sql = statements.named("postgres/rule_page.sql")

    async def listed(self, wanted: RuleWanted, now_us: int, limit: int, after: str = "") -> RuleLines:
        parts = RuleFilter(
            labels=[wanted.label] if wanted.label else [], modes=wanted.modes,
            severities=wanted.severities, kinds=wanted.kinds, text=wanted.text,
        )  # fmt: skip
        async with self._database.tenant(self._org_id) as connection:
            found = await store.page(connection, self._org_id, parts, limit=limit + 1, after=after)
            lines = await self._lines(connection, found[:limit], now_us)
            total = await connection.scalar(text(self._sql["total"]), {"org_id": self._org_id})
        return RuleLines(lines, found[limit - 1].name if len(found) > limit else "", total or 0)

    async def detail(self, rule_id: UUID, now_us: int) -> RuleDetail | None:
        async with self._database.tenant(self._org_id) as connection:
            try:
                rule = await store.by_id(connection, self._org_id, rule_id)
            except NotFound:
                return None
            (line,) = await self._lines(connection, [rule], now_us)
            found = await rule_versions.page(connection, self._org_id, rule_id, limit=VERSIONS)
        authors = await people.names(self._database, (one.created_by for one in found))
        versions = tuple(
            VersionLine(one.version, to_us(one.created_at), _author(one, authors), one.body) for one in found
        )
        return RuleDetail(line, versions)

    async def labels(self) -> tuple[str, ...]:
        async with self._database.tenant(self._org_id) as connection:
            values = {"org_id": self._org_id, "limit": LABELS}
            return tuple(await connection.scalars(text(self._sql["labels"]), values))

    async def types(self, now_us: int) -> tuple[str, ...]:
        since = from_us(now_us) - timedelta(days=30)
        found = await EventLog(database=self._database).types(self._org_id, since=since, limit=OFFERED)
        return tuple(one.type for one in found)

    async def fields(self, types: Sequence[str], now_us: int) -> tuple[str, ...]:
        log = EventLog(database=self._database)
        seen: Counter[str] = Counter()
        for one in types[:MOST_TYPES]:
            for event in await log.page(self._org_id, limit=SAMPLE, type=one, until=from_us(now_us)):
                seen.update(_paths(event.payload))
        return tuple(
            name for name, _ in sorted(seen.items(), key=lambda pair: (-pair[1], pair[0]))[:OFFERED_FIELDS]
        )

    async def names(self) -> tuple[str, ...]:
        async with self._database.tenant(self._org_id) as connection:
            values = {"org_id": self._org_id, "limit": OFFERED_FIELDS}
            return tuple(await connection.scalars(text(self._sql["rule_names"]), values))

    async def channels(self) -> tuple[str, ...]:
        async with self._database.tenant(self._org_id) as connection:
            return tuple(sorted(await channels.names(connection, self._org_id)))

    async def _lines(
        self, connection: AsyncConnection, found: Sequence[StoredRule], now_us: int
    ) -> tuple[RuleLine, ...]:
        now = from_us(now_us)
        since = now - timedelta(days=DAYS)
        values = {
            "org_id": self._org_id, "ids": [rule.id for rule in found], "since": since, "slices": SLICES,
            "day": now - timedelta(days=1), "from_s": since.timestamp(), "to_s": now.timestamp(),
        }  # fmt: skip
        rows = await connection.execute(text(self._sql["figures"]), values)
        figures = {row.id: row for row in rows}
        return tuple(_line(rule, figures[rule.id]) for rule in found)


def _paths(payload: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The fields of a payload that hold one value each."""
    for name, value in payload.items():
        if isinstance(value, dict) and not above:
            yield from _paths(value, f"{name}.")
        elif not isinstance(value, dict | list):
            yield f"{above}{name}"


def _author(version: RuleVersion, names: Mapping[UUID, str]) -> str:
    """As people are called now, if they are still there."""
    now = names.get(version.created_by) if version.created_by else None
    return now or version.author or "somebody"


def _line(rule: StoredRule, row: Any) -> RuleLine:
    slices = row.slices or {}
    return RuleLine(
        id=rule.id,
        name=rule.name,
        version=rule.version,
        body=rule.body,
        updated_us=to_us(rule.updated_at),
        failed_us=to_us(rule.failed_at) if rule.failed_at else None,
        error=rule.error or "",
        last_fired_us=to_us(row.last_fired_at) if row.last_fired_at else None,
        fired=row.fired,
        slices=tuple(slices.get(str(number), 0) for number in range(1, SLICES + 1)),
        late=row.late,
        open_alerts=row.open_alerts,
    )
