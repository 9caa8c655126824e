"""Writes results down in batches: while one transaction is under way, the next one gathers.

Nothing is given up while Postgres is away: results wait here, with their leases, until they can be written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from signaldesk.clock import Clock
from signaldesk.delivery import herald
from signaldesk.delivery.ending import heed
from signaldesk.delivery.herald import Herald
from signaldesk.errors import Unavailable
from signaldesk.log import get_logger
from signaldesk.model.delivery import Settled, SwitchedOff
from signaldesk.store.outbox import Outbox

log = get_logger(__name__)

BATCH = 500
"""Most results in one transaction."""
GATHER_SECONDS = 0.02
"""Nobody waits for results: a few more in a transaction cost nothing, and a transaction costs a lot."""
AGAIN_SECONDS = 0.5


class Book:
    """Takes results from many senders, writes them, and has open pages told."""

    def __init__(self, outbox: Outbox, *, clock: Clock, herald: Herald) -> None:
        self._outbox = outbox
        self._clock = clock
        self._herald = herald
        self._waiting: list[Settled] = []
        self._writing: list[Settled] = []
        self._any = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()

    @property
    def unwritten(self) -> list[Settled]:
        """Results that are not written down yet."""
        return [*self._writing, *self._waiting]

    def add(self, settled: Settled) -> None:
        self._waiting.append(settled)
        self._any.set()
        self._none.clear()

    async def run(self) -> None:
        """Write until cancelled, however long Postgres stays away."""
        while True:
            heed()
            await self._any.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._writing, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            await self._write(self._writing)
            self._writing = []
            if not self._waiting:
                self._any.clear()
                self._none.set()

    async def emptied(self) -> None:
        """Returns when everything is written down."""
        await self._none.wait()

    async def _write(self, batch: list[Settled]) -> None:
        try:
            kept, off = await self._settle(batch)
        except Exception:
            # One row that cannot be written must not hold up the others: halve until it is alone.
            if len(batch) == 1:
                log.exception("result cannot be written", notification=str(batch[0].claimed.id))
                return
            middle = len(batch) // 2
            await self._write(batch[:middle])
            await self._write(batch[middle:])
            return
        self._tell(batch, kept, off)

    async def _settle(self, batch: Sequence[Settled]) -> tuple[set[UUID], list[SwitchedOff]]:
        while True:
            try:
                return await self._outbox.settle(batch, now_us=self._clock.now_us())
            except Unavailable as error:
                log.warning("results wait for the database", count=len(batch), error=error.detail)
                await asyncio.sleep(AGAIN_SECONDS)

    def _tell(self, batch: list[Settled], kept: set[UUID], off: list[SwitchedOff]) -> None:
        for settled in batch:
            if settled.claimed.id in kept:
                self._herald.tell(settled.claimed.org_id, herald.result(settled))
            else:
                log.warning("lease was lost, result dropped", notification=str(settled.claimed.id))
        for channel in off:
            log.warning("channel switched off", channel=str(channel.channel_id), org=str(channel.org_id))
            self._herald.tell(channel.org_id, herald.switched_off(channel))
