"""After a start or a change of owner: bring memory to the committed position.

The windows in Redis hold everything up to their own checkpoint R; Postgres holds counts and suppressions
up to the ledger's checkpoint C >= R, and events and firings up to the committed position P >= C. So the
events in (R, P] are taken into the windows again, and those in (C, P] are counted again. What fired
stands in the ledger; nothing fires here. When Redis lost the windows, or holds them from too long ago to
be trusted, R is replaced by going back, lane by lane, as far as any window reaches.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from uuid import UUID

from signaldesk import log
from signaldesk.engine.lane import Hit, Lane
from signaldesk.engine.memory import Memory
from signaldesk.model.outcome import Stored
from signaldesk.store.ledger import Claim, Ledger
from signaldesk.stream import positions
from signaldesk.stream.windows import KEPT, WindowStore

_CHUNK = 500
"""Stream entries taken from Postgres in one step."""

logger = log.get_logger(__name__)


async def restore(memory: Memory, ledger: Ledger, windows: WindowStore, claim: Claim) -> None:
    """Fill `memory` for the partition's committed position."""
    progress = await asyncio.to_thread(ledger.progress, claim.partition)
    memory.known_lanes = {(one.org_id, one.lane): one.watermark for one in progress}
    await memory.load_rules(position=claim.position)
    start = await windows.position()
    if not _trusted(start, claim):
        await windows.forget()
        for one in progress:
            await _rebuild(memory.lane(one.org_id, one.lane), one.watermark, ledger, claim)
        start = claim.checkpoint
    await _replay(memory, ledger, claim, start)


def _trusted(start: int, claim: Claim) -> bool:
    age_ms = positions.received_ms(claim.position) - positions.received_ms(start)
    return claim.position == 0 or (0 < start <= claim.position and age_ms < KEPT * 1000 // 2)


async def _rebuild(lane: Lane, watermark: int, ledger: Ledger, claim: Claim) -> None:
    """Make the lane's windows, as of the ledger's checkpoint, from the stored events alone."""
    reach = max((watch.reach for watch in lane.watches.values()), default=0)
    events = 0
    source = ledger.replay_org(lane.org_id, lane.name, watermark - reach, claim.checkpoint)
    async for stored in _chunks(source):
        events += len(stored.events)
        hits = lane.match(stored, replayed=True)
        lane.missing.clear()
        for hit in hits:
            _absorb(lane, hit)
            hit[1].rewrite = True
    lane.forget_counts()
    logger.info("windows rebuilt", org=str(lane.org_id), lane=lane.name, events=events)


async def _replay(memory: Memory, ledger: Ledger, claim: Claim, start: int) -> None:
    fired = await asyncio.to_thread(ledger.fired_events, claim.partition, claim.checkpoint)
    events = 0
    async for stored in _chunks(ledger.replay(claim.partition, start, claim.position)):
        lane = memory.lane(UUID(bytes=stored.org), stored.lane)
        hits = lane.match(stored, replayed=True)
        await memory.fill()
        for hit in hits:
            holds = _absorb(lane, hit)
            watch, state, event, _ = hit
            if holds and (watch.id, event.id) not in fired:
                lane.hold(state, event, "paused" if watch.paused else "cooldown")
        if stored.position <= claim.checkpoint:
            lane.forget_counts()
        events += len(stored.events)
    if events:
        logger.info("events replayed", partition=claim.partition, events=events)


def _absorb(lane: Lane, hit: Hit) -> bool:
    """Take an event into its window as judging would; whether the condition holds."""
    watch, state, event, watermark = hit
    holds = watch.judge.holds(state, event.timestamp, event.id)
    lane.tidy(state, watermark)
    return holds


async def _chunks(source: Iterator[Stored]) -> AsyncIterator[Stored]:
    while chunk := await asyncio.to_thread(lambda: list(islice(source, _CHUNK))):
        for stored in chunk:
            yield stored
