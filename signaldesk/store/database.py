"""The way to Postgres: a pool, and two kinds of transaction, the owner's and a tenant's."""

from __future__ import annotations

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from psycopg.pq import ConnStatus
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from signaldesk.errors import Unavailable
from signaldesk.store.urls import sqlalchemy_url

_ENTER_TENANT = text("SELECT set_config('role', 'signaldesk_app', true), set_config('app.org', :org, true)")


class Database:
    """A pool of connections to one database.

    Both kinds of transaction commit when the block ends and roll back when it raises. A lost or refused
    connection becomes `Unavailable`.
    """

    def __init__(self, url: str, *, pool_size: int = 10, application: str = "signaldesk") -> None:
        self.url = url
        self._engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=False,
            pool_timeout=5,
            connect_args={"connect_timeout": 3, "application_name": application},
        )
        event.listen(self._engine.sync_engine, "checkout", _still_there)

    @asynccontextmanager
    async def tenant(self, org_id: UUID) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees and writes only the rows of `org_id`, enforced by the database."""
        async with self.system() as connection:
            await connection.execute(_ENTER_TENANT, {"org": str(org_id)})
            yield connection

    @asynccontextmanager
    async def system(self) -> AsyncIterator[AsyncConnection]:
        """A transaction as the owner of the tables: for the engine, delivery, and questions of identity."""
        try:
            async with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            if _is_away(error):
                raise Unavailable("the database is away; try again shortly", retry_after=1) from error
            raise
        except (TimeoutError, OSError) as error:
            raise Unavailable("the database is away; try again shortly", retry_after=1) from error

    async def ping(self) -> None:
        """Raises Unavailable unless the database answers."""
        async with self.system() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._engine.dispose()


def _still_there(connection: Any, _record: Any, _proxy: Any) -> None:
    """Have connections made anew that ended while they were idle, as all do when the server starts again.

    An idle connection has nothing to read but its end: to look costs no round trip, as a ping would.
    """
    pgconn = connection.driver_connection.pgconn
    if pgconn.status != ConnStatus.OK or not _silent(pgconn.socket):
        raise InvalidatePoolError


def _silent(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
    return not poll.poll(0)


def _is_away(error: DBAPIError) -> bool:
    """Whether the server is gone, starting or stopping, rather than unhappy with the statement."""
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or state.startswith(("08", "57P", "53"))


__all__ = ["AsyncConnection", "Database"]
