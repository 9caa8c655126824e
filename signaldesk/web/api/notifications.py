"""Notifications: every message, and every attempt to deliver it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from signaldesk.store.notifications import STATUSES, Attempt, NotificationRecord
from signaldesk.web import paging
from signaldesk.web.api.shapes import Shape
from signaldesk.web.call import Answer, Call


class NotificationOut(Shape):
    """One message for one channel. `attempts` counts the tries that were made."""

    id: UUID
    alert_id: UUID | None
    channel_id: UUID
    channel: str
    kind: str
    status: str
    attempts: int
    title: str
    summary: str
    next_attempt_at: datetime | None
    created_at: datetime
    sent_at: datetime | None
    last_error: str | None


class AttemptOut(Shape):
    """One try; `outcome` is `sent`, `retry` or `failed`."""

    number: int
    started_at: datetime
    duration_ms: float
    outcome: str
    status_code: int | None
    error: str | None
    response: str | None


class NotificationDetail(NotificationOut):
    """A message with its content and all attempts."""

    message: dict[str, Any]
    tries: list[AttemptOut]


async def list_notifications(call: Call) -> Answer:
    limit = call.limit()
    found = await call.services.notifications.page(
        call.org_id,
        statuses=call.choice("status", STATUSES, STATUSES),
        limit=limit + 1,
        alert_id=call.uuid("alert_id"),
        channel_id=call.uuid("channel_id"),
        since=call.moment("from"),
        until=call.moment("to"),
        before=call.cursor(),
    )
    return Answer(paging.page(found, limit, _out, lambda one: (one.created_at, one.id)))


async def get_notification(call: Call) -> NotificationDetail:
    found, tries = await call.services.notifications.get(call.org_id, call.id)
    return NotificationDetail(
        **_shown(found), message=found.message, tries=[_attempt(attempt) for attempt in tries]
    )


def _out(found: NotificationRecord) -> NotificationOut:
    return NotificationOut(**_shown(found))


def _shown(found: NotificationRecord) -> dict[str, Any]:
    values = found._asdict()
    message = values.pop("message")
    if found.status not in ("pending", "retrying"):
        values["next_attempt_at"] = None
    return {**values, "title": message.get("title", ""), "summary": message.get("summary", "")}


def _attempt(attempt: Attempt) -> AttemptOut:
    return AttemptOut(**attempt._asdict())
