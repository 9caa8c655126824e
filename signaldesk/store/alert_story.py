"""The timeline of an alert: its changes, the attempts to tell people of it, and what was held back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text

from signaldesk import statements
from signaldesk.errors import NotFound
from signaldesk.model.timeline import merged
from signaldesk.store.database import Database
from signaldesk.store.tables.outcomes import CHANGES

MOST = 500
"""Most entries of each sort that a timeline shows, the latest ones."""

KINDS = (*CHANGES, "notified", "retrying", "notification_failed", "held")
"""What an entry may be: one of the changes, an attempt to tell people, or what was held back."""


class Entry(NamedTuple):
    """Something that happened, `times` times from `at` to `until`.

    `kind`: one of `KINDS`.
    """

    at: datetime
    until: datetime
    kind: str
    times: int
    user_id: UUID | None
    actor: str
    detail: dict[str, Any]


class AlertStory:
    """Works as the tenant that is asked for."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._sql = statements.named("postgres/alert_story.sql")

    async def switched_off(self, org_id: UUID, alert_id: UUID) -> list[str]:
        """Names of channels that would have been told when the alert opened, had they been switched on."""
        async with self._database.tenant(org_id) as connection:
            found = await connection.execute(
                text(self._sql["switched_off"]), {"org_id": org_id, "id": alert_id}
            )
            return next((row.names for row in found if row.names), [])

    async def timeline(self, org_id: UUID, alert_id: UUID, *, kinds: Collection[str] = KINDS) -> list[Entry]:
        """Entries of these kinds, oldest first. Raises NotFound."""
        values: dict[str, Any] = {"org_id": org_id, "id": alert_id, "most": MOST}
        async with self._database.tenant(org_id) as connection:
            found = (await connection.execute(text(self._sql["alert"]), values)).one_or_none()
            if found is None:
                raise NotFound
            rows: list[Any] = []
            for name in ("changes", "attempts"):
                rows += reversed(list(await connection.execute(text(self._sql[name]), values)))
            rows += await connection.execute(text(self._sql["held"]), {**values, **found._mapping})
        entries = sorted((Entry(*row) for row in rows), key=lambda entry: entry.at)
        return [one for one in merged(entries, says=_says, join=_join) if one.kind in kinds]


def _says(entry: Entry) -> tuple[Any, ...] | None:
    """Firings, and those that were held back for one reason, are told by their number."""
    return (entry.kind, *sorted(entry.detail.items())) if entry.kind in ("fired", "held") else None


def _join(one: Entry, next_: Entry) -> Entry:
    return one._replace(until=max(one.until, next_.until), times=one.times + next_.times)
