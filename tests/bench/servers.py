"""The Postgres and the Valkey of a run: the product's own bundled ones, so durable and tuned as it ships.

Both sides use the same Postgres server. Valkey is started anew for every measurement, with the append-only
file on; how often that is flushed to disk is said by the caller. Both are reached through unix sockets.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from signaldesk.embedded import EmbeddedPostgres, EmbeddedValkey, binaries
from signaldesk.embedded.account import account_for

# When each event was committed is read from this afterwards, so that nobody has to poll meanwhile.
_POSTGRES = {"track_commit_timestamp": "on"}


class Postgres:
    """A fresh PostgreSQL server with a database for each side. A context manager."""

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedPostgres(folder, settings=_POSTGRES)

    @property
    def pid(self) -> int:
        return self._server.pid

    def url(self, database: str) -> str:
        return self._server.database_url(database)

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url(database), autocommit=True)

    def create(self, database: str) -> str:
        """Make an empty database of that name, in place of an older one, and return its URL."""
        name = sql.Identifier(database)
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
            connection.execute("CHECKPOINT")
        return self.url(database)

    def version(self) -> str:
        with self.connect("postgres") as connection:
            row = connection.execute("SHOW server_version").fetchone()
        return str(row[0]) if row else "?"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()


class Valkey:
    """A fresh Valkey server, flushed to disk `appendfsync` (always, everysec). A context manager."""

    def __init__(self, folder: Path, *, appendfsync: str) -> None:
        self._folder = folder
        self._server = EmbeddedValkey(folder, settings={"appendfsync": appendfsync})

    @property
    def pid(self) -> int:
        return self._server.pid

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def socket(self) -> str:
        """Path of the unix socket."""
        return self.url.removeprefix("unix://").partition("?")[0]

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def valkey_version() -> str:
    program = binaries.find(binaries.VALKEY, account_for(Path.cwd()))
    said = subprocess.run([program.path, "--version"], capture_output=True, text=True, check=True).stdout
    return next((word[2:] for word in said.split() if word.startswith("v=")), "?")
