"""API keys: shown once, stored as a SHA-256, recognised from memory, refused within a second once revoked."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from signaldesk.accounts.roles import Principal, check_scopes
from signaldesk.clock import MICROS, Clock, from_us, to_us
from signaldesk.errors import FieldError, Invalid, NotFound, Unauthenticated, Unavailable
from signaldesk.ids import new_id, new_secret
from signaldesk.log import get_logger
from signaldesk.store import identity
from signaldesk.store.database import Database
from signaldesk.store.identity import KeyRow, ListedKey, OrgRow
from signaldesk.stream import keys as names
from signaldesk.stream.client import end

log = get_logger(__name__)

PREFIX = "sk_"
_KEY = re.compile(r"sk_[0-9a-f]{48}")

KNOWN_S = 30.0
"""A key is looked up again after so long, even though nobody revoked it."""
DEAF_S = 1.0
"""The same while revocations cannot be heard: then asking often takes their place."""
CACHED = 10_000
"""Keys remembered at most."""
TOUCH_S = 30.0
"""How often `last_used_at` is written down."""

REFUSED = "this API key is not valid; it may have been revoked"


class Announcements(Protocol):
    """The part of `stream.news.News` that keys need."""

    def listen(self, *patterns: str) -> AsyncIterator[tuple[str, bytes]]: ...

    async def nudge(self, channel: str, text: str = "") -> None: ...


class ApiKeys:
    """Makes, lists and revokes an organisation's keys."""

    def __init__(self, *, database: Database, news: Announcements, clock: Clock) -> None:
        self._database = database
        self._news = news
        self._clock = clock

    async def create(
        self,
        org_id: UUID,
        *,
        scopes: Iterable[str],
        name: str = "",
        created_by: UUID | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[UUID, str]:
        """(id, the key itself: shown this one time). Raises Invalid for unknown scopes or a past expiry."""
        wanted = check_scopes(scopes)
        now = from_us(self._clock.now_us())
        if expires_at is not None and expires_at <= now:
            raise Invalid(errors=[FieldError("expires_at", "lies in the past")])
        key, key_id = new_secret(PREFIX), new_id()
        async with self._database.tenant(org_id) as connection:
            await identity.add_key(
                connection,
                id=key_id,
                org_id=org_id,
                name=name,
                hash=digest(key),
                hint=key[:9],
                scopes=list(wanted),
                created_by=created_by,
                created_at=now,
                expires_at=expires_at,
            )
        return key_id, key

    async def list(self, org_id: UUID) -> list[ListedKey]:
        async with self._database.tenant(org_id) as connection:
            return await identity.keys_of(connection, org_id)

    async def page(
        self,
        org_id: UUID,
        *,
        states: Collection[str],
        limit: int,
        before: tuple[datetime, UUID] | None = None,
    ) -> Sequence[ListedKey]:
        """Those in these `KEY_STATES`, newest first.

        `before` is the (created_at, id) of the last one on the page before.
        """
        now = from_us(self._clock.now_us())
        async with self._database.tenant(org_id) as connection:
            return await identity.key_page(connection, org_id, states, now, limit=limit, before=before)

    async def org(self, org_id: UUID) -> OrgRow:
        """The organisation that its keys speak for."""
        async with self._database.tenant(org_id) as connection:
            return await identity.org(connection, org_id)

    async def revoke(self, org_id: UUID, key_id: UUID) -> None:
        """Raises NotFound. It is refused everywhere within a second."""
        now = from_us(self._clock.now_us())
        async with self._database.tenant(org_id) as connection:
            hashed = await identity.revoke_key(connection, org_id, key_id, now)
        if hashed is None:
            raise NotFound
        with suppress(Unavailable):  # then nobody hears it, and those who are deaf ask every second
            await self._news.nudge(names.API_KEYS, hashed.hex())


class _Known(NamedTuple):
    principal: Principal
    until_us: int
    expires_us: int | None


class KeyRing:
    """Recognises keys. `async with` it to hear revocations; without, it asks again every second."""

    def __init__(self, *, database: Database, news: Announcements, clock: Clock) -> None:
        self._database = database
        self._news = news
        self._clock = clock
        self._known: dict[bytes, _Known] = {}
        self._used: dict[UUID, datetime] = {}
        self.hearing = False
        """Whether revocations are being heard."""
        self._heard = 0
        self._tasks: list[asyncio.Task[None]] = []

    def remembered(self, key: str) -> Principal | None:
        """Whose key it is, if that is known without asking: never waits."""
        known = self._known.get(digest(key))
        now = self._clock.now_us()
        if known is None or known.until_us <= now or (known.expires_us or now + 1) <= now:
            return None
        self._note(known.principal, now)
        return known.principal

    async def principal(self, key: str) -> Principal:
        """Whose key it is. Raises Unauthenticated, or Unavailable when it would have to ask and cannot."""
        if (remembered := self.remembered(key)) is not None:
            return remembered
        if not _KEY.fullmatch(key):
            raise Unauthenticated("an API key is sk_ and 48 hexadecimal characters")
        hashed, heard = digest(key), self._heard
        try:
            async with self._database.system() as connection:
                row = await identity.key_by_hash(connection, hashed)
        except Unavailable:
            # Nobody can revoke a key while Postgres is away: whoever was known stays known.
            known, now = self._known.get(hashed), self._clock.now_us()
            if known is None or (known.expires_us or now + 1) <= now:
                raise
            return known.principal
        now = self._clock.now_us()
        if row is None or (row.expires_at is not None and to_us(row.expires_at) <= now):
            raise Unauthenticated(REFUSED)
        principal = _principal_of(row)
        self._note(principal, now)
        if heard == self._heard:  # else this very key may have been revoked while we asked
            self._remember(hashed, principal, row.expires_at, now)
        return principal

    async def __aenter__(self) -> KeyRing:
        self._tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._write_down())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await end(self._tasks)
        await self.flush()

    async def flush(self) -> None:
        """Write down when keys were last used."""
        seen, self._used = self._used, {}
        if seen:
            with suppress(Unavailable):
                async with self._database.system() as connection:
                    await identity.touch_keys(connection, seen)

    def _remember(self, hashed: bytes, principal: Principal, expires_at: datetime | None, now: int) -> None:
        if len(self._known) >= CACHED:
            self._known.pop(next(iter(self._known)))
        seconds = KNOWN_S if self.hearing else DEAF_S
        expires_us = to_us(expires_at) if expires_at else None
        self._known[hashed] = _Known(principal, now + round(seconds * MICROS), expires_us)

    def _note(self, principal: Principal, now: int) -> None:
        if principal.key_id is not None:
            self._used[principal.key_id] = from_us(now)

    async def _hear(self) -> None:
        """Follow revocations; whatever was missed while nobody listened is forgotten with everything else."""
        while True:
            try:
                async for channel, data in self._news.listen(names.API_KEYS):
                    self._heard += 1
                    if channel:
                        self._known.pop(bytes.fromhex(data.decode()), None)
                    else:
                        self._known.clear()
                        self.hearing = True
            except Unavailable as error:
                log.warning(
                    "revocations cannot be heard; keys are looked up every second", detail=error.detail
                )
            self.hearing = False
            self._heard += 1
            self._known.clear()
            await asyncio.sleep(DEAF_S)

    async def _write_down(self) -> None:
        while True:
            await asyncio.sleep(TOUCH_S)
            await self.flush()


def _principal_of(row: KeyRow) -> Principal:
    return Principal(
        org_id=row.org_id,
        scopes=frozenset(row.scopes),
        name=row.name or f"{row.hint}…",
        partition=row.partition,
        key_id=row.id,
    )


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
