"""An organisation's rows copied out of PostgreSQL as CSV, into files that have no name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from functools import cached_property
from typing import IO
from uuid import UUID

import psycopg

from signaldesk import statements
from signaldesk.errors import Unavailable
from signaldesk.store.urls import libpq_url

_ENTER_TENANT = "SELECT set_config('role', 'signaldesk_app', true), set_config('app.org', %s, true)"


class TooMuch(Exception):
    """The rows are more bytes than were asked for at most."""


class Extract:
    """Blocks; meant for threads. Every method takes the organisation first and works as that tenant."""

    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The tables that there are."""
        return tuple(self._queries)

    def copy(self, org_id: UUID, names: Iterable[str], *, most: int) -> dict[str, IO[bytes]]:
        """Each of these tables as CSV without a heading, all as of one moment; the caller closes the files.

        Raises TooMuch when they are more than `most` bytes together, Unavailable when PostgreSQL is away.
        """
        files: dict[str, IO[bytes]] = {}
        try:
            with psycopg.connect(self._url, connect_timeout=3) as connection:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.execute(_ENTER_TENANT, [str(org_id)])
                for name in names:
                    files[name] = unnamed_file()
                    most -= self._copy_one(connection, org_id, name, files[name], most)
        except BaseException as error:
            for file in files.values():
                file.close()
            if isinstance(error, psycopg.OperationalError):
                raise Unavailable("the database is away; try again shortly", retry_after=1) from error
            raise
        return files

    def _copy_one(
        self, connection: psycopg.Connection, org_id: UUID, name: str, file: IO[bytes], most: int
    ) -> int:
        query = f"COPY ({self._queries[name]}) TO STDOUT (FORMAT csv)"
        size = 0
        with connection.cursor() as cursor, cursor.copy(query, {"org": org_id}) as rows:
            for row in rows:
                size += len(row)
                if size > most:
                    raise TooMuch
                file.write(row)
        file.flush()
        return size

    @cached_property
    def _queries(self) -> dict[str, str]:
        return statements.named("postgres/extract.sql")


def unnamed_file() -> IO[bytes]:
    """In memory where the kernel can, and then readable by whoever is given it, whichever user that is."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("rows"), "w+b")
    return tempfile.TemporaryFile()
