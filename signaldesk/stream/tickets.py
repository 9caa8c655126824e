"""WebSocket tickets: thirty seconds, one use, for one member or key of one organisation."""

from __future__ import annotations

import secrets
from uuid import UUID

from signaldesk.stream import keys
from signaldesk.stream.client import Redis, outage

LASTS_S = 30


class Tickets:
    """Kept in Redis, so that any web process may take what another gave out. Raises Unavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def issue(self, org_id: UUID) -> str:
        ticket = secrets.token_urlsafe(24)
        async with outage():
            await self._redis.set(keys.ticket(ticket), org_id.bytes, ex=LASTS_S)
        return ticket

    async def take(self, ticket: str) -> UUID | None:
        """The organisation of a ticket that is still good; it is good no longer then."""
        async with outage():
            found = await self._redis.getdel(keys.ticket(ticket))
        return UUID(bytes=bytes(found)) if isinstance(found, bytes) else None
