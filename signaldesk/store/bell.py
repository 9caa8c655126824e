"""The bell between whoever fills the outbox and whoever empties it: a NOTIFY of Postgres.

Not through Redis, which was measured to be slower by milliseconds: with `appendfsync always` a message waits
for the disk writes of others, its own loop's included. A bell that nobody hears costs a second: dispatchers
look by themselves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg

from signaldesk.errors import Unavailable
from signaldesk.store.urls import libpq_url

RING = "NOTIFY signaldesk_outbox"
"""A transaction of its own, after the one that filled the outbox: transactions that notify commit one by one,
and this one need not wait for the disk."""
_LISTEN = "LISTEN signaldesk_outbox"


async def rings(url: str) -> AsyncIterator[None]:
    """Yields once when it begins to listen, and then whenever somebody rang.

    Raises Unavailable when the connection is lost; the caller must assume that it missed something.
    """
    try:
        connection = await psycopg.AsyncConnection.connect(
            libpq_url(url), autocommit=True, connect_timeout=3, application_name="signaldesk outbox bell"
        )
        async with connection:
            await connection.execute(_LISTEN)
            yield None
            async for _ in connection.notifies():
                yield None
    except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
        raise Unavailable("the database is away; try again shortly", retry_after=1) from error
