"""Silences and maintenance windows, as people make them; the engine asks them when an alert would be told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, insert, select, tuple_, update

from signaldesk.errors import NotFound
from signaldesk.ids import new_id
from signaldesk.model import silence
from signaldesk.model.actor import Actor
from signaldesk.model.silence import KINDS, Matcher
from signaldesk.store.database import Database
from signaldesk.store.tables import alerts, audit, rule_versions, rules, silences


class SilenceDraft(NamedTuple):
    """What people say of one. `hours` as JSON: it comes again in these hours of the week."""

    kind: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    comment: str
    hours: dict[str, Any] | None = None


class SilenceRecord(NamedTuple):
    """A silence as stored. `matchers` are [name, operator, value]."""

    id: UUID
    kind: str
    matchers: list[list[str]]
    starts_at: datetime
    ends_at: datetime
    comment: str
    created_by: UUID | None
    author: str
    created_at: datetime
    updated_at: datetime
    hours: dict[str, Any] | None


class Match(NamedTuple):
    """A rule, or an alert that is not resolved, that matchers fit."""

    id: UUID
    name: str
    severity: str
    group: dict[str, Any]


class Matches(NamedTuple):
    alerts: list[Match]
    rules: list[Match]


_COLUMNS = [silences.c[name] for name in SilenceRecord._fields]


class SilenceStore:
    """Every method takes the organisation first and works as that tenant; foreign ids raise NotFound."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def page(
        self,
        org_id: UUID,
        *,
        states: Sequence[str],
        kinds: Sequence[str] = KINDS,
        now: datetime,
        limit: int,
        before: tuple[datetime, UUID] | None = None,
    ) -> list[SilenceRecord]:
        """Latest end first. `states`: `active`, `pending`, `expired`."""
        column = silences.c
        query = select(*_COLUMNS).where(column.org_id == org_id, column.kind.in_(kinds))
        conditions = {
            "active": (column.starts_at <= now) & (column.ends_at > now),
            "pending": column.starts_at > now,
            "expired": column.ends_at <= now,
        }
        wanted = [conditions[state] for state in states]
        anyone = wanted[0]
        for one in wanted[1:]:
            anyone = anyone | one
        query = query.where(anyone)
        if before is not None:
            query = query.where(tuple_(column.ends_at, column.id) < before)
        query = query.order_by(column.ends_at.desc(), column.id.desc()).limit(limit)
        async with self._database.tenant(org_id) as connection:
            return [SilenceRecord(*row) for row in await connection.execute(query)]

    async def get(self, org_id: UUID, silence_id: UUID) -> SilenceRecord:
        query = select(*_COLUMNS).where(silences.c.org_id == org_id, silences.c.id == silence_id)
        async with self._database.tenant(org_id) as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound
        return SilenceRecord(*row)

    async def create(self, org_id: UUID, draft: SilenceDraft, *, by: Actor, at: datetime) -> SilenceRecord:
        row: dict[str, Any] = {"id": new_id(), "org_id": org_id, "created_by": by.user_id, "author": by.name}
        row |= {"created_at": at, "updated_at": at, **draft._asdict()}
        async with self._database.tenant(org_id) as connection:
            made = await connection.execute(insert(silences).values(**row).returning(*_COLUMNS))
            found = SilenceRecord(*made.one())
            await connection.execute(_noted(org_id, found.id, "created", by, at))
            return found

    async def change(
        self, org_id: UUID, silence_id: UUID, values: dict[str, Any], *, by: Actor, at: datetime
    ) -> SilenceRecord:
        """Set some of its columns."""
        query = update(silences).where(silences.c.org_id == org_id, silences.c.id == silence_id)
        async with self._database.tenant(org_id) as connection:
            made = await connection.execute(query.values(**values, updated_at=at).returning(*_COLUMNS))
            row = made.one_or_none()
            if row is None:
                raise NotFound
            await connection.execute(_noted(org_id, silence_id, "changed", by, at))
            return SilenceRecord(*row)

    async def remove(self, org_id: UUID, silence_id: UUID, *, by: Actor, at: datetime) -> None:
        query = delete(silences).where(silences.c.org_id == org_id, silences.c.id == silence_id)
        async with self._database.tenant(org_id) as connection:
            if (await connection.execute(query)).rowcount == 0:
                raise NotFound
            await connection.execute(_noted(org_id, silence_id, "deleted", by, at))

    async def matching(self, org_id: UUID, matchers: Sequence[Matcher]) -> Matches:
        """The rules that matchers fit (whatever their groups), and the live alerts that are not resolved."""
        (found,) = await self.matching_each(org_id, [matchers])
        return found

    async def matching_each(self, org_id: UUID, every: Sequence[Sequence[Matcher]]) -> list[Matches]:
        """The same for several lists of matchers at once."""
        a, r, v = alerts.c, rules.c, rule_versions.c
        open_ = select(a.id, a.title, a.severity, a.labels, a.group).where(
            a.org_id == org_id, a.lane == "", a.state != "resolved"
        )
        saved = select(r.id, r.name, v.body).where(
            r.org_id == org_id, r.deleted_at.is_(None), v.rule_id == r.id, v.version == r.version
        )
        async with self._database.tenant(org_id) as connection:
            found = (await connection.execute(open_)).all()
            known = (await connection.execute(saved)).all()
        return [_matches(matchers, found, known) for matchers in every]


def _matches(matchers: Sequence[Matcher], found: Sequence[Any], known: Sequence[Any]) -> Matches:
    """Among alerts (id, title, severity, labels, group) and rules (id, name, body)."""
    matches = Matches([], [])
    for id_, title, severity, labels, group in found:
        subject = silence.subject(rule=title, severity=severity, labels=labels, group=group)
        if silence.fit(matchers, subject):
            matches.alerts.append(Match(id_, title, severity, group))
    for id_, name, body in known:
        severity, labels = body.get("severity", "warning"), body.get("labels", {})
        by = body.get("by", ())
        grouped = {by} if isinstance(by, str) else set(by)
        about_rule = [one for one in matchers if one.name not in grouped or one.name in labels]
        subject = silence.subject(rule=name, severity=severity, labels=labels, group={})
        if silence.fit(about_rule, subject):
            matches.rules.append(Match(id_, name, severity, {}))
    return matches


def _noted(org_id: UUID, silence_id: UUID, what: str, by: Actor, at: datetime) -> Any:
    return insert(audit).values(
        id=new_id(),
        org_id=org_id,
        user_id=by.user_id,
        actor=by.name,
        action=f"silence.{what}",
        subject=str(silence_id),
        at=at,
    )
