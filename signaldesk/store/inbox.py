"""One organisation's alerts for the Alerts page; `apps/data.py` says what each question means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from signaldesk import statements
from signaldesk.clock import from_us, to_us
from signaldesk.ids import of_event
from signaldesk.model.inbox import AlertDetail, AlertFilter, Choices, Inbox, Named, Place, Step
from signaldesk.model.overview import AlertLine, EventLine
from signaldesk.model.timeline import merged
from signaldesk.store import people
from signaldesk.store.alerts import AlertStore
from signaldesk.store.database import Database
from signaldesk.store.eventlog import EventRecord

HELD, MESSAGES, EVIDENCE, MEMBERS = 20, 50, 5, 500
"""Most rows of each that a page shows of one alert."""


Older = Callable[[UUID, Collection[UUID]], Awaitable[list[EventRecord]]]


class InboxQueries:
    """Each question is one transaction."""

    def __init__(self, *, database: Database, org_id: UUID, older: Older) -> None:
        """`older` finds events that have left PostgreSQL."""
        self._database = database
        self._org_id = org_id
        self._older = older
        self._alerts = AlertStore(database=database)
        self._sql = statements.named("postgres/inbox.sql")

    async def inbox(self, wanted: AlertFilter, limit: int, before: Place | None = None) -> Inbox:
        place = (from_us(before.at_us), before.id) if before else None
        found = await self._alerts.page(self._org_id, wanted, limit=limit + 1, before=place)
        rows, last = found[:limit], found[limit - 1] if len(found) > limit else None
        handlers = [row.acknowledged_by or row.resolved_by or row.assigned_to for row in rows]
        names = await people.names(self._database, handlers)
        counted = wanted._replace(states=("open", "acknowledged", "snoozed"))
        return Inbox(
            counts=await self._alerts.counts(self._org_id, counted),
            lines=tuple(
                _line(row, names.get(who, "") if who else "") for row, who in zip(rows, handlers, strict=True)
            ),
            next=Place(to_us(last.last_fired_at), last.id) if last else None,
        )

    async def choices(self) -> Choices:
        async with self._database.tenant(self._org_id) as connection:
            rules = await self._ask(connection, "rules", limit=MESSAGES)
            labels = await self._ask(connection, "labels", limit=MESSAGES)
            members = await self._ask(connection, "members", limit=MEMBERS)
        names = await people.names(self._database, (row.id for row in members))
        return Choices(
            rules=tuple(Named(row.id, row.name) for row in rules),
            labels=tuple(row.label for row in labels),
            members=tuple(sorted((Named(*one) for one in names.items()), key=lambda one: one.name.lower())),
        )

    async def detail(self, alert_id: UUID) -> AlertDetail | None:
        async with self._database.tenant(self._org_id) as connection:
            found = await self._ask(connection, "alert", id=alert_id)
            if not found:
                return None
            (alert,) = found
            latest = await self._ask(connection, "latest_firing", id=alert_id)
            messages = await self._ask(connection, "messages", id=alert_id, limit=MESSAGES)
            held = await self._ask(
                connection, "held", rule_id=alert.rule_id, group_key=alert.group_key, since=alert.opened_at,
                limit=HELD,
            )  # fmt: skip
            changes = await self._ask(connection, "changes", id=alert_id, limit=MESSAGES)
            named = latest[0].evidence if latest else ()
            ids = list(named)[-EVIDENCE:]
            events = await self._ask(connection, "evidence", ids=ids, limit=EVIDENCE) if ids else []
        if left := set(ids) - {row.id for row in events}:
            events += await self._older(self._org_id, left)
        acting = [alert.acknowledged_by, alert.assigned_to, *(row.user_id for row in changes)]
        acting += [UUID(row.detail["to"]) for row in changes if row.detail.get("to")]
        names = await people.names(self._database, acting)
        return AlertDetail(
            line=_line(alert, names.get(alert.acknowledged_by, "")),
            rule_id=alert.rule_id,
            rule_name=alert.rule_name,
            rule_version=alert.rule_version,
            runbook=alert.runbook,
            labels=alert.labels,
            event_id=alert.event_id,
            firings=alert.firings,
            assigned_to=alert.assigned_to,
            assignee=names.get(alert.assigned_to, ""),
            evidence=tuple(map(_event, events)),
            evidence_total=len(named),
            steps=_steps(alert, messages, held, changes, names),
        )

    async def _ask(self, connection: AsyncConnection, name: str, **values: Any) -> list[Any]:
        rows = await connection.execute(text(self._sql[name]), {"org_id": self._org_id, **values})
        return list(rows)


def _steps(
    alert: Any, messages: list[Any], held: list[Any], changes: list[Any], names: dict[UUID, str]
) -> tuple[Step, ...]:
    off = next((row.detail.get("switched_off", ()) for row in changes if row.kind == "opened"), ())
    event = str(of_event(alert.event_id) or "")
    steps = [Step(to_us(alert.opened_at), "opened", subject=", ".join(off), detail=event)]
    steps += [_told(row) for row in messages]
    steps += [
        Step(to_us(row.since), "held", subject=row.reason, number=row.count, until_us=to_us(row.until))
        for row in held
    ]
    steps += [_changed(row, names) for row in reversed(changes) if row.kind != "opened"]
    oldest_first = sorted(steps, key=lambda step: step.at_us)
    return tuple(reversed(merged(oldest_first, says=_says, join=_join)))


def _says(step: Step) -> tuple[str, str] | None:
    """Firings, and those that were held back for one reason, are told by their number."""
    return (step.kind, step.subject) if step.kind in ("fired", "held") else None


def _join(one: Step, next_: Step) -> Step:
    until = max(one.until_us or one.at_us, next_.until_us or next_.at_us)
    return replace(one, number=one.number + next_.number, until_us=until)


def _changed(row: Any, names: dict[UUID, str]) -> Step:
    if row.kind == "fired":
        return Step(to_us(row.at), "fired", number=row.count, until_us=to_us(row.until))
    detail = row.detail.get("text", "")
    if row.kind == "assigned":
        to = row.detail.get("to")
        detail = names.get(UUID(to), "somebody who left") if to else ""
    return Step(to_us(row.at), row.kind, subject=names.get(row.user_id, row.actor), detail=detail)


def _told(row: Any) -> Step:
    if row.number is None:
        return Step(to_us(row.created_at), "told", subject=row.channel, outcome="waiting")
    again = row.latest and row.status in ("pending", "retrying")
    return Step(
        to_us(row.started_at),
        "told",
        subject=row.channel,
        outcome=row.outcome,
        status=row.status_code,
        detail=row.error or "",
        number=row.number,
        ms=row.duration_ms,
        until_us=to_us(row.next_attempt_at) if again else None,
    )


def _line(row: Any, handled_by: str) -> AlertLine:
    return AlertLine(
        id=row.id,
        title=row.title,
        severity=row.severity,
        state=row.state,
        group=row.group,
        value=row.value,
        at_least=row.at_least,
        margin=row.margin,
        threshold=row.threshold,
        window_us=row.window,
        last_fired_us=to_us(row.last_fired_at),
        opened_us=to_us(row.opened_at),
        handled_by=handled_by,
    )


def _event(row: Any) -> EventLine:
    return EventLine(
        id=str(row.id),
        type=row.type,
        timestamp_us=to_us(row.timestamp),
        received_us=to_us(row.received_at),
        source=row.source,
        payload=row.payload,
    )
