"""Which revision a schema is at, and whether anybody is in it: asked before anything else is loaded.

Needs no pool and no event loop, and loads neither SQLAlchemy nor the tool that migrates unless there is
something to migrate: at most starts, there is not.
"""

from __future__ import annotations

import psycopg

from signaldesk import statements
from signaldesk.errors import Unavailable
from signaldesk.store.urls import libpq_url


def newest() -> str:
    """The newest revision there is."""
    versions = statements.folder("sql") / "postgres" / "migrations" / "versions"
    return max(file.name.partition("_")[0] for file in versions.glob("[0-9]*.py"))


def stamped(url: str) -> str | None:
    """The revision that the database is at, None when it is empty. Raises Unavailable."""
    sql = statements.named("postgres/health.sql")
    with _connected(url) as connection:
        found = connection.execute(sql["has_schema"]).fetchone()
        if found is None or not found[0]:
            return None
        row = connection.execute(sql["schema"]).fetchone()
        return None if row is None else str(row[0])


def bring_up_to_date(url: str) -> None:
    """As `migrate.upgrade` does. Raises Unavailable when the database cannot be reached."""
    if stamped(url) != newest():
        from signaldesk.store import migrate

        migrate.upgrade(url)


def anybody(url: str) -> bool:
    """Whether there is any user yet. Raises Unavailable."""
    with _connected(url) as connection:
        return connection.execute("SELECT FROM users LIMIT 1").fetchone() is not None


def _connected(url: str) -> psycopg.Connection:
    try:
        return psycopg.connect(libpq_url(url))
    except psycopg.OperationalError as error:
        raise Unavailable(f"the database cannot be reached: {error}", retry_after=1) from error
