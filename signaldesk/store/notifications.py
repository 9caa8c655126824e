"""Notifications and their attempts, as people read them; see `delivery` for how they are sent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, tuple_

from signaldesk.errors import NotFound
from signaldesk.store.database import Database
from signaldesk.store.tables import channels, delivery_attempts, notifications

STATUSES = ("pending", "retrying", "sent", "failed")


class Attempt(NamedTuple):
    """One try to send a message; `outcome` is `sent`, `retry` or `failed`."""

    number: int
    started_at: datetime
    duration_ms: float
    outcome: str
    status_code: int | None
    error: str | None
    response: str | None


class NotificationRecord(NamedTuple):
    """One message for one channel. `attempts` counts those that were made."""

    id: UUID
    alert_id: UUID | None
    channel_id: UUID
    channel: str
    kind: str
    status: str
    attempts: int
    message: dict[str, Any]
    next_attempt_at: datetime
    created_at: datetime
    sent_at: datetime | None
    last_error: str | None


_COLUMNS = (
    notifications.c.id,
    notifications.c.alert_id,
    notifications.c.channel_id,
    channels.c.name,
    channels.c.kind,
    notifications.c.status,
    notifications.c.attempts,
    notifications.c.message,
    notifications.c.next_attempt_at,
    notifications.c.created_at,
    notifications.c.sent_at,
    notifications.c.last_error,
)


class NotificationStore:
    """Every method takes the organisation first and works as that tenant."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def page(
        self,
        org_id: UUID,
        *,
        statuses: Sequence[str],
        limit: int,
        alert_id: UUID | None = None,
        channel_id: UUID | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: tuple[datetime, UUID] | None = None,
    ) -> list[NotificationRecord]:
        """Newest first, of those made in [since, until).

        `before` is the (created_at, id) of the last one on the page before.
        """
        query = _select().where(notifications.c.org_id == org_id, notifications.c.status.in_(statuses))
        if alert_id is not None:
            query = query.where(notifications.c.alert_id == alert_id)
        if channel_id is not None:
            query = query.where(notifications.c.channel_id == channel_id)
        if since is not None:
            query = query.where(notifications.c.created_at >= since)
        if until is not None:
            query = query.where(notifications.c.created_at < until)
        if before is not None:
            query = query.where(tuple_(notifications.c.created_at, notifications.c.id) < before)
        query = query.order_by(notifications.c.created_at.desc(), notifications.c.id.desc()).limit(limit)
        async with self._database.tenant(org_id) as connection:
            return [NotificationRecord(*row) for row in await connection.execute(query)]

    async def among(self, org_id: UUID, ids: Collection[UUID]) -> list[UUID]:
        """Those of these ids that are messages."""
        query = select(notifications.c.id).where(
            notifications.c.org_id == org_id, notifications.c.id.in_(ids)
        )
        async with self._database.tenant(org_id) as connection:
            return list((await connection.execute(query)).scalars())

    async def get(self, org_id: UUID, notification_id: UUID) -> tuple[NotificationRecord, list[Attempt]]:
        """The message and its attempts, first one first. Raises NotFound."""
        one = _select().where(notifications.c.org_id == org_id, notifications.c.id == notification_id)
        tries = (
            select(*(delivery_attempts.c[name] for name in Attempt._fields))
            .where(
                delivery_attempts.c.org_id == org_id, delivery_attempts.c.notification_id == notification_id
            )
            .order_by(delivery_attempts.c.number)
        )
        async with self._database.tenant(org_id) as connection:
            row = (await connection.execute(one)).one_or_none()
            if row is None:
                raise NotFound
            return NotificationRecord(*row), [Attempt(*one) for one in await connection.execute(tries)]


def _select() -> Any:
    return select(*_COLUMNS).join(channels, channels.c.id == notifications.c.channel_id)
