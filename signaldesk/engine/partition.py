"""One partition, owned: read on from the committed position, judge, commit, and again.

While a batch is being committed, what comes is read and judged, and gathers for the next commit (`commits`).
On any doubt about what is in memory, it is thrown away and restored from what is written down.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import takewhile
from uuid import UUID

from signaldesk import log
from signaldesk.engine import poison
from signaldesk.engine.cancel import cancel
from signaldesk.engine.commits import Commits
from signaldesk.engine.insist import insist
from signaldesk.engine.lane import Lane, Matched
from signaldesk.engine.memory import Memory
from signaldesk.engine.restore import restore
from signaldesk.engine.tools import Tools
from signaldesk.errors import Fenced, Unavailable
from signaldesk.model import event as events
from signaldesk.model.outcome import Batch, Firing, Stored
from signaldesk.store.ledger import Claim, Ledger
from signaldesk.stream.events import ENTRY_MAX, Entry
from signaldesk.stream.windows import WindowsLost

_BLOCK_MS = 1_000
_SENT = 3
"""Turns of the event loop after which a command is on its way."""
_SLACK = 1_000_000
"""How long (µs) after a deadline the stream is told that it has come."""
_TICK_AGAIN = 5_000_000
"""A tick that was not read after so long (µs) is sent again: Redis may have lost it."""
_TRIES = 5
"""After so many failures of one entry its bad events are set aside."""
_CALM_STARTS = 2
"""After more starts than this without a commit, an owner suspects the batch and goes slowly."""

logger = log.get_logger(__name__)


class Partition:
    """Runs one claimed partition until it is stopped, or fenced off."""

    def __init__(self, claim: Claim, *, ledger: Ledger, tools: Tools) -> None:
        self.number = claim.partition
        self._ledger = ledger
        self._windows = tools.open_windows(claim.partition)
        self._tools = tools
        self._stopping = asyncio.Event()
        self._first = True
        self._read_upto = 0
        self._ticked = 0
        self._log = logger.bind(partition=claim.partition, epoch=claim.epoch)
        self._reset(claim)

    def _reset(self, claim: Claim) -> None:
        tools = self._tools
        self.position = claim.position
        self._time = claim.clock
        self._ahead: tuple[int, asyncio.Task[list[Entry]]] | None = None
        """A read that was begun before it was time, and the position after which it reads."""
        self._cautious_until = 0
        # Until a batch was seen: a backlog of large entries must not come in as one transaction.
        self._entry_events = float(ENTRY_MAX)
        self._memory = Memory(
            self.number,
            lookups=tools.lookups,
            lock=tools.lookups_lock,
            windows=self._windows,
            lateness=tools.lateness,
            most_states=tools.most_states,
        )
        self._commits = Commits(
            claim,
            ledger=self._ledger,
            windows=self._windows,
            memory=self._memory,
            tools=tools,
            logger=self._log,
        )

    @property
    def committed(self) -> int:
        """The position up to which everything is written down."""
        return self._commits.position

    def revision(self, org_id: UUID) -> int | None:
        """Which change of its rules an organisation is judged by; None when it is not known here (yet)."""
        return self._memory.revisions.get(org_id) if self._memory.knows(org_id) else None

    def stop(self) -> None:
        """Finish the batch at hand, write a checkpoint, and return from `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Own the partition. Returns when stopped; raises Fenced when another owner took over."""
        try:
            await self._start_over()
            await self._run()
        finally:
            await self._commits.give_up()
            await self._forget_ahead()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._step()
            except Fenced:
                raise
            except WindowsLost as error:
                self._log.warning("rebuilding windows", reason=error.detail)
                await self._start_over()
            except Exception as error:  # poison, or a fault of ours: back to what is written down
                self._log.exception("batch failed", position=self.committed, error=str(error))
                await self._insist(self._count_try)
                await self._start_over()
                self._cautious_until = self._read_upto
        try:
            await self._commits.finish()
            if self._memory.set_aside:  # their windows could not be written down
                await self._set_rules_aside()
        except WindowsLost as error:
            self._log.warning("the next owner will rebuild the windows", reason=error.detail)

    async def _start_over(self) -> None:
        """Throw away what is in memory, and restore it from what is written down. Raises Fenced."""
        with contextlib.suppress(Exception):  # it cannot be taken back, and is asked for its outcome below
            await self._commits.committed()
        with contextlib.suppress(Exception):  # what it lacks is restored from the stored events
            await self._commits.saved()
        await self._forget_ahead()
        await self._insist(self._restore)
        self._log.info("partition ready", position=self.position)

    async def _set_rules_aside(self) -> None:
        """Write down which rules failed outside of any batch: when they were read, or their windows were."""
        commits = self._commits
        await commits.settle()
        found = self._memory.take_set_aside()
        await self._insist(lambda: asyncio.to_thread(self._ledger.set_aside, commits.claim, found))

    async def _restore(self) -> None:
        claim = await asyncio.to_thread(self._ledger.look, self._commits.claim)
        self._reset(claim)
        await self._tools.stream.ensure_after(self.number, claim.position)
        try:
            await restore(self._memory, self._ledger, self._windows, claim)
        except WindowsLost as error:  # while they were read; the next look tells whether to a new owner
            raise Unavailable("the windows were lost meanwhile") from error

    async def _insist(self, action: Callable[[], Awaitable[None]]) -> None:
        await insist(action, self._log)

    async def _count_try(self) -> None:
        await asyncio.to_thread(self._ledger.count_try, self._commits.claim)

    async def _count_first_try(self, upto: int) -> None:
        """Before the first batch of a new owner: leave word, should this batch kill the process."""
        commits = self._commits
        tries = await asyncio.to_thread(self._ledger.count_try, commits.claim)
        commits.claim = commits.claim._replace(tries=tries)
        if tries > _CALM_STARTS:
            self._cautious_until = upto

    # --- one step --------------------------------------------------------------------------------------

    async def _step(self) -> None:
        await self._commits.notice()
        if self._memory.set_aside:
            await self._set_rules_aside()
        cautious = self.position < self._cautious_until
        count = 1 if cautious else max(1, int(self._tools.batch_events / self._entry_events))
        try:
            entries = await self._read(count, min(await self._tick(), self._commits.patience(_BLOCK_MS)))
        except Unavailable as error:
            await self._commits.flush()
            self._log.warning("waiting", reason=error.detail)
            await asyncio.sleep(error.retry_after or 0.5)
            return
        if not entries:
            await self._commits.idle()
            return
        self._read_upto = entries[-1].position
        if self._first:
            self._first = False
            await self._insist(lambda: self._count_first_try(self._read_upto))
            if self._cautious_until:
                return
        if len(entries) == count and not cautious:
            await self._read_ahead(entries[-1].position, count)
        await self._work_on(entries, cautious)

    async def _read_ahead(self, after: int, count: int) -> None:
        """There is a backlog: ask for more of it before this is judged, so that it travels meanwhile."""
        read = self._tools.stream.read(self.number, after, count, 1)
        self._ahead = after, asyncio.create_task(read)
        for _ in range(_SENT):
            await asyncio.sleep(0)

    async def _forget_ahead(self) -> None:
        if self._ahead is not None:
            (_, task), self._ahead = self._ahead, None
            await cancel(task)

    async def _read(self, count: int, block: int) -> list[Entry]:
        """What comes next in the stream."""
        if self._ahead is not None and self._ahead[0] == self.position:
            (_, task), self._ahead = self._ahead, None
            if found := await self._commits.meanwhile(task):
                return found
        await self._forget_ahead()
        read = self._tools.stream.read(self.number, self.position, count, block)
        return await self._commits.meanwhile(read)

    async def _tick(self) -> int:
        """When a deadline has come that no event reached, have the stream say so; how long (ms) to wait.

        A place in the stream makes it the same for everybody who reads it later. Events that are on their
        way have `_SLACK` to come before; one that comes later still counts as received at the tick.
        """
        now, due = self._tools.clock.now_us(), self._memory.next_deadline()
        time = now - _SLACK
        if due >= time:
            return max(1, min(_BLOCK_MS, (due - time) // 1_000 + 1))
        if self._ticked <= self._time or now > self._ticked + _TICK_AGAIN:
            await self._tools.stream.tick(self.number, time)
            self._ticked = time
        return _BLOCK_MS

    async def _work_on(self, entries: list[Entry], cautious: bool) -> None:
        """Judge the entries, or as many of them as come before a change of rules, and have them committed."""
        org_id = None
        if entries[0].marker:
            batch, org_id = await self._change_rules(entries[0])
        elif cautious and self._commits.claim.tries >= _TRIES and len(entries[0].org) == 16:
            batch = await self._set_aside(entries[0])
        else:
            batch = await self._judge(list(takewhile(lambda entry: not entry.marker, entries)))
        self.position = batch.after
        commits = self._commits
        commits.gather(batch)
        if org_id is not None or batch.set_aside:
            # What was judged by the rules before is never counted again, nor taken in again, by those after.
            await commits.settle_all()
            if org_id is not None:
                await self._insist(lambda: self._memory.load_rules(org_id, begun=batch.after))
        elif cautious:
            await commits.settle()
        elif not commits.may_grow():
            await commits.flush()

    async def _change_rules(self, marker: Entry) -> tuple[Batch, UUID | None]:
        """A batch that changes an organisation's rules, and which one's."""
        batch = Batch(self.number, self.position, marker.position)
        try:
            batch.rules, batch.begun = marker.changes(), marker.received_at
        except (ValueError, TypeError, LookupError):
            return batch, None  # not one of ours, or one that only holds a place in the stream
        passed = self._time_passes(marker.received_at - _SLACK, marker.position, batch)
        await self._judge_stored(passed, batch)
        return batch, UUID(bytes=marker.org)

    async def _judge(self, entries: list[Entry]) -> Batch:
        """Judge entries in order."""
        batch = Batch(self.number, self.position, entries[-1].position)
        if self._commits.gathered is None:
            self._memory.begin_batch()
        waiting: list[Stored] = []
        for entry in entries:
            if entry.tick:
                waiting += self._time_passes(entry.tick, entry.position, batch)
                continue
            if len(entry.org) != 16:
                self._log.error("entry without an organisation passed over", position=entry.position)
                continue
            org_id = UUID(bytes=entry.org)
            if not self._memory.knows(org_id):
                await self._insist(partial(self._memory.load_rules, org_id))
            waiting.append(self._stored(entry, events.decode(entry.events)))
        await self._judge_stored(waiting, batch)
        total = sum(len(stored.events) for stored in batch.stored)
        self._entry_events = max(1.0, total / len(entries))
        return batch

    async def _judge_stored(self, waiting: list[Stored], batch: Batch) -> None:
        later: list[tuple[Lane, Matched]] = []
        lacking = self._memory.lacking()
        for stored in waiting:
            lane = self._memory.lane(UUID(bytes=stored.org), stored.lane)
            matched = lane.match(stored)
            lacking = lacking or bool(lane.missing)
            if lacking:
                later.append((lane, matched))
            else:  # right away: the groups that were just found are still in the processor's cache
                self._take_in(lane, matched, batch)
        if lacking:
            await self._insist(self._memory.fill)
        for lane, matched in later:
            self._take_in(lane, matched, batch)
        batch.stored += [stored for stored in waiting if stored.events]

    def _take_in(self, lane: Lane, matched: Matched, batch: Batch) -> None:
        """Judge an entry, and put what comes of it into the batch."""
        lane.judge(matched)
        if self._memory.set_aside:
            batch.set_aside += self._memory.take_set_aside()
        for outcome in lane.sink.take():
            if isinstance(outcome, Firing):
                batch.firings.append(outcome)
            else:
                batch.resolutions.append(outcome._replace(after=len(batch.firings)))

    def _time_passes(self, time: int, position: int, batch: Batch) -> list[Stored]:
        """The stream says that live time has come so far: an entry without events for each lane."""
        self._time = batch.clock = max(self._time, time)
        lanes = self._memory.live_lanes()
        return [Stored(lane.org_id.bytes, "", position, self._time, [], {}) for lane in lanes]

    def _stored(self, entry: Entry, decoded: list[events.Event]) -> Stored:
        # What was overtaken by a tick was received then, at the earliest: time never goes back.
        received_at = max(entry.received_at, self._time)
        return Stored(entry.org, entry.lane, entry.position, received_at, decoded, {}, entry.tell)

    # --- poison ----------------------------------------------------------------------------------------

    async def _set_aside(self, entry: Entry) -> Batch:
        """An entry failed again and again: find its bad events and go on without them.

        When none is bad by itself, something else may have been at fault, and be over. If not, all
        are set aside in the end, without another look: looking may be what ends the process.
        """
        batch = Batch(self.number, self.position, entry.position)
        if self._commits.claim.tries >= 2 * _TRIES:
            bad = {poison.WHOLE: "the events of this entry cannot be processed together"}
        else:
            alone = partial(self._stored, entry)
            bad = await poison.probe(
                entry, alone, memory=self._memory, ledger=self._ledger, partition=self.number
            )
            if not bad:
                return await self._judge([entry])
        batch.poison, rest = poison.parted(entry, bad, self._commits.claim.tries)
        await self._judge_stored([self._stored(entry, rest)], batch)
        self._log.error("events set aside", org=entry.org.hex(), position=entry.position, events=len(bad))
        return batch
