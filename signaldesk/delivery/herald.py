"""Tells open pages what became of notifications. They are told or they are not: nothing waits for it."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from signaldesk.channels.kinds import Publish
from signaldesk.clock import iso
from signaldesk.delivery.ending import heed
from signaldesk.errors import Unavailable
from signaldesk.log import get_logger
from signaldesk.model.delivery import Settled, SwitchedOff

log = get_logger(__name__)

WAITING_MAX = 2000
"""Most untold news; more are dropped, because old news help nobody."""


class Herald:
    """Publishes in its own time, so that a slow Redis slows no delivery and no writing down."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._waiting: asyncio.Queue[tuple[UUID, dict[str, Any]]] = asyncio.Queue(WAITING_MAX)

    def tell(self, org_id: UUID, message: dict[str, Any]) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait((org_id, message))

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            heed()
            org_id, message = await self._waiting.get()
            try:
                await self._publish(org_id, message)
            except Unavailable as error:
                log.debug("nobody could be told", error=error.detail)
            except Exception:
                log.exception("telling went wrong", org=str(org_id))


def result(settled: Settled) -> dict[str, Any]:
    """What open pages are told about an attempt."""
    claimed, attempt = settled.claimed, settled.attempt
    return {
        "kind": "notification",
        "id": str(claimed.id),
        "alert_id": str(claimed.alert_id) if claimed.alert_id else None,
        "channel_id": str(claimed.channel_id),
        "channel": claimed.channel,
        "via": claimed.kind,
        "status": settled.status,
        "attempts": claimed.number,
        "error": attempt.error,
        "at": iso(attempt.started_us),
    }


def switched_off(channel: SwitchedOff) -> dict[str, Any]:
    """What open pages are told about a channel that was switched off."""
    detail = f"The channel {channel.channel} was switched off: {channel.reason}."
    return {
        "kind": "system",
        "about": "channel_disabled",
        "subject": str(channel.channel_id),
        "detail": detail,
    }
