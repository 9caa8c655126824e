"""Postgres: version, durability, schema, and that tenants cannot look at each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from signaldesk.cli._doctor.finding import Finding, failed, ok, warning
from signaldesk.clock import MICROS, Clock, from_us
from signaldesk.store import migrate
from signaldesk.store.health import Health, Server

OLDEST = 140_000
SKEW_S = 1.0
"""Seconds that two clocks may differ."""


async def check(health: Health, url: str, clock: Clock) -> AsyncIterator[Finding]:
    """Raises Unavailable when there is no answer at all."""
    before = clock.now_us()
    server = await health.server()
    between = (before + clock.now_us()) // 2
    if server.number < OLDEST:
        yield failed("PostgreSQL", server.version, "upgrade it to 14 or newer")
    else:
        yield ok("PostgreSQL", server.version)
    yield _durable(server)
    yield skew("PostgreSQL clock", server.now_us - between)
    yield _connections(server)
    status = await asyncio.to_thread(migrate.status, url)
    if status.pending:
        yield failed("schema", f"pending: {', '.join(status.pending)}", "signaldesk db upgrade")
        return
    yield ok("schema", f"at {status.current}, the newest")
    async for finding in _tenants(health):
        yield finding
    yield await _days(health, clock)


def skew(check: str, micros: int) -> Finding:
    """Whether a server's clock and ours agree."""
    seconds = micros / MICROS
    if abs(seconds) > SKEW_S:
        return failed(check, f"{seconds:+.1f} s from this machine's", "run an NTP client on both machines")
    return ok(check, f"{seconds:+.3f} s from this machine's")


def _durable(server: Server) -> Finding:
    settings = {
        "fsync": (server.fsync, ("on",)),
        "synchronous_commit": (server.synchronous_commit, ("on", "local", "remote_write", "remote_apply")),
        "full_page_writes": (server.full_page_writes, ("on",)),
    }
    wrong = [f"{name} = {found}" for name, (found, good) in settings.items() if found not in good]
    if wrong:
        return failed("PostgreSQL durability", ", ".join(wrong), "set them to on, or a crash loses alerts")
    return ok("PostgreSQL durability", "commits are on disk")


def _connections(server: Server) -> Finding:
    found = f"{server.connections} of {server.max_connections} connections used"
    if server.connections > 0.8 * server.max_connections:
        return warning("PostgreSQL connections", found, "raise max_connections")
    return ok("PostgreSQL connections", found)


async def _tenants(health: Health) -> AsyncIterator[Finding]:
    role = await health.tenant_role()
    if role is None:
        yield failed(
            "role signaldesk_app", "missing", "CREATE ROLE signaldesk_app NOLOGIN, then GRANT it to our user"
        )
    elif role.unbound or role.owned:
        mend = "ALTER ROLE signaldesk_app NOSUPERUSER NOBYPASSRLS, and let it own nothing"
        yield failed("role signaldesk_app", "can look past row-level security", mend)
    elif not role.granted:
        yield failed("role signaldesk_app", "our user may not become it", "GRANT signaldesk_app TO our user")
    else:
        yield ok("role signaldesk_app", "owns nothing, bound by row-level security")
    unguarded = await health.unguarded()
    if unguarded:
        mend = "restore the policies of the migrations; tenants are kept apart by the program alone"
        yield failed("row-level security", f"off for {', '.join(unguarded)}", mend)
    else:
        yield ok("row-level security", "on for every table with rows of tenants")


async def _days(health: Health, clock: Clock) -> Finding:
    today, tomorrow = await health.day_tables(from_us(clock.now_us()))
    if today and tomorrow:
        return ok("day tables", "today's and tomorrow's are there")
    which = "today's" if not today else "tomorrow's"
    return warning("day tables", f"{which} is missing", "start a processor, which makes them ahead")
