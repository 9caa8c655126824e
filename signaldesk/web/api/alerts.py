"""Alerts: what people handle."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from signaldesk.clock import MICROS
from signaldesk.store.alerts import STATES, AlertRecord
from signaldesk.web import paging
from signaldesk.web.api.shapes import Page, Shape
from signaldesk.web.call import Answer, Call


class AlertOut(Shape):
    """An alert: one open one per rule and group. `at_least` says that `value` is a lower bound."""

    id: UUID
    rule_id: UUID
    rule_version: int
    title: str
    severity: str
    state: str
    group: dict[str, Any]
    labels: dict[str, str]
    value: float
    at_least: bool
    threshold: float
    window_seconds: float
    event_id: UUID
    opened_at: datetime
    last_fired_at: datetime
    firings: int
    replay: str | None
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None
    resolved_by: UUID | None
    resolved_at: datetime | None


async def list_alerts(call: Call) -> Answer:
    limit = call.limit()
    found = await call.services.alerts.page(
        call.org_id,
        states=call.choice("state", STATES, ("open", "acknowledged", "snoozed")),
        limit=limit + 1,
        lane=call.one("replay") or "",
        rule_id=call.uuid("rule_id"),
        before=call.cursor(),
    )
    return Answer(paging.page(found, limit, _out, lambda alert: (alert.last_fired_at, alert.id)))


async def get_alert(call: Call) -> AlertOut:
    return _out(await call.services.alerts.get(call.org_id, call.id))


async def acknowledge(call: Call) -> AlertOut:
    alert, changed = await call.services.alerts.acknowledge(
        call.org_id, call.id, by=call.principal.user_id, at=call.now
    )
    return await _told(call, alert, changed)


async def resolve(call: Call) -> AlertOut:
    alert, changed = await call.services.alerts.resolve(
        call.org_id, call.id, by=call.principal.user_id, at=call.now
    )
    return await _told(call, alert, changed)


async def _told(call: Call, alert: AlertRecord, changed: bool) -> AlertOut:
    """Open pages hear of a change that a person made, as they do of the engine's."""
    if changed:
        await call.tell(
            {
                "kind": "alert",
                "id": str(alert.id),
                "state": alert.state,
                "rule_id": str(alert.rule_id),
                "title": alert.title,
                "severity": alert.severity,
                "group": alert.group,
                "value": alert.value,
                "at_least": alert.at_least,
                "threshold": alert.threshold,
                "firings": alert.firings,
                "at": call.now.isoformat(),
                "lane": alert.lane,
            }
        )
    return _out(alert)


def _out(alert: AlertRecord) -> AlertOut:
    values = alert._asdict()
    lane, window = values.pop("lane"), values.pop("window")
    return AlertOut(**values, replay=lane or None, window_seconds=window / MICROS)


__all__ = ["AlertOut", "Page", "acknowledge", "get_alert", "list_alerts", "resolve"]
