"""Events that cannot be processed: which of an entry they are, and what is left of it without them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import msgspec

from signaldesk.engine.memory import Memory
from signaldesk.errors import Unavailable
from signaldesk.model import event as events
from signaldesk.model.event import Event
from signaldesk.model.outcome import Poison, Stored, in_short
from signaldesk.store.ledger import Ledger
from signaldesk.stream.events import Entry

WHOLE = -1
"""In the place of an event's index: the whole entry."""


async def probe(
    entry: Entry, alone: Callable[[list[Event]], Stored], *, memory: Memory, ledger: Ledger, partition: int
) -> dict[int, str]:
    """Try each event of an entry `alone`, without effect; index -> error of those that fail."""
    bad: dict[int, str] = {}
    try:
        decoded = events.decode(entry.events)
    except msgspec.MsgspecError as fault:
        return {WHOLE: in_short(fault)}
    for index, one in enumerate(decoded):
        stored = alone([one])
        try:
            await memory.try_out(stored)
            await asyncio.to_thread(ledger.try_out, partition, stored)
        except Unavailable:
            raise
        except Exception as fault:  # whatever it is, this event is what causes it
            bad[index] = in_short(fault)
    return bad


def parted(entry: Entry, bad: dict[int, str], tries: int) -> tuple[list[Poison], list[Event]]:
    """What is set aside of an entry, and its other events."""
    decoded = events.decode(entry.events) if WHOLE not in bad else []
    org_id = UUID(bytes=entry.org)
    poison = [
        Poison(org_id, entry.position, index, body, error, tries)
        for index, error in bad.items()
        for body in [entry.events if index == WHOLE else msgspec.msgpack.encode(decoded[index])]
    ]
    return poison, [one for index, one in enumerate(decoded) if index not in bad]
