"""Before a role begins, Postgres, Redis and the schema must be there; until then it says what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

from signaldesk.desk import Desk
from signaldesk.errors import Unavailable
from signaldesk.log import get_logger

log = get_logger(__name__)

LOOK_EVERY = 0.5
SAY_EVERY = 10.0
"""Seconds after which the same line is written again."""


async def servers(desk: Desk, stop: asyncio.Event, *, schema: bool = True) -> bool:
    """Wait until everything is there; False when asked to stop before. `schema`: look at that too."""
    checks = [
        _Check("PostgreSQL", place(desk.urls.database), desk.database.ping),
        _Check("Redis", place(desk.urls.redis), desk.news.ping),
    ]
    if not all(await asyncio.gather(*(check.passed(stop) for check in checks))):
        return False
    return not schema or await _Check("the schema", place(desk.urls.database), _current(desk)).passed(stop)


class _Check:
    """Something that has to be there: `ask` raises Unavailable while it is not."""

    def __init__(self, what: str, where: str, ask: Callable[[], Awaitable[None]]) -> None:
        self._what, self._where, self._ask = what, where, ask

    async def passed(self, stop: asyncio.Event) -> bool:
        said: float | None = None
        now = asyncio.get_running_loop().time
        while not stop.is_set():
            try:
                await self._ask()
            except Unavailable as error:
                if said is None or now() - said >= SAY_EVERY:
                    said = now()
                    log.warning(f"waiting for {self._what}", at=self._where, reason=_reason(error))
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_EVERY)
            else:
                if said is not None:
                    log.info(f"{self._what} is there", at=self._where, after=round(now() - said, 1))
                return True
        return False


def _current(desk: Desk) -> Callable[[], Awaitable[None]]:
    async def ask() -> None:
        current, newest = await desk.health.schema()
        if current != newest:
            raise Unavailable(f"it is not at {newest}; run `signaldesk db upgrade`")

    return ask


def place(url: str) -> str:
    """Where a server is, without user and password: `db.example.com:5432/desk`, `/run/x/valkey.sock`."""
    parts = urlsplit(url)
    folder = parse_qs(parts.query).get("host", [""])[0]
    return f"{folder or parts.netloc.rpartition('@')[2]}{parts.path}"


def _reason(error: Unavailable) -> str:
    """Our own words, and the driver's first line below them: only there is why."""
    cause = error.__cause__
    first = str(getattr(cause, "orig", cause) or "").strip().partition("\n")[0]
    return f"{error.detail} ({first})" if first else error.detail
