"""Single rows that the engine or delivery would have made, for tests of those who read them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from signaldesk.clock import SystemClock, from_us
from signaldesk.ids import new_id
from signaldesk.store import tables as t
from signaldesk.store.backtests import BacktestStore
from signaldesk.store.database import Database
from signaldesk.store.days import Days
from tests.support.tenants import make_channel, put_notifications


def now() -> datetime:
    return from_us(SystemClock().now_us())


@lru_cache(maxsize=1)
def _days(url: str) -> Days:
    """What a test's database has days for: to look costs a connection."""
    return Days(url)


async def event(database: Database, org_id: UUID, **values: Any) -> UUID:
    """A stored event, in its organisation's partition; `timestamp` and `received_at` are now unless given."""
    given = {
        "timestamp": now(),
        "received_at": now(),
        "type": "checkout_failed",
        "payload": {"country": "DE"},
    }
    row: dict[str, Any] = {
        "id": new_id(), "org_id": org_id, "source": None, "lane": "", "clock_skewed": False, "behind": 0,
        "position": new_id().int >> 66, "idx": 0, **given, **values,
    }  # fmt: skip
    await _days(database.url).ensure([round(row["received_at"].timestamp() * 1e6)])
    async with database.system() as connection:
        home = await connection.scalar(select(t.orgs.c.partition).where(t.orgs.c.id == org_id))
        await connection.execute(insert(t.events).values(**{"partition": home or 0, **row}))
    return UUID(str(row["id"]))


async def rule(database: Database, org_id: UUID, name: str = "Checkout failures by country") -> UUID:
    """A rule's row, without a version: enough to be pointed at."""
    rule_id = new_id()
    async with database.system() as connection:
        values = {"id": rule_id, "org_id": org_id, "name": name, "version": 1, "since_version": 1}
        await connection.execute(insert(t.rules).values(**values, fingerprint="0"))
    return rule_id


async def backtest(database: Database, org_id: UUID) -> UUID:
    """A backtest that runs somewhere."""
    since = now() - timedelta(hours=1)
    return (
        await BacktestStore(database=database).add(org_id, new_id(), "Checkout failures", since, now(), None)
    ).id


async def alert(database: Database, org_id: UUID, *, rule_id: UUID | None = None, **values: Any) -> UUID:
    """An open alert that fired just now."""
    rule_id = rule_id or await rule(database, org_id, name=f"rule {new_id()}")
    row: dict[str, Any] = {
        "id": new_id(), "org_id": org_id, "rule_id": rule_id, "rule_version": 1, "lane": "",
        "group_key": str(new_id()), "group": {"country": "DE"}, "title": "Checkout failures by country",
        "severity": "critical", "labels": {}, "state": "open", "event_id": new_id(), "opened_at": now(),
        "last_fired_at": now(), "firings": 1, "value": 14.0, "at_least": False, "threshold": 3.0,
        "window": 60_000_000, **values,
    }  # fmt: skip
    async with database.system() as connection:
        await connection.execute(insert(t.alerts).values(**row))
    return UUID(str(row["id"]))


async def firing(
    database: Database, org_id: UUID, rule_id: UUID, *, ago: timedelta = timedelta(), **values: Any
) -> UUID:
    """A firing of a rule, so long ago."""
    moment = now() - ago
    row: dict[str, Any] = {
        "id": new_id(), "org_id": org_id, "rule_id": rule_id, "rule_version": 1, "lane": "", "group_key": "",
        "group": {}, "alert_id": new_id(), "event_id": new_id(), "timestamp": moment, "value": 3.0,
        "at_least": True, "threshold": 3.0, "window_from": moment, "window_to": moment, "evidence": [],
        "shadow": False, "partition": 0, "position": 1, **values,
    }  # fmt: skip
    async with database.system() as connection:
        await connection.execute(insert(t.firings).values(**row))
    return UUID(str(row["id"]))


async def suppression(database: Database, org_id: UUID, rule_id: UUID, **values: Any) -> None:
    """A firing that a cooldown held back just now."""
    row: dict[str, Any] = {
        "org_id": org_id, "rule_id": rule_id, "lane": "", "group_key": "", "group": {}, "reason": "cooldown",
        "since": now(), "until": now(), "count": 1, "first_event": new_id(), "last_event": new_id(), **values,
    }  # fmt: skip
    async with database.system() as connection:
        await connection.execute(insert(t.suppressions).values(**row))


async def notification(database: Database, org_id: UUID) -> UUID:
    """A pending notification of a channel of its own."""
    channel_id = await make_channel(database, org_id, config={"url": "https://hooks.test/x"})
    (notification_id,) = await put_notifications(database, org_id, channel_id)
    return notification_id


async def count_events(
    database: Database,
    org_id: UUID,
    minute: datetime,
    events: int,
    matched: int = 0,
    type: str = "checkout_failed",
) -> None:
    """What the engine wrote down for one minute of one type."""
    await count_minutes(database, org_id, [(minute, events, matched)], type)


async def count_minutes(
    database: Database,
    org_id: UUID,
    minutes: Iterable[tuple[datetime, int, int]],
    type: str = "checkout_failed",
) -> None:
    """The same for many: minute, events, matched."""
    rows = [
        {"org_id": org_id, "minute": minute, "type": type, "events": events, "matched": matched}
        for minute, events, matched in minutes
    ]
    async with database.system() as connection:
        await connection.execute(insert(t.event_counts), rows)
