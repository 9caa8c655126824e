"""The processor: owns a fair share of the partitions, and does the periodic work beside them.

APScheduler runs what is periodic: renewing leases, claiming what is free, trimming streams, making day
tables ahead. It never touches events.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable
from uuid import UUID

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from signaldesk import log
from signaldesk.clock import Clock
from signaldesk.engine.cancel import cancel
from signaldesk.engine.partition import Partition
from signaldesk.engine.tools import Tools
from signaldesk.errors import Fenced, Unavailable
from signaldesk.model.outcome import RuleChange
from signaldesk.store.ledger import Claim, Ledger
from signaldesk.stream.events import PARTITIONS

logger = log.get_logger(__name__)


class Processor:
    """Runs partitions until stopped; several processors share them without talking to each other."""

    def __init__(
        self, *, leases: Ledger, open_ledger: Callable[[], Ledger], tools: Tools, clock: Clock, lease: float
    ) -> None:
        """`lease` in seconds; `leases` is the connection that stands for this processor being alive."""
        self._leases = leases
        self._open_ledger = open_ledger
        self._tools = tools
        self._clock = clock
        self._lease = lease
        self._running: dict[int, tuple[Partition, asyncio.Task[None]]] = {}
        self._lock = asyncio.Lock()
        self._behind: dict[UUID, tuple[list[RuleChange], int]] = {}
        """Changes of rules that are not judged by yet, and how far the stream went when they were seen."""
        self._stopping = asyncio.Event()

    @property
    def partitions(self) -> dict[int, Partition]:
        return {number: partition for number, (partition, _) in self._running.items()}

    async def run(self) -> None:
        """Own partitions until `stop`; then finish what is under way and give them back."""
        scheduler = AsyncIOScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None}
        )
        scheduler.add_job(self._own, "interval", seconds=self._lease / 5, id="own", max_instances=1)
        scheduler.add_job(self._find_rules, "interval", seconds=1, id="rules", max_instances=1)
        scheduler.add_job(self._trim, "interval", seconds=5, id="trim", max_instances=1)
        scheduler.add_job(self._days_ahead, "interval", hours=1, id="days", max_instances=1)
        # Windows are many small objects that live long; looking through all of them again and again for
        # cycles that hardly ever exist took a third of the time.
        gc.set_threshold(500_000, 20, 500)
        # Postgres must not wait five milliseconds for each next part of a batch because judging goes on.
        sys.setswitchinterval(0.001)
        pulse = asyncio.create_task(self._tools.pulse.run())
        await self._days_ahead()
        await self._own()
        scheduler.start()
        try:
            await self._stopping.wait()
        finally:
            scheduler.pause()
            await self._give_back()
            scheduler.shutdown(wait=False)
            await cancel(pulse)
            with contextlib.suppress(Unavailable):
                await self._tools.pulse.flush()

    def stop(self) -> None:
        self._stopping.set()

    # --- periodic work ---------------------------------------------------------------------------------

    async def _own(self) -> None:
        """Renew leases, drop partitions that were lost, claim free ones up to a fair share."""
        async with self._lock:
            try:
                kept = await asyncio.to_thread(self._leases.renew, self._lease)
                for number in (
                    kept - self._running.keys()
                ):  # ended by a failure: another try, perhaps elsewhere
                    await asyncio.to_thread(self._leases.release, number)
                for number in [number for number in self._running if number not in kept]:
                    logger.warning("partition lost", partition=number)
                    await self._drop(number)
                if self._stopping.is_set():
                    return
                owners = await asyncio.to_thread(self._leases.owners)
                share = -(-PARTITIONS // max(1, owners))
                if len(self._running) > share:
                    await self._hand_over(len(self._running) - share)
                elif len(self._running) < PARTITIONS:
                    wanted = share - len(self._running)
                    for claim in await asyncio.to_thread(self._leases.claim, wanted, self._lease):
                        self._begin(claim)
            except Unavailable as error:
                logger.warning("leases not renewed", reason=error.detail)

    def _begin(self, claim: Claim) -> None:
        partition = Partition(claim, ledger=(ledger := self._open_ledger()), tools=self._tools)

        async def run() -> None:
            try:
                await partition.run()
            except Fenced as error:
                logger.warning("fenced off", partition=claim.partition, reason=error.detail)
            finally:
                ledger.close()

        task = asyncio.create_task(run(), name=f"partition {claim.partition}")
        task.add_done_callback(lambda done: self._ended(claim.partition, done))
        self._running[claim.partition] = (partition, task)

    def _ended(self, number: int, task: asyncio.Task[None]) -> None:
        if self._running.get(number, (None, None))[1] is task:
            del self._running[number]
        if not task.cancelled() and (error := task.exception()):
            logger.error("partition failed", partition=number, error=repr(error))

    async def _drop(self, number: int) -> None:
        if (running := self._running.pop(number, None)) is not None:  # else it ended by itself meanwhile
            await cancel(running[1])

    async def _hand_over(self, count: int) -> None:
        """Give partitions back, in good order, because there are more processors now."""
        await self._finish(list(self._running)[:count])

    async def _give_back(self) -> None:
        async with self._lock:
            await self._finish(list(self._running))
        await asyncio.to_thread(self._leases.close)
        await asyncio.to_thread(self._tools.lookups.close)

    async def _finish(self, numbers: list[int]) -> None:
        """Let partitions end in good order, and free them for others."""
        running = {number: self._running[number] for number in numbers}
        for partition, _ in running.values():
            partition.stop()
        if running:
            await asyncio.wait([task for _, task in running.values()], timeout=10)
        for number, (_, task) in running.items():
            if not task.done():
                await self._drop(number)
            with contextlib.suppress(Unavailable):
                await asyncio.to_thread(self._leases.release, number)

    async def _find_rules(self) -> None:
        """Mark changes of rules whose marker did not make it into the stream (Redis was away).

        One that is merely under way is not missing: it is when everything is committed that was in the stream
        at an earlier look, and still the rules are judged as before.
        """
        try:
            async with self._lock:
                changes = await asyncio.to_thread(self._not_live)
            before, self._behind = self._behind, {}
            for org_id, (number, changed) in changes.items():
                if (partition := self.partitions.get(number)) is None:
                    continue
                known, upto = before.get(org_id, (None, 0))
                if known == changed and partition.committed >= upto:
                    await self._tools.stream.mark(number, org_id, changed, at=self._clock.now_us())
                if known != changed or partition.committed >= upto:
                    upto = await self._tools.stream.last(number)
                self._behind[org_id] = (changed, upto)
        except Unavailable as error:
            logger.debug("rules not compared", reason=error.detail)

    def _not_live(self) -> dict[UUID, tuple[int, list[RuleChange]]]:
        """Organisation -> (partition, its rules that are saved otherwise than they are judged).

        An empty list stands for a change of nothing but the channels that its rules name.
        """
        partitions = self.partitions
        found = self._leases.not_live(list(partitions))
        for org_id, (number, revision) in self._leases.revisions(list(partitions)).items():
            known = partitions[number].revision(org_id)
            if known is not None and known < revision:
                found.setdefault(org_id, (number, []))
        return found

    async def _trim(self) -> None:
        try:
            async with self._lock:
                positions = await asyncio.to_thread(self._leases.positions)
            for number, position in positions.items():
                if number in self._running and position:
                    await self._tools.stream.trim(number, position)
        except Unavailable as error:
            logger.warning("streams not trimmed", reason=error.detail)

    async def _days_ahead(self) -> None:
        try:
            await self._tools.days.ahead(self._clock.now_us())
        except Unavailable as error:
            logger.warning("day tables not made", reason=error.detail)
