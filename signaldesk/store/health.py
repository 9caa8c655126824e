"""How Postgres and what is kept in it are doing, for the operator. Changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import text

from signaldesk import statements
from signaldesk.store import schema
from signaldesk.store.database import Database


class Server(NamedTuple):
    """The server and the settings that durability rests on, as it spells them."""

    version: str
    number: int
    now_us: int
    fsync: str
    synchronous_commit: str
    full_page_writes: str
    max_connections: int
    connections: int


class TenantRole(NamedTuple):
    """`signaldesk_app`: whether it can look past row-level security, whether we may become it."""

    unbound: bool
    granted: bool
    owned: int


class PartitionPlace(NamedTuple):
    """A partition of the stream: how far it is stored, and whether a living processor owns it."""

    id: int
    position: int
    owned: bool
    tries: int


class OutboxLag(NamedTuple):
    """Notifications that should have gone out by now."""

    oldest_s: float
    overdue: int


class Trouble(NamedTuple):
    """Events and rules set aside, channels switched off because they failed, and owners to tell about it."""

    poison: int
    channels_off: int
    owners: int
    rules_aside: int


class Health:
    """Every method is one question. Raises Unavailable."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._sql = statements.named("postgres/health.sql")

    async def schema(self) -> tuple[str | None, str]:
        """(revision the database is at: None when it is empty, the newest there is).

        The same as `migrate.status` says, without loading the tool that migrates.
        """
        if not (await self._rows("has_schema"))[0][0]:
            return None, schema.newest()
        rows = await self._rows("schema")
        return (rows[0][0] if rows else None), schema.newest()

    async def server(self) -> Server:
        return Server(*(await self._rows("server"))[0])

    async def tenant_role(self) -> TenantRole | None:
        """None when there is no such role."""
        rows = await self._rows("tenant_role")
        return TenantRole(*rows[0]) if rows else None

    async def unguarded(self) -> list[str]:
        """Tables with rows of tenants that row-level security does not guard."""
        return list((await self._rows("unguarded"))[0][0])

    async def day_tables(self, now: datetime) -> tuple[bool, bool]:
        """Whether today's and tomorrow's tables of events are there."""
        days = {"today": f"events_{now:%Y%m%d}", "tomorrow": f"events_{now + timedelta(days=1):%Y%m%d}"}
        row = (await self._rows("day_tables", **days))[0]
        return row[0], row[1]

    async def partitions(self) -> list[PartitionPlace]:
        return [PartitionPlace(*row) for row in await self._rows("partitions")]

    async def outbox(self) -> OutboxLag:
        return OutboxLag(*(await self._rows("outbox"))[0])

    async def trouble(self) -> Trouble:
        return Trouble(*(await self._rows("trouble"))[0])

    async def notifications(self) -> dict[str, int]:
        """Status -> notifications made within 24 hours, of all organisations."""
        return {row.status: row.many for row in await self._rows("notifications")}

    async def alerts(self) -> dict[str, int]:
        """Severity -> alerts that are not resolved, of all organisations; imports are no part of it."""
        return {row.severity: row.many for row in await self._rows("alerts")}

    async def _rows(self, name: str, **values: Any) -> list[Any]:
        async with self._database.system() as connection:
            return list(await connection.execute(text(self._sql[name]), values))
