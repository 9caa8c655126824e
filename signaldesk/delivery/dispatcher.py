"""The dispatcher: claims what is due, sends it, writes down what came of it.

1. Wake up: by a signal after each commit of the engine, when there is room again, and every second anyway.
2. Claim, in one statement, as much as there is room for; a claim is a lease.
3. Send each in a task of its own.
4. Write results down in batches (`book.py`).
5. Renew the leases of what takes long. A dispatcher that dies stops renewing; another one, or its successor,
   sends again what it had not written down, under the same id.

Any number of dispatchers may run; they share the work by `FOR UPDATE SKIP LOCKED`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any
from uuid import UUID

from signaldesk.channels.kinds import Means
from signaldesk.clock import MICROS
from signaldesk.delivery.attempt import Sender
from signaldesk.delivery.backoff import settled
from signaldesk.delivery.book import Book
from signaldesk.delivery.capacity import Capacity, Limits
from signaldesk.delivery.ending import end, heed
from signaldesk.delivery.herald import Herald
from signaldesk.errors import Unavailable
from signaldesk.log import get_logger
from signaldesk.model.delivery import Claimed
from signaldesk.store.outbox import Outbox

log = get_logger(__name__)

Listen = Callable[[], AsyncIterator[Any]]
"""Makes a subscription that yields whenever something was put into the outbox; may raise Unavailable."""

POLL_SECONDS = 1.0
LEASE_SECONDS = 15.0
GRACE_SECONDS = 10.0
GAP_SECONDS = 0.005
"""Least time between two claims: at a thousand signals a second, one claim serves several."""


class Dispatcher:
    """One per process. `run` until `stop`."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        means: Means,
        listen: Listen | None = None,
        random: Random | None = None,
        limits: Limits | None = None,
        poll: float = POLL_SECONDS,
        lease: float = LEASE_SECONDS,
        grace: float = GRACE_SECONDS,
    ) -> None:
        """`poll`, `lease` and `grace` are seconds; `grace` is what messages under way get at a stop."""
        self._outbox = outbox
        self._sender = Sender(means)
        self._clock = means.clock
        self._listen = listen
        self._random = random or Random()
        self._poll, self._lease, self._grace = poll, lease, grace
        self._capacity = Capacity(limits or Limits())
        self._sending: dict[UUID, tuple[Claimed, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._more = False
        """Whether more may be due than there was room for: then whatever ends makes room for it."""
        self._herald = Herald(means.publish)
        self._book = Book(outbox, clock=means.clock, herald=self._herald)

    def stop(self) -> None:
        """Ask `run` to finish what is under way, give the rest back, and return."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Deliver until `stop`. Cancelled, it leaves everything as it is, as a crash would."""
        try:
            await self._run()
        finally:
            await self._outbox.close()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as self._tasks:
            helpers = [self._book.run(), self._herald.run(), self._keep_leases()]
            if self._listen is not None:
                helpers.append(self._hear(self._listen))
            tasks = [self._tasks.create_task(helper) for helper in helpers]
            try:
                while not self._stopping.is_set():
                    heed()
                    await self._round()
                await self._finish()
            finally:
                await end(tasks)

    # --- claiming --------------------------------------------------------------------------------------

    async def _round(self) -> None:
        """One claim, and then the wait for a reason to claim again."""
        self._wake.clear()
        try:
            claims = await self._claim()
        except Unavailable as error:
            log.warning("the outbox cannot be read", error=error.detail)
            await self._pause(self._stopping, error.retry_after or self._poll)
            return
        except Exception:
            log.exception("claiming went wrong")
            await self._pause(self._stopping, self._poll)
            return
        if self._stopping.is_set():
            await self._give_back(claims, begun=False)
            return
        for claimed in claims:
            self._begin(claimed)
        await self._pause(self._stopping, GAP_SECONDS)
        await self._pause(self._wake, self._poll)

    async def _claim(self) -> list[Claimed]:
        now_us = self._clock.now_us()
        rooms = self._capacity.rooms(now_us)
        if not rooms.total:
            self._more = True
            return []
        # Leases that may have run out because Postgres was away: claiming them again would send them twice.
        held = [claimed.id for claimed in self._held(older_than=self._lease / 2)]
        until_us = now_us + self._us(self._lease)
        claims = await self._outbox.claim(rooms, held=held, now_us=now_us, until_us=until_us)
        self._more = rooms.all_used(claims)
        return claims

    def _held(self, *, older_than: float) -> list[Claimed]:
        """What was claimed so many seconds ago or more, and is under way or waits to be written down."""
        before_us = self._clock.now_us() - self._us(older_than)
        claims = [claimed for claimed, _ in self._sending.values()]
        claims += [one.claimed for one in self._book.unwritten]
        return [claimed for claimed in claims if claimed.leased_us <= before_us]

    @staticmethod
    def _us(seconds: float) -> int:
        return round(seconds * MICROS)

    @staticmethod
    async def _pause(event: asyncio.Event, seconds: float) -> None:
        """Until the event, but no longer than that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    async def _hear(self, listen: Listen) -> None:
        while True:
            try:
                async for _ in listen():
                    heed()
                    self._wake.set()
            except Unavailable as error:
                log.warning("not woken up by signals, only by the clock", error=error.detail)
            await asyncio.sleep(self._poll)

    # --- sending ---------------------------------------------------------------------------------------

    def _begin(self, claimed: Claimed) -> None:
        self._capacity.begin(claimed.org_id, claimed.channel_id, claimed.id, self._clock.now_us())
        self._sending[claimed.id] = claimed, self._tasks.create_task(self._send(claimed))

    async def _send(self, claimed: Claimed) -> None:
        result = None
        try:
            result = await self._sender.attempt(claimed)
        finally:
            now_us = self._clock.now_us()
            self._capacity.end(claimed.org_id, claimed.channel_id, claimed.id, result, now_us)
            del self._sending[claimed.id]
            if self._more:
                self._wake.set()
            if result is not None:
                self._book.add(settled(claimed, result, now_us=now_us, random=self._random))

    async def _keep_leases(self) -> None:
        """Renew, three times per lease, what takes long or waits to be written down."""
        while True:
            heed()
            await asyncio.sleep(self._lease / 3)
            claims = self._held(older_than=self._lease / 3)
            if not claims:
                continue
            try:
                until_us = self._clock.now_us() + self._us(self._lease)
                kept = await self._outbox.renew(claims, until_us=until_us)
            except Unavailable as error:
                log.warning("leases could not be renewed", count=len(claims), error=error.detail)
                continue
            except Exception:
                log.exception("renewing leases went wrong")
                continue
            lost = [
                claimed.id for claimed in claims if claimed.id not in kept and claimed.id in self._sending
            ]
            if lost:
                log.warning("leases were lost", count=len(lost), first=str(lost[0]))

    # --- stopping --------------------------------------------------------------------------------------

    async def _finish(self) -> None:
        """Let what is under way end, break off what takes too long, write down what came of it."""
        if self._sending:
            await asyncio.wait([task for _, task in self._sending.values()], timeout=self._grace)
        left = [claimed for claimed, _ in self._sending.values()]
        for _, task in list(self._sending.values()):
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._grace):
                await self._book.emptied()
        await self._give_back(left, begun=True)

    async def _give_back(self, claims: list[Claimed], *, begun: bool) -> None:
        if not claims:
            return
        try:
            await self._outbox.release(claims, begun=begun)
        except Unavailable:
            log.warning("leases could not be given back and will run out", count=len(claims))
