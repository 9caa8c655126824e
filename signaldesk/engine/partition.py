"""One partition, owned: read on from the committed position, judge, commit, and again.

While a batch is being committed in a thread, what comes is read and judged, and gathers for the next commit;
commits keep their order.
Events of which nothing came wait a moment for others to be committed with them, so that the way is free when
something does come of one. Counts are written down with a commit every second or so, windows are written to
Redis beside everything else, as often as that is cheap (`cadence`). On any doubt about what is in memory, it
is thrown away and restored from what is written down.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from uuid import UUID

from signaldesk import log
from signaldesk.clock import Clock
from signaldesk.engine import poison
from signaldesk.engine.cadence import Cadence
from signaldesk.engine.cancel import cancel
from signaldesk.engine.lane import Lane, Matched
from signaldesk.engine.memory import Memory
from signaldesk.engine.pulse import Pulse
from signaldesk.engine.restore import restore
from signaldesk.engine.snapshot import Snapshot
from signaldesk.errors import Fenced, Unavailable
from signaldesk.model import event as events
from signaldesk.model.outcome import Batch, Firing, Stored
from signaldesk.store.alert_book import Compose
from signaldesk.store.days import Days
from signaldesk.store.ledger import Claim, Ledger
from signaldesk.stream.events import ENTRY_MAX, Entry, EventStream
from signaldesk.stream.windows import WindowsLost, WindowStore

_BLOCK_MS = 1_000
_GATHER_S = 0.1
"""So long events wait to be committed with others, when nothing came of any of them."""
_GATHER_EVENTS = 1_000
"""So many need not wait for more."""
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


@dataclass(frozen=True, slots=True)
class Tools:
    """What a partition works with; shared by all partitions of a processor."""

    stream: EventStream
    open_windows: Callable[[int], WindowStore]
    pulse: Pulse
    days: Days
    lookups: Ledger
    lookups_lock: asyncio.Lock
    compose: Compose
    lateness: int
    checkpoint_every: float
    clock: Clock
    most_states: int = 1_000_000
    batch_events: int = 8_192
    """How many events a batch aims at when there is a backlog."""


class Partition:
    """Runs one claimed partition until it is stopped, or fenced off."""

    def __init__(self, claim: Claim, *, ledger: Ledger, tools: Tools) -> None:
        self.claim = claim
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
        self.claim = claim
        self.position = claim.position
        self.committed = claim.position
        self._time = claim.clock
        self._counted, self._saved = claim.checkpoint, 0
        self._counted_at = now = asyncio.get_running_loop().time()
        self._cadence = Cadence(tools.checkpoint_every, now)
        self._gathered: Batch | None = None
        self._flushed_at = 0.0
        self._committing: asyncio.Task[None] | None = None
        self._saving: asyncio.Task[None] | None = None
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
            for task in (self._saving, self._committing):
                if task is not None:
                    await cancel(task)
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
                await self._again(self._count_try)
                await self._start_over()
                self._cautious_until = self._read_upto
        try:
            await self._flush()
            await self._commit_done()
            await self._save_done()
            await self._checkpoint(windows=True)
            await self._save_done()
            if self._memory.set_aside:  # their windows could not be written down
                await self._set_rules_aside()
        except WindowsLost as error:
            self._log.warning("the next owner will rebuild the windows", reason=error.detail)

    async def _start_over(self) -> None:
        """Throw away what is in memory, and restore it from what is written down. Raises Fenced."""
        with contextlib.suppress(Exception):  # it cannot be taken back, and is asked for its outcome below
            await self._commit_done()
        with contextlib.suppress(Exception):  # what it lacks is restored from the stored events
            await self._save_done()
        await self._forget_ahead()
        await self._again(self._restore)
        self._log.info("partition ready", position=self.position)

    async def _set_rules_aside(self) -> None:
        """Write down which rules failed outside of any batch: when they were read, or their windows were."""
        await self._flush()
        await self._commit_done()
        found = self._memory.take_set_aside()
        await self._again(lambda: asyncio.to_thread(self._ledger.set_aside, self.claim, found))

    async def _restore(self) -> None:
        self._reset(await asyncio.to_thread(self._ledger.look, self.claim))
        await self._tools.stream.ensure_after(self.number, self.claim.position)
        try:
            await restore(self._memory, self._ledger, self._windows, self.claim)
        except WindowsLost as error:  # while they were read; the next look tells whether to a new owner
            raise Unavailable("the windows were lost meanwhile") from error

    async def _count_try(self) -> None:
        await asyncio.to_thread(self._ledger.count_try, self.claim)

    async def _count_first_try(self, upto: int) -> None:
        """Before the first batch of a new owner: leave word, should this batch kill the process."""
        tries = await asyncio.to_thread(self._ledger.count_try, self.claim)
        self.claim = self.claim._replace(tries=tries)
        if tries > _CALM_STARTS:
            self._cautious_until = upto

    # --- one step --------------------------------------------------------------------------------------

    async def _step(self) -> None:
        if self._saving is not None and self._saving.done():
            await self._save_done()
        if self._memory.set_aside:
            await self._set_rules_aside()
        cautious = self.position < self._cautious_until
        count = 1 if cautious else max(1, int(self._tools.batch_events / self._entry_events))
        try:
            entries = await self._read(count, min(await self._tick(), self._patience()))
        except Unavailable as error:
            await self._flush()
            self._log.warning("waiting", reason=error.detail)
            await asyncio.sleep(error.retry_after or 0.5)
            return
        if not entries:
            await self._idle()
            return
        self._read_upto = entries[-1].position
        if self._first:
            self._first = False
            await self._again(lambda: self._count_first_try(self._read_upto))
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
        """What comes next in the stream. Once a commit is done meanwhile, the next one begins."""
        if self._ahead is not None and self._ahead[0] == self.position:
            (_, task), self._ahead = self._ahead, None
            if found := await self._meanwhile(task):
                return found
        await self._forget_ahead()
        return await self._meanwhile(self._tools.stream.read(self.number, self.position, count, block))

    async def _meanwhile(self, found: Awaitable[list[Entry]]) -> list[Entry]:
        """The same of a read that was begun."""
        committing, gathered = self._committing, self._gathered
        if committing is None or gathered is None or self._can_wait(gathered):
            return await found
        reading = asyncio.ensure_future(found)
        try:
            await asyncio.wait([reading, committing], return_when=asyncio.FIRST_COMPLETED)
            if committing.done():
                await self._flush()
            return await reading
        finally:
            await cancel(reading)

    async def _idle(self) -> None:
        """Nothing came: commit what was gathered, then write down what is due."""
        if self._gathered is not None:
            await self._flush()
            return
        await self._commit_done()
        counts, windows = self._due()
        if (counts and self._counted < self.committed) or (windows and self._saved < self.committed):
            await self._checkpoint(windows=windows)

    def _patience(self) -> int:
        """How long (ms) to wait for events: not long when others wait to be committed with them."""
        if self._gathered is None:
            return _BLOCK_MS
        if self._committing is not None and not self._can_wait(self._gathered):
            return _BLOCK_MS  # `_read` does not let them wait for longer than that commit
        left = self._flushed_at + _GATHER_S - asyncio.get_running_loop().time()
        return max(1, round(left * 1_000))

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
        elif cautious and self.claim.tries >= _TRIES and len(entries[0].org) == 16:
            batch = await self._set_aside(entries[0])
        else:
            batch = await self._judge(list(takewhile(lambda entry: not entry.marker, entries)))
        self.position = batch.after
        if self._gathered is None:
            self._gathered = batch
        else:
            self._gathered.join(batch)
        if org_id is not None or batch.set_aside:
            # What was judged by the rules before is never counted again, nor taken in again, by those after.
            await self._save_done()
            await self._flush(counts=True, windows=True)
            await self._commit_done()
            await self._save_done()
            if org_id is not None:
                await self._again(lambda: self._memory.load_rules(org_id, begun=batch.after))
        elif cautious:
            await self._flush()
            await self._commit_done()
        elif not self._may_grow(self._gathered):
            await self._flush()

    def _may_grow(self, batch: Batch) -> bool:
        """Whether more is judged before it is committed: as long as it would have to wait anyway."""
        if self._committing is None or self._committing.done():
            return self._can_wait(batch)
        return sum(len(stored.events) for stored in batch.stored) < self._tools.batch_events // 2

    def _can_wait(self, batch: Batch) -> bool:
        if batch.firings or batch.resolutions or batch.poison:
            return False
        now, events = asyncio.get_running_loop().time(), sum(len(stored.events) for stored in batch.stored)
        return events < _GATHER_EVENTS and now - self._flushed_at < _GATHER_S

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
        if self._gathered is None:
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
                await self._again(partial(self._memory.load_rules, org_id))
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
            await self._again(self._memory.fill)
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

    # --- committing ------------------------------------------------------------------------------------

    async def _flush(self, *, counts: bool = False, windows: bool = False) -> None:
        """Have committed what was gathered, after what is being committed, with what is due or asked for."""
        if self._gathered is not None:
            await self._commit_done()
            batch, self._gathered = self._gathered, None
            due = self._due()
            self._begin_commit(batch, counts or due[0], windows or due[1])

    def _begin_commit(self, batch: Batch, counts: bool, windows: bool) -> None:
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

        await self._again(write)
        self.committed = batch.after
        self.claim = self.claim._replace(tries=0)

    async def _save(self, committing: asyncio.Task[None], position: int, snapshot: Snapshot) -> None:
        """Once the batch is committed, write the windows to Redis, while further batches are judged."""
        await asyncio.wait([committing])
        if committing.cancelled() or committing.exception() is not None:
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._again(lambda: self._windows.save(position, snapshot))
        self._cadence.took(loop.time() - began)

    async def _commit_done(self) -> None:
        """Wait for the commit under way; what it raised is raised here."""
        if self._committing is not None:
            task, self._committing = self._committing, None
            await task

    async def _save_done(self) -> None:
        """Wait for the windows that are being saved; what it raised is raised here."""
        if self._saving is not None:
            task, self._saving = self._saving, None
            await task

    def _due(self) -> tuple[bool, bool]:
        """Whether it is time to write down the counts, and the windows."""
        now = asyncio.get_running_loop().time()
        counts = now - self._counted_at >= self._tools.checkpoint_every
        return counts, self._saving is None and self._cadence.due(now, self._memory.unsaved())

    async def _checkpoint(self, *, windows: bool) -> None:
        """Write down the counts, and perhaps the windows, without any event."""
        self._begin_commit(Batch(self.number, self.committed, self.committed), counts=True, windows=windows)
        await self._commit_done()

    async def _again(self, action: Callable[[], Awaitable[None]]) -> None:
        """Repeat until nothing is away any more; wait a little longer each time, at most a second."""
        pause = 0.05
        while True:
            try:
                return await action()
            except Unavailable as error:
                self._log.warning("waiting", reason=error.detail)
                await asyncio.sleep(pause)
                pause = min(1.0, pause * 2)

    # --- poison ----------------------------------------------------------------------------------------

    async def _set_aside(self, entry: Entry) -> Batch:
        """An entry failed again and again: find its bad events and go on without them.

        When none is bad by itself, something else may have been at fault, and be over. If not, all
        are set aside in the end, without another look: looking may be what ends the process.
        """
        batch = Batch(self.number, self.position, entry.position)
        if self.claim.tries >= 2 * _TRIES:
            bad = {poison.WHOLE: "the events of this entry cannot be processed together"}
        else:
            alone = partial(self._stored, entry)
            bad = await poison.probe(
                entry, alone, memory=self._memory, ledger=self._ledger, partition=self.number
            )
            if not bad:
                return await self._judge([entry])
        batch.poison, rest = poison.parted(entry, bad, self.claim.tries)
        await self._judge_stored([self._stored(entry, rest)], batch)
        self._log.error("events set aside", org=entry.org.hex(), position=entry.position, events=len(bad))
        return batch
