"""Alerts as people handle them: listed and changed, each change in the timeline. The engine opens them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Text as _TEXT
from sqlalchemy import func, insert, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from signaldesk.errors import Conflict, FieldError, Invalid, NotFound
from signaldesk.ids import new_id
from signaldesk.model.actor import Actor
from signaldesk.model.inbox import AlertFilter as AlertFilter
from signaldesk.store.database import Database
from signaldesk.store.tables import alert_changes, alerts, audit, memberships

STATES = ("open", "acknowledged", "snoozed", "resolved")


class AlertRecord(NamedTuple):
    """An alert as stored; `window` is in microseconds, 0 for a rule without one."""

    id: UUID
    rule_id: UUID
    rule_version: int
    lane: str
    group: dict[str, Any]
    title: str
    severity: str
    labels: dict[str, str]
    state: str
    event_id: UUID
    opened_at: datetime
    last_fired_at: datetime
    firings: int
    value: float
    at_least: bool
    margin: float | None
    threshold: float
    window: int
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None
    assigned_to: UUID | None
    snoozed_by: UUID | None
    snoozed_until: datetime | None
    snoozed_value: float | None
    snoozed_firings: int | None
    flapping: bool
    storm_id: UUID | None
    notified_at: datetime | None
    resolved_by: UUID | None
    resolved_at: datetime | None
    resolved_reason: str | None

    def news(self, at: datetime) -> dict[str, Any]:
        """What open pages hear when a person changed it at that time; the same as of the engine's changes."""
        return {
            "kind": "alert",
            "id": str(self.id),
            "state": self.state,
            "rule_id": str(self.rule_id),
            "title": self.title,
            "severity": self.severity,
            "group": self.group,
            "value": self.value,
            "at_least": self.at_least,
            "margin": self.margin,
            "threshold": self.threshold,
            "firings": self.firings,
            "at": at.isoformat(),
            "lane": self.lane,
        }


class Snooze(NamedTuple):
    """Quiet until a time, or until it grows: a value above this, more firings than this."""

    until: datetime | None = None
    value: float | None = None
    firings: int | None = None


_COLUMNS = [alerts.c[name] for name in AlertRecord._fields]
_AWAKE = {"snoozed_by": None, "snoozed_until": None, "snoozed_value": None, "snoozed_firings": None}

Changed = tuple[AlertRecord, bool]
"""An alert, and whether this changed it."""


class AlertStore:
    """Every method takes the organisation first and works as that tenant.

    Those that change an alert raise NotFound, also for another organisation's, and Conflict.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def page(
        self, org_id: UUID, wanted: AlertFilter, *, limit: int, before: tuple[datetime, UUID] | None = None
    ) -> list[AlertRecord]:
        """Newest firing first; `before` is the (last_fired_at, id) of the last one on the page before."""
        query = select(*_COLUMNS).where(alerts.c.org_id == org_id, *_conditions(wanted))
        if before is not None:
            query = query.where(tuple_(alerts.c.last_fired_at, alerts.c.id) < before)
        query = query.order_by(alerts.c.last_fired_at.desc(), alerts.c.id.desc()).limit(limit)
        async with self._database.tenant(org_id) as connection:
            return [AlertRecord(*row) for row in await connection.execute(query)]

    async def counts(self, org_id: UUID, wanted: AlertFilter) -> dict[str, int]:
        """How many there are in each state."""
        query = select(alerts.c.state, func.count()).where(alerts.c.org_id == org_id, *_conditions(wanted))
        async with self._database.tenant(org_id) as connection:
            return {row[0]: row[1] for row in await connection.execute(query.group_by(alerts.c.state))}

    async def get(self, org_id: UUID, alert_id: UUID) -> AlertRecord:
        """Raises NotFound, also for another organisation's alert."""
        async with self._database.tenant(org_id) as connection:
            return await _get(connection, org_id, alert_id)

    async def acknowledge(self, org_id: UUID, alert_id: UUID, *, by: Actor, at: datetime) -> Changed:
        """Somebody is on it. To acknowledge twice changes nothing."""
        async with self._database.tenant(org_id) as connection:
            alert = await _unresolved(connection, org_id, alert_id, "acknowledged")
            if alert.state == "acknowledged":
                return alert, False
            values = {"state": "acknowledged", "acknowledged_by": by.user_id, "acknowledged_at": at, **_AWAKE}
            return await _change(connection, org_id, alert_id, values, "acknowledged", by, at), True

    async def resolve(self, org_id: UUID, alert_id: UUID, *, by: Actor, at: datetime) -> Changed:
        """It is over. Its group's next firing opens a new one."""
        async with self._database.tenant(org_id) as connection:
            alert = await _get(connection, org_id, alert_id, lock=True)
            if alert.state == "resolved":
                return alert, False
            values = {"state": "resolved", "resolved_by": by.user_id, "resolved_at": at}
            values |= {"resolved_reason": "person", **_AWAKE}
            return await _change(connection, org_id, alert_id, values, "resolved", by, at), True

    async def reopen(self, org_id: UUID, alert_id: UUID, *, by: Actor, at: datetime) -> Changed:
        """It is not over after all, or nobody is on it any more. Conflict when its group has another one."""
        values = {"state": "open", "resolved_by": None, "resolved_at": None, "resolved_reason": None}
        values |= {"acknowledged_by": None, "acknowledged_at": None, **_AWAKE}
        try:
            async with self._database.tenant(org_id) as connection:
                alert = await _get(connection, org_id, alert_id, lock=True)
                if alert.state == "open":
                    return alert, False
                return await _change(connection, org_id, alert_id, values, "reopened", by, at), True
        except IntegrityError:
            raise Conflict("this alert's group has another alert that is not resolved; handle that") from None

    async def snooze(
        self, org_id: UUID, alert_id: UUID, snooze: Snooze | None, *, by: Actor, at: datetime
    ) -> Changed:
        """Tell nobody for a while; None: until it grows beyond what it is now."""
        async with self._database.tenant(org_id) as connection:
            alert = await _unresolved(connection, org_id, alert_id, "snoozed")
            quiet = snooze or Snooze(value=None if alert.at_least else alert.value, firings=2 * alert.firings)
            values: dict[str, Any] = {
                "state": "snoozed",
                "snoozed_by": by.user_id,
                "snoozed_until": quiet.until,
                "acknowledged_by": None,
                "acknowledged_at": None,
            }
            values |= {"snoozed_value": quiet.value, "snoozed_firings": quiet.firings}
            detail: dict[str, Any] = {
                "until": quiet.until.isoformat() if quiet.until else None,
                "value": quiet.value,
                "firings": quiet.firings,
            }
            detail = {name: value for name, value in detail.items() if value is not None}
            return await _change(connection, org_id, alert_id, values, "snoozed", by, at, detail), True

    async def unsnooze(self, org_id: UUID, alert_id: UUID, *, by: Actor, at: datetime) -> Changed:
        """End a snooze; what is not snoozed stays as it is."""
        async with self._database.tenant(org_id) as connection:
            alert = await _get(connection, org_id, alert_id, lock=True)
            if alert.state != "snoozed":
                return alert, False
            values = {"state": "open", **_AWAKE}
            return await _change(connection, org_id, alert_id, values, "woke", by, at), True

    async def assign(
        self, org_id: UUID, alert_id: UUID, to: UUID | None, *, by: Actor, at: datetime
    ) -> Changed:
        """Whose it is; nobody's for None. Raises Invalid for somebody who is no member."""
        async with self._database.tenant(org_id) as connection:
            if to is not None:
                member = select(memberships.c.user_id).where(
                    memberships.c.org_id == org_id, memberships.c.user_id == to
                )
                if (await connection.execute(member)).first() is None:
                    raise Invalid(errors=[FieldError("to", "nobody of this organisation has this id")])
            alert = await _get(connection, org_id, alert_id, lock=True)
            if alert.assigned_to == to:
                return alert, False
            detail = {"to": str(to) if to else None}
            values = {"assigned_to": to}
            return await _change(connection, org_id, alert_id, values, "assigned", by, at, detail), True

    async def comment(self, org_id: UUID, alert_id: UUID, text: str, *, by: Actor, at: datetime) -> Changed:
        """Say something about it."""
        async with self._database.tenant(org_id) as connection:
            alert = await _get(connection, org_id, alert_id, lock=True)
            await _note(connection, org_id, alert_id, "commented", by, at, {"text": text})
            return alert, True


