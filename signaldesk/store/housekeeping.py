"""What is done by the clock: counting what was sent, and forgetting what is over."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from signaldesk import statements
from signaldesk.clock import Clock, from_us
from signaldesk.ids import new_id
from signaldesk.store.database import Database

KEPT = timedelta(days=7)
"""Tokens that are over are kept so long: who uses one again is told apart from who guesses."""


class Housekeeping:
    """Every method does its work in one transaction, may be repeated, and returns how many rows it changed.

    Raises Unavailable.
    """

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._sql = statements.named("postgres/housekeeping.sql")

    async def roll_up_usage(self) -> int:
        """Count the notifications of yesterday and today that were sent, by organisation and day (UTC)."""
        today = from_us(self._clock.now_us()).replace(hour=0, minute=0, second=0, microsecond=0)
        return await self._run("roll_up_usage", since=today - timedelta(days=1))

    async def wake_snoozed(self) -> int:
        """Open the alerts whose snooze is over; a firing wakes one by itself, this is for those without."""
        now = from_us(self._clock.now_us())
        async with self._database.system() as connection:
            woken = (await connection.execute(text(self._sql["wake_snoozed"]), {"now": now})).all()
            rows = [{"id": new_id(), "org_id": one.org_id, "alert_id": one.id, "now": now} for one in woken]
            if rows:
                await connection.execute(text(self._sql["note_woken"]), rows)
        return len(rows)

    async def sweep_sessions(self) -> int:
        """Delete log-ins that are over."""
        return await self._run("sweep_sessions", now=from_us(self._clock.now_us()))

    async def sweep_tokens(self) -> int:
        """Delete refresh tokens, password resets and invites that were over a week ago."""
        before = from_us(self._clock.now_us()) - KEPT
        names = ("sweep_refresh_tokens", "sweep_password_resets", "sweep_invites")
        return sum([await self._run(name, before=before) for name in names])

    async def sweep_backtests(self) -> int:
        """Delete the results of backtests that are a week old."""
        return await self._run("sweep_backtests", before=from_us(self._clock.now_us()) - KEPT)

    async def _run(self, name: str, **values: object) -> int:
        async with self._database.system() as connection:
            return (await connection.execute(text(self._sql[name]), values)).rowcount
