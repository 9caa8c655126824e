"""One connection to Postgres for a few hot statements, each a transaction of its own.

A statement through the pool is four round trips (begin, settings, statement, commit) and two milliseconds of
Python; here it is one round trip and a fifth of that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from signaldesk.errors import Unavailable
from signaldesk.store.urls import libpq_url

Row = tuple[Any, ...]


class Line:
    """Opens itself when first used and again after it was lost; one statement at a time, others queue.

    Whatever interrupts a statement, cancellation included, ends the connection: its state is unknown.
    Every method raises Unavailable when Postgres cannot be reached.
    """

    def __init__(self, url: str, *, application: str, durable: bool = True) -> None:
        """`durable`: false when a commit need not wait for the disk."""
        self._url = libpq_url(url)
        self._application = application
        self._durable = durable
        self._connection: psycopg.AsyncConnection[Row] | None = None
        self._lock = asyncio.Lock()

    async def fetch(self, statement: str, values: Mapping[str, Any]) -> list[Row]:
        """The rows of one statement, which is committed when they come back; none if it returns none."""
        async with self._open() as connection:
            return await _rows(connection, statement, values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Line.Within]:
        """Several statements, all or none."""
        async with self._open() as connection, connection.transaction():
            yield Line.Within(connection)

    async def close(self) -> None:
        async with self._lock:
            await self._drop()

    class Within:
        """Inside a transaction."""

        def __init__(self, connection: psycopg.AsyncConnection[Row]) -> None:
            self._connection = connection

        async def fetch(self, statement: str, values: Mapping[str, Any]) -> list[Row]:
            """The rows of one statement; none if it returns none."""
            return await _rows(self._connection, statement, values)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        async with self._lock:
            try:
                if self._connection is None:
                    self._connection = await self._connected()
                yield self._connection
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
                await self._drop()
                raise Unavailable("the database is away; try again shortly", retry_after=1) from error
            except BaseException:
                await self._drop()
                raise

    async def _connected(self) -> psycopg.AsyncConnection[Row]:
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=3, application_name=self._application
        )
        try:
            # Compiling plans costs these statements more than it saves. Not as an option: poolers know none.
            await connection.execute("SELECT set_config('jit', 'off', false)")
            if not self._durable:
                await connection.execute("SELECT set_config('synchronous_commit', 'off', false)")
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def _rows(
    connection: psycopg.AsyncConnection[Row], statement: str, values: Mapping[str, Any]
) -> list[Row]:
    # Statements are constants of sql/, never put together from anything else.
    cursor = await connection.execute(statement.encode(), values, prepare=True)
    return await cursor.fetchall() if cursor.description else []
