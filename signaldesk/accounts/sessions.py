"""Log-ins: a random token in a cookie, only its SHA-256 in the database."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from signaldesk.accounts.roles import ROLES, Principal
from signaldesk.clock import Clock, from_us
from signaldesk.store import identity
from signaldesk.store.database import Database
from signaldesk.store.identity import Membership

LASTS = timedelta(days=30)


class Sessions:
    """Opens, recognises and closes them. Nothing is cached: a log-out counts at once, everywhere."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open(self, user_id: UUID, org_id: UUID) -> str:
        """A new session's token: the one time that it exists in the clear."""
        token = secrets.token_urlsafe(32)
        expires_at = from_us(self._clock.now_us()) + LASTS
        async with self._database.system() as connection:
            await identity.add_session(
                connection, hash=digest(token), user_id=user_id, org_id=org_id, expires_at=expires_at
            )
        return token

    async def member(self, token: str) -> Membership | None:
        """Whose session it is; None when it is over, unknown, or its user no longer a member."""
        async with self._database.system() as connection:
            return await identity.session_member(connection, digest(token), from_us(self._clock.now_us()))

    async def close(self, token: str) -> None:
        async with self._database.system() as connection:
            await identity.drop_session(connection, digest(token))

    async def sweep(self) -> int:
        """Delete those that are over; how many there were."""
        async with self._database.system() as connection:
            return await identity.drop_expired_sessions(connection, from_us(self._clock.now_us()))


def principal_of(member: Membership) -> Principal:
    """What a member may do, by role."""
    return Principal(
        org_id=member.org_id,
        scopes=ROLES[member.role],
        name=member.email,
        partition=member.partition,
        user_id=member.user_id,
    )


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
