"""Whether events are judged and people are told, at this moment."""

from __future__ import annotations

from collections.abc import AsyncIterator

from signaldesk.cli._doctor.finding import Finding, failed, ok, warning
from signaldesk.clock import MICROS, Clock
from signaldesk.store.health import Health, PartitionPlace
from signaldesk.stream.health import StreamHealth

LAG_S = 10.0
"""Seconds that an accepted event may wait to be stored before it is worth a word."""


async def check(health: Health, stream: StreamHealth, clock: Clock) -> AsyncIterator[Finding]:
    partitions = await health.partitions()
    yield _owned(partitions)
    yield await _ingest_lag(partitions, stream, clock)
    lag = await health.outbox()
    found = f"{lag.overdue} overdue, the oldest by {lag.oldest_s:.0f} s"
    if lag.overdue:
        yield warning("outbox", found, "start (another) dispatcher: signaldesk run dispatcher")
    else:
        yield ok("outbox", "nothing overdue")
    trouble = await health.trouble()
    if trouble.poison:
        mend = "look at the table poison_events; everything else goes on"
        yield warning("events set aside", str(trouble.poison), mend)
    if trouble.rules_aside:
        mend = "GET /api/v1/rules says why; saving them again, or resuming them, brings them back"
        yield warning("rules set aside", f"{trouble.rules_aside} failed while they judged", mend)
    if trouble.channels_off:
        mend = "correct them and switch them on again; GET /api/v1/channels says why"
        yield warning("channels", f"{trouble.channels_off} switched off because they failed", mend)
    if not trouble.owners:
        yield warning("owner", "there is nobody yet", "signaldesk init")


def _owned(partitions: list[PartitionPlace]) -> Finding:
    free = [one.id for one in partitions if not one.owned]
    if len(free) == len(partitions):
        return failed("processors", "none is alive", "signaldesk run processor (or signaldesk up)")
    if free:
        mend = "it lasts a few seconds after a processor died; if it stays, start another"
        return warning("processors", f"nobody owns the partitions {free}", mend)
    tried = [one.id for one in partitions if one.tries > 2]
    if tried:
        mend = "the processor's log says why; bad events are set aside after five tries"
        return warning("processors", f"a batch keeps failing in the partitions {tried}", mend)
    return ok("processors", f"own all {len(partitions)} partitions")


async def _ingest_lag(partitions: list[PartitionPlace], stream: StreamHealth, clock: Clock) -> Finding:
    """How long the oldest event waits that is accepted and not stored."""
    lag = await stream.lag_s({one.id: one.position for one in partitions}, clock.now_us() / MICROS)
    if lag > LAG_S:
        return warning("ingest lag", f"{lag:.0f} s", "start another processor: signaldesk run processor")
    return ok("ingest lag", f"{lag:.1f} s")
