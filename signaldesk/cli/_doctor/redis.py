"""Redis or Valkey: version, and that what was accepted is on disk and stays there."""

from __future__ import annotations

from collections.abc import Iterator

from signaldesk.cli._doctor.finding import Finding, failed, ok, warning
from signaldesk.cli._doctor.postgres import skew
from signaldesk.stream.health import Facts

OLDEST = {"Redis": 7, "Valkey": 7}
UNKNOWN = "it does not tell"


def check(facts: Facts, asked_us: int) -> Iterator[Finding]:
    """`asked_us`: our clock when the facts were asked for."""
    found = f"{facts.name} {facts.version}"
    if int(facts.version.partition(".")[0]) < OLDEST[facts.name]:
        yield failed("Redis", found, "upgrade it to Redis 7 or Valkey 8 or newer")
    else:
        yield ok("Redis", found)
    yield _append_only(facts)
    yield _policy(facts)
    yield _memory(facts)
    yield skew("Redis clock", facts.now_us - asked_us)


def _append_only(facts: Facts) -> Finding:
    if facts.appendonly != "yes":
        return failed(
            "append-only file", "off", "CONFIG SET appendonly yes, or a crash loses accepted events"
        )
    if facts.appendfsync is None:
        mend = "make sure that it is `always`; else a crash loses the last second of accepted events"
        return warning("appendfsync", UNKNOWN, mend)
    if facts.appendfsync != "always":
        mend = "CONFIG SET appendfsync always, or a crash loses the last second of accepted events"
        return failed("appendfsync", facts.appendfsync, mend)
    return ok("appendfsync", "always")


def _policy(facts: Facts) -> Finding:
    if facts.policy is None:
        return warning("eviction", UNKNOWN, "make sure that maxmemory-policy is noeviction")
    if facts.policy != "noeviction":
        return failed("eviction", facts.policy, "CONFIG SET maxmemory-policy noeviction, or events vanish")
    return ok("eviction", "noeviction")


def _memory(facts: Facts) -> Finding:
    used = f"{facts.memory / (1 << 20):,.0f} MiB used"
    if not facts.memory_max:
        return ok("Redis memory", f"{used}, no limit of its own")
    found = f"{used} of {facts.memory_max / (1 << 20):,.0f}"
    if facts.memory > 0.8 * facts.memory_max:
        return warning("Redis memory", found, "raise maxmemory; when it is full, events are refused with 503")
    return ok("Redis memory", found)
