"""After a start or a change of owner: bring memory to the committed position.

The windows in Redis hold everything up to their own checkpoint R; Postgres holds counts and suppressions
up to the ledger's checkpoint C >= R, and events and firings up to the committed position P >= C. So the
events in (R, P] are taken into the windows again, and those in (C, P] are counted again. What fired
stands in the ledger; nothing fires here. Rules never change between C and P, because a change of rules is
a checkpoint. In the end time passes as far as the partition's clock stood when P was committed. When Redis
lost the windows, R is replaced by going back, lane by lane, as far as any window reaches.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from itertools import islice
from uuid import UUID

from signaldesk import log
from signaldesk.engine.lane import Lane
from signaldesk.engine.memory import Memory
from signaldesk.engine.timers import NEVER
from signaldesk.model.outcome import Stored
from signaldesk.store.ledger import Claim, Ledger
from signaldesk.stream.windows import WindowStore

_CHUNK = 500
"""Stream entries taken from Postgres in one step."""

logger = log.get_logger(__name__)


async def restore(memory: Memory, ledger: Ledger, windows: WindowStore, claim: Claim) -> None:
    """Fill `memory`, which must be new, for the partition's committed position."""
    progress = await asyncio.to_thread(ledger.progress, claim.partition)
    memory.known_lanes = {(one.org_id, one.lane): one.watermark for one in progress}
    await memory.load_rules()
    start = await windows.take(claim.epoch)
    memory.replay(set())
    if _trusted(start, claim):
        await memory.load_timers()
    else:
        await windows.take(claim.epoch, anew=True)
        for one in progress:
            await _rebuild(memory, memory.lane(one.org_id, one.lane), one.watermark, ledger, claim)
        await memory.fill()  # who has no events yet has deadlines all the same
        start = claim.checkpoint
    await _replay(memory, ledger, claim, start)


def _trusted(start: int, claim: Claim) -> bool:
    return start <= claim.position and (start > 0 or claim.position == 0)


async def _rebuild(memory: Memory, lane: Lane, watermark: int, ledger: Ledger, claim: Claim) -> None:
    """Make the lane's windows, as of the ledger's checkpoint, from the stored events alone."""
    lane.rebuilding, events = True, 0
    for state in lane.missing:
        memory.recall(lane, state, [], b"")  # before the events: they came later, whenever they happened
    source = ledger.replay_org(lane.org_id, lane.name, watermark - _reach(lane), claim.checkpoint)
    async with aclosing(_chunks(source)) as chunks:
        async for stored in chunks:
            events += len(stored.events)
            matched = lane.match(stored, replayed=True)
            for _, state, _, _, _ in matched.hits:
                state.rewrite = True
            lane.judge(matched)
    if not lane.name:
        _pass_time(lane, claim.checkpoint_clock)
    lane.rebuilding = False
    await memory.fill_cooldowns(lane)
    lane.forget_counts()
    logger.info("windows rebuilt", org=str(lane.org_id), lane=lane.name, events=events)


def _reach(lane: Lane) -> int:
    """How far before the watermark (µs) events matter to any window."""
    watches = lane.watches.values()
    wholes = max((watch.reach for watch in watches if watch.parts), default=0)
    # What a composite rule looks back on are moments of its parts, which look back themselves.
    return wholes + max((watch.reach for watch in watches if not watch.parts), default=0)


async def _replay(memory: Memory, ledger: Ledger, claim: Claim, start: int) -> None:
    memory.replay(await asyncio.to_thread(ledger.fired, claim.partition, claim.checkpoint))
    events, counted = 0, True
    source = ledger.replay(claim.partition, start, claim.position)
    async with aclosing(_chunks(source)) as chunks:
        async for stored in chunks:
            if counted and stored.position > claim.checkpoint:
                counted = False
                _forget(memory, claim)
            place = (UUID(bytes=stored.org), stored.lane)
            memory.known_lanes.setdefault(place, 0)  # since the ledger's checkpoint it may have fired
            lane = memory.lane(*place)
            matched = lane.match(stored, replayed=True)
            await memory.fill()
            lane.judge(matched)
            events += len(stored.events)
    if counted:
        _forget(memory, claim)
    for lane in memory.live_lanes():
        _pass_time(lane, claim.clock)
    memory.replay(None)
    if events:
        logger.info("events replayed", partition=claim.partition, events=events)


def _forget(memory: Memory, claim: Claim) -> None:
    """All up to the checkpoint is in memory again; what was counted so far is written down."""
    for lane in memory.live_lanes():
        _pass_time(lane, claim.checkpoint_clock)
    for lane in memory.lanes.values():
        lane.forget_counts()


def _pass_time(lane: Lane, clock: int) -> None:
    """Time passes after all rules there are have begun."""
    lane.have_begun(NEVER)
    lane.pass_time(clock)


async def _chunks(source: Generator[Stored]) -> AsyncGenerator[Stored]:
    """What a generator makes in a thread, which has the ledger's connection to itself until this one ends."""
    step: asyncio.Future[list[Stored]] | None = None
    try:
        while True:
            step = asyncio.ensure_future(asyncio.to_thread(lambda: list(islice(source, _CHUNK))))
            if not (chunk := await asyncio.shield(step)):
                return
            for stored in chunk:
                yield stored
    finally:
        if step is not None:
            await asyncio.wait([step])  # a generator cannot be closed while it runs
        await asyncio.to_thread(source.close)