def _conditions(wanted: AlertFilter) -> list[Any]:
    column = alerts.c
    found = [column.lane == wanted.lane, column.state.in_(wanted.states)]
    if wanted.rule_id is not None:
        found.append(column.rule_id == wanted.rule_id)
    if wanted.severities:
        found.append(column.severity.in_(wanted.severities))
    for name, value in wanted.labels:
        found.append(column.labels.has_key(name) if value is None else column.labels[name].astext == value)
    if wanted.assignee is not None:
        found.append(column.assigned_to == wanted.assignee)
    if wanted.unassigned:
        found.append(column.assigned_to.is_(None))
    if wanted.group is not None:
        found.append(column.group_key == wanted.group)
    for name, value in wanted.fields:
        field = column["group"]
        found.append(field.has_key(name) if value is None else field[name].astext == value)
    if wanted.since is not None:
        found.append(column.last_fired_at >= wanted.since)
    if wanted.until is not None:
        found.append(column.opened_at < wanted.until)
    for word in wanted.text.split():
        said = [column.title, column["group"].cast(_TEXT), column.labels.cast(_TEXT)]
        found.append(or_(*(text.icontains(word, autoescape=True) for text in said)))
    return found


async def _get(
    connection: AsyncConnection, org_id: UUID, alert_id: UUID, *, lock: bool = False
) -> AlertRecord:
    query = select(*_COLUMNS).where(alerts.c.org_id == org_id, alerts.c.id == alert_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFound
    return AlertRecord(*row)


async def _unresolved(connection: AsyncConnection, org_id: UUID, alert_id: UUID, becomes: str) -> AlertRecord:
    alert = await _get(connection, org_id, alert_id, lock=True)
    if alert.state == "resolved":
        raise Conflict(f"this alert is resolved; only one that is not can be {becomes}")
    return alert


async def _change(
    connection: AsyncConnection,
    org_id: UUID,
    alert_id: UUID,
    values: dict[str, Any],
    kind: str,
    by: Actor,
    at: datetime,
    detail: dict[str, Any] | None = None,
) -> AlertRecord:
    changed = await connection.execute(
        update(alerts).where(alerts.c.id == alert_id).values(**values).returning(*_COLUMNS)
    )
    alert = AlertRecord(*changed.one())
    await _note(connection, org_id, alert_id, kind, by, at, detail or {})
    return alert


async def _note(
    connection: AsyncConnection,
    org_id: UUID,
    alert_id: UUID,
    kind: str,
    by: Actor,
    at: datetime,
    detail: dict[str, Any],
) -> None:
    """Into the timeline, and into the audit trail."""
    who = {"org_id": org_id, "user_id": by.user_id, "actor": by.name, "at": at}
    await connection.execute(
        insert(alert_changes).values(
            id=new_id(), alert_id=alert_id, kind=kind, until=at, detail=detail, **who
        )
    )
    await connection.execute(
        insert(audit).values(
            id=new_id(), action=f"alert.{kind}", subject=str(alert_id), detail=detail, **who,
        )
    )  # fmt: skip
