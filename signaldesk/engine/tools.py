"""What a partition works with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from signaldesk.clock import Clock
from signaldesk.engine.pulse import Pulse
from signaldesk.store.alert_book import Compose
from signaldesk.store.days import Days
from signaldesk.store.ledger import Ledger
from signaldesk.stream.events import EventStream
from signaldesk.stream.windows import WindowStore


@dataclass(frozen=True, slots=True)
class Tools:
    """Shared by all partitions of a processor."""

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
