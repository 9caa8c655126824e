"""How the whole installation stands, in Prometheus's format.

Asked of Postgres and Redis at every scrape, so that any web process tells the same, and no other process
needs a port. What cannot be asked is left out, never told as zero.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from signaldesk.clock import MICROS, Clock
from signaldesk.errors import Unavailable
from signaldesk.store.health import Health
from signaldesk.stream.health import StreamHealth

PATIENCE_S = 2.0


class PlantGauges:
    """The gauges of one scrape, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.server_up = Gauge(
            "signaldesk_server_up", "1 when postgres or redis answers, else 0", ("server",), registry=registry
        )
        self.partitions = Gauge(
            "signaldesk_partitions", "Partitions of the event stream; owned: by a living processor",
            ("owned",), registry=registry,
        )  # fmt: skip
        self.lag = Gauge(
            "signaldesk_ingest_lag_seconds", "How long the oldest accepted event waits to be judged",
            registry=registry,
        )  # fmt: skip
        self.memory = Gauge("signaldesk_redis_memory_bytes", "Memory that Redis uses", registry=registry)
        self.notifications = Gauge(
            "signaldesk_notifications", "Notifications of the last 24 hours by status", ("status",),
            registry=registry,
        )  # fmt: skip
        self.overdue = Gauge(
            "signaldesk_outbox_overdue_seconds", "By how much the oldest message that waits is overdue",
            registry=registry,
        )  # fmt: skip
        self.alerts = Gauge(
            "signaldesk_alerts", "Alerts that are not resolved, by severity", ("severity",), registry=registry
        )
        self.set_aside = Gauge(
            "signaldesk_events_set_aside", "Events that could not be processed", registry=registry
        )
        self.channels_off = Gauge(
            "signaldesk_channels_off", "Channels switched off because they failed", registry=registry
        )


class Plant:
    """Looks at the installation."""

    def __init__(self, *, health: Health, stream: StreamHealth, clock: Clock) -> None:
        self._health = health
        self._stream = stream
        self._clock = clock

    async def scrape(self) -> bytes:
        """How everything stands now; takes at most `PATIENCE_S`."""
        registry = CollectorRegistry()
        gauges = PlantGauges(registry)
        of_books = (
            gauges.partitions, gauges.notifications, gauges.overdue, gauges.alerts, gauges.set_aside,
            gauges.channels_off,
        )  # fmt: skip
        for server, asked, told in (
            ("postgres", self._books(gauges), of_books),
            ("redis", self._memory(gauges), (gauges.memory,)),
            (None, self._lag(gauges), (gauges.lag,)),
        ):
            answered = await _answered(asked)
            if server is not None:
                gauges.server_up.labels(server).set(answered)
            for gauge in () if answered else told:
                registry.unregister(gauge)
        return generate_latest(registry)

    async def _books(self, gauges: PlantGauges) -> None:
        places = await self._health.partitions()
        gauges.partitions.labels("yes").set(sum(one.owned for one in places))
        gauges.partitions.labels("no").set(sum(not one.owned for one in places))
        gauges.overdue.set((await self._health.outbox()).oldest_s)
        trouble = await self._health.trouble()
        gauges.set_aside.set(trouble.poison)
        gauges.channels_off.set(trouble.channels_off)
        for status, count in (await self._health.notifications()).items():
            gauges.notifications.labels(status).set(count)
        for severity, count in (await self._health.alerts()).items():
            gauges.alerts.labels(severity).set(count)

    async def _memory(self, gauges: PlantGauges) -> None:
        gauges.memory.set((await self._stream.facts()).memory)

    async def _lag(self, gauges: PlantGauges) -> None:
        committed = {one.id: one.position for one in await self._health.partitions()}
        gauges.lag.set(await self._stream.lag_s(committed, self._clock.now_us() / MICROS))


async def _answered(asking: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await asking
    except (Unavailable, TimeoutError):
        return False
    return True
