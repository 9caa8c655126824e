"""Batches on their way into what is written down: gathered, committed in their order, windows saved after.

While a batch is being committed in a thread, the next ones gather. Events of which nothing came wait a moment
for others to be committed with them, so that the way is free when something does come of one. Counts are
written down with a commit every second or so, windows are written to Redis beside everything else, as often
as that is cheap (`cadence`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from signaldesk.engine.cadence import Cadence
from signaldesk.engine.cancel import cancel
from signaldesk.engine.insist import insist
from signaldesk.engine.memory import Memory
from signaldesk.engine.snapshot import Snapshot
from signaldesk.engine.tools import Tools
from signaldesk.model.outcome import Batch
from signaldesk.store.ledger import Claim, Ledger
from signaldesk.stream.windows import WindowStore

_GATHER_S = 0.1
"""So long events wait to be committed with others, when nothing came of any of them."""
_GATHER_EVENTS = 1_000
"""So many need not wait for more."""

T = TypeVar("T")


class Commits:
    """Those of a partition since it was restored. `position` is what is committed."""

    def __init__(
        self,
        claim: Claim,
        *,
        ledger: Ledger,
        windows: WindowStore,
        memory: Memory,
        tools: Tools,
        logger: Any,
    ) -> None:
        self.claim = claim
        self.position = claim.position
        self.gathered: Batch | None = None
        self._ledger = ledger
        self._windows = windows
        self._memory = memory
        self._tools = tools
        self._log = logger
        self._counted, self._saved = claim.checkpoint, 0
        self._counted_at = now = asyncio.get_running_loop().time()
        self._cadence = Cadence(tools.checkpoint_every, now)
        self._flushed_at = 0.0
        self._committing: asyncio.Task[None] | None = None
        self._saving: asyncio.Task[None] | None = None

    # --- gathering -------------------------------------------------------------------------------------

    def gather(self, batch: Batch) -> None:
        if self.gathered is None:
            self.gathered = batch
        else:
            self.gathered.join(batch)

    def may_grow(self) -> bool:
        """Whether more is judged before it is committed: as long as it would have to wait anyway."""
        if self.gathered is None or self._committing is None or self._committing.done():
            return self._can_wait()
        return sum(len(stored.events) for stored in self.gathered.stored) < self._tools.batch_events // 2

    def patience(self, most: int) -> int:
        """How long (ms) to wait for events: not long when others wait to be committed with them."""
        if self.gathered is None:
            return most
        if self._committing is not None and not self._can_wait():
            return most  # `meanwhile` does not let them wait for longer than that commit
        left = self._flushed_at + _GATHER_S - asyncio.get_running_loop().time()
        return max(1, round(left * 1_000))

    async def meanwhile(self, read: Awaitable[T]) -> T:
        """What is read. Once a commit is done meanwhile, the next one begins."""
        committing = self._committing
        if committing is None or self._can_wait():
            return await read
        reading = asyncio.ensure_future(read)
        try:
            await asyncio.wait([reading, committing], return_when=asyncio.FIRST_COMPLETED)
            if committing.done():
                await self.flush()
            return await reading
        finally:
            await cancel(reading)

    def _can_wait(self) -> bool:
        batch = self.gathered
        if batch is None:
            return True
        if batch.firings or batch.resolutions or batch.poison:
            return False
        now, events = asyncio.get_running_loop().time(), sum(len(stored.events) for stored in batch.stored)
        return events < _GATHER_EVENTS and now - self._flushed_at < _GATHER_S

    # --- committing ------------------------------------------------------------------------------------

    async def flush(self, *, counts: bool = False, windows: bool = False) -> None:
        """Have committed what was gathered, after what is being committed, with what is due or asked for."""
        if self.gathered is not None:
            await self.committed()
            batch, self.gathered = self.gathered, None
            due = self._due()
            self._begin(batch, counts or due[0], windows or due[1])

    async def settle(self) -> None:
        """Have committed what was gathered, and wait for it."""
        await self.flush()
        await self.committed()

    async def settle_all(self) -> None:
        """The same with counts and windows."""
        await self.saved()
        await self.flush(counts=True, windows=True)
        await self.committed()
        await self.saved()

    async def finish(self) -> None:
        """Write everything down, though nothing may have been gathered."""
        await self.settle()
        await self.saved()
        await self._checkpoint(windows=True)
        await self.saved()

    async def idle(self) -> None:
        """Nothing came: commit what was gathered, then write down what is due."""
        if self.gathered is not None:
            await self.flush()
            return
        await self.committed()
        counts, windows = self._due()
        if (counts and self._counted < self.position) or (windows and self._saved < self.position):
            await self._checkpoint(windows=windows)

    async def committed(self) -> None:
        """Wait for the commit under way; what it raised is raised here."""
        if self._committing is not None:
            task, self._committing = self._committing, None
            await task

    async def saved(self) -> None:
        """Wait for the windows that are being saved; what it raised is raised here."""
        if self._saving is not None:
            task, self._saving = self._saving, None
            await task

    async def notice(self) -> None:
        """Raise what a save raised that is done."""
        if self._saving is not None and self._saving.done():
            await self.saved()

    async def give_up(self) -> None:
        for task in (self._saving, self._committing):
            if task is not None:
                await cancel(task)

    def _due(self) -> tuple[bool, bool]:
        """Whether it is time to write down the counts, and the windows."""
        now = asyncio.get_running_loop().time()
        counts = now - self._counted_at >= self._tools.checkpoint_every
        return counts, self._saving is None and self._cadence.due(now, self._memory.unsaved())

    async def _checkpoint(self, *, windows: bool) -> None:
        """Write down the counts, and perhaps the windows, without any event."""
        nothing = Batch(self.claim.partition, self.position, self.position)
        self._begin(nothing, counts=True, windows=windows)
        await self.committed()

    def _begin(self, batch: Batch, counts: bool, windows: bool) -> None:
        """Have the batch committed; with what was counted, and with the windows saved after it."""
        self._flushed_at = now = asyncio.get_running_loop().time()
        if counts or windows:
            self._counted, self._counted_at = batch.after, now
            batch.tallies = self._memory.tallies()
        self._committing = committing = asyncio.create_task(self._commit(batch))
        if windows:
            self._saved = batch.after
            self._cadence.begun(now, self._memory.unsaved())
            snapshot = self._memory.snapshot()
            self._saving = asyncio.create_task(self._save(committing, batch.after, snapshot))

    async def _commit(self, batch: Batch) -> None:
        """Write the batch down, repeating until Postgres took it."""
        tools = self._tools

        async def write() -> None:
            await tools.days.ensure(stored.received_at for stored in batch.stored)
            alerts = await asyncio.to_thread(self._ledger.commit, self.claim, batch, tools.compose)
            tools.pulse.committed(batch.stored, alerts)

        await insist(write, self._log)
        self.position = batch.after
        self.claim = self.claim._replace(tries=0)

    async def _save(self, committing: asyncio.Task[None], position: int, snapshot: Snapshot) -> None:
        """Once the batch is committed, write the windows to Redis, while further batches are judged."""
        await asyncio.wait([committing])
        if committing.cancelled() or committing.exception() is not None:
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        await insist(lambda: self._windows.save(position, snapshot), self._log)
        self._cadence.took(loop.time() - began)
