"""Migrations, forward only, with Alembic: each is a plain SQL file beside a stub in `sql/postgres`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

from signaldesk import statements
from signaldesk.errors import Unavailable
from signaldesk.store.schema import LOCK
from signaldesk.store.urls import sqlalchemy_url


@dataclass(frozen=True)
class Status:
    """Where a database stands: `current` is None when it is empty; `pending` in the order they will run."""

    current: str | None
    head: str
    pending: tuple[str, ...]


def upgrade(url: str, revision: str = "head") -> Status:
    """Bring the database to `revision`; does nothing when it is already there.

    Raises Unavailable when the database cannot be reached.
    """
    with _connection(url) as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
        connection.commit()
        try:
            command.upgrade(_config(connection), revision)
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
            connection.commit()
        return _status(connection)


def status(url: str) -> Status:
    """Where the database stands, without changing it."""
    with _connection(url) as connection:
        return _status(connection)


def run_script(path: Path) -> None:
    """Run a file of SQL statements inside the current migration."""
    raw: Any = op.get_bind().connection.driver_connection
    raw.execute(path.read_text(encoding="utf-8"))


def _status(connection: Connection) -> Status:
    script = ScriptDirectory.from_config(_config(connection))
    current = MigrationContext.configure(connection).get_current_revision()
    head = script.get_current_head()
    assert head is not None
    pending = (
        () if current == head else tuple(step.revision for step in script.iterate_revisions(head, current))
    )
    return Status(current, head, pending[::-1])


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(statements.folder("sql") / "postgres" / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


class _connection:
    def __init__(self, url: str) -> None:
        self._engine = create_engine(sqlalchemy_url(url))

    def __enter__(self) -> Connection:
        try:
            self._connection = self._engine.connect()
        except OperationalError as error:
            self._engine.dispose()
            raise Unavailable(f"the database cannot be reached: {error.orig}") from None
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._engine.dispose()
