"""Alerts as people handle them: listed, acknowledged, resolved. The engine opens them; see `ledger`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from signaldesk.errors import Conflict, NotFound
from signaldesk.store.database import Database
from signaldesk.store.tables import alerts

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
    threshold: float
    window: int
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None
    resolved_by: UUID | None
    resolved_at: datetime | None


_COLUMNS = [alerts.c[name] for name in AlertRecord._fields]


class AlertStore:
    """Every method takes the organisation first and works as that tenant."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def page(
        self,
        org_id: UUID,
        *,
        states: Sequence[str],
        limit: int,
        lane: str = "",
        rule_id: UUID | None = None,
        before: tuple[datetime, UUID] | None = None,
    ) -> list[AlertRecord]:
        """Newest firing first; `before` is the (last_fired_at, id) of the last one on the page before."""
        place = tuple_(alerts.c.last_fired_at, alerts.c.id)
        query = select(*_COLUMNS).where(
            alerts.c.org_id == org_id, alerts.c.lane == lane, alerts.c.state.in_(states)
        )
        if rule_id is not None:
            query = query.where(alerts.c.rule_id == rule_id)
        if before is not None:
            query = query.where(place < before)
        query = query.order_by(alerts.c.last_fired_at.desc(), alerts.c.id.desc()).limit(limit)
        async with self._database.tenant(org_id) as connection:
            return [AlertRecord(*row) for row in await connection.execute(query)]

    async def get(self, org_id: UUID, alert_id: UUID) -> AlertRecord:
        """Raises NotFound, also for another organisation's alert."""
        async with self._database.tenant(org_id) as connection:
            return await _get(connection, org_id, alert_id)

    async def acknowledge(
        self, org_id: UUID, alert_id: UUID, *, by: UUID | None, at: datetime
    ) -> tuple[AlertRecord, bool]:
        """(the alert, whether this changed it). To acknowledge twice changes nothing.

        Raises NotFound; Conflict for a resolved alert.
        """
        values = {"state": "acknowledged", "acknowledged_by": by, "acknowledged_at": at}
        async with self._database.tenant(org_id) as connection:
            alert = await _get(connection, org_id, alert_id, lock=True)
            if alert.state == "resolved":
                raise Conflict("this alert is resolved; only an open one can be acknowledged")
            if alert.state == "acknowledged":
                return alert, False
            return await _set(connection, alert_id, values), True

    async def resolve(
        self, org_id: UUID, alert_id: UUID, *, by: UUID | None, at: datetime
    ) -> tuple[AlertRecord, bool]:
        """(the alert, whether this changed it). Its group's next firing opens a new one. Raises NotFound."""
        values = {"state": "resolved", "resolved_by": by, "resolved_at": at}
        async with self._database.tenant(org_id) as connection:
            alert = await _get(connection, org_id, alert_id, lock=True)
            if alert.state == "resolved":
                return alert, False
            return await _set(connection, alert_id, values), True


async def _get(
    connection: AsyncConnection, org_id: UUID, alert_id: UUID, *, lock: bool = False
) -> AlertRecord:
    query = select(*_COLUMNS).where(alerts.c.org_id == org_id, alerts.c.id == alert_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFound
    return AlertRecord(*row)


async def _set(connection: AsyncConnection, alert_id: UUID, values: dict[str, Any]) -> AlertRecord:
    changed = await connection.execute(
        update(alerts).where(alerts.c.id == alert_id).values(**values).returning(*_COLUMNS)
    )
    return AlertRecord(*changed.one())
