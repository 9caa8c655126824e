"""The engine's connection to Postgres: opened when first needed, and again after it was lost.

Synchronous, because the engine commits in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from signaldesk.errors import Unavailable
from signaldesk.store.urls import libpq_url

FROZEN_S = 10.0
"""A process that is stopped in the middle of a commit would keep its partition locked until it goes on."""

_TOO_MUCH = "54"
"""SQLSTATE class of what exceeds a limit of PostgreSQL's: no server that comes back would take it."""

_GONE = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.IdleInTransactionSessionTimeout)

Connection = psycopg.Connection[Any]


class EngineLine:
    """One connection; transactions take turns. Raises Unavailable when Postgres is away."""

    def __init__(self, url: str, *, owner: str, frozen_s: float = FROZEN_S) -> None:
        """`frozen_s`: Postgres ends a transaction in which this process does nothing for so many seconds."""
        self._url = libpq_url(url)
        self._owner = owner
        self._frozen_ms = round(frozen_s * 1000)
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                row_factory=namedtuple_row,
                connect_timeout=3,
                application_name=f"signaldesk processor {self._owner}",
                autocommit=True,
            )
            self._connection.prepare_threshold = 2
            self._connection.execute(f"SET idle_in_transaction_session_timeout = {self._frozen_ms}".encode())
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Cursor[Any]]:
        with self._connected() as connection, connection.transaction(), connection.cursor() as cursor:
            yield cursor

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """For a transaction that says BEGIN and COMMIT itself; what fails in between is taken back."""
        with self._connected() as connection:
            try:
                yield connection
            except BaseException:
                if not connection.closed:
                    connection.rollback()
                raise

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._lock:
                yield self._open()
        except _GONE as error:
            self.close()
            if (error.sqlstate or "").startswith(_TOO_MUCH):
                raise
            raise Unavailable("the database is away", retry_after=1) from error
