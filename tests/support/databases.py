"""Fresh databases: a PostgreSQL one cloned from a migrated template, a numbered one of Redis per worker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
import pytest
import redis
from psycopg import sql

from signaldesk.store.urls import libpq_url
from tests.support.run import SharedServers


class Databases:
    """Makes and drops databases on one PostgreSQL server, whose URL is `admin_url`."""

    def __init__(self, admin_url: str, shared: SharedServers) -> None:
        self._admin_url = libpq_url(admin_url)
        self._shared = shared
        self._numbers = count()
        self._prefix = f"test_{shared.worker.run}"
        self._template: str | None = None
        self._connected: psycopg.Connection[Any] | None = None

    @contextmanager
    def fresh(self, *, migrated: bool) -> Iterator[str]:
        """The URL of a database that nobody used before; it is dropped at the end."""
        template = self._migrated_template() if migrated else None
        name = f"{self._prefix}_{self._shared.worker.number}_{next(self._numbers)}"
        self._create(name, template)
        try:
            yield database_url(self._admin_url, name)
        finally:
            self._drop(name)

    def close(self) -> None:
        """Drop the template if no other worker uses it."""
        if self._template is not None:
            with self._shared.count("template", -1) as users:
                if users == 0:
                    self._drop(self._template)
        if self._connected is not None:
            self._connected.close()

    def _migrated_template(self) -> str:
        """The name of the run's template, migrated once by whichever worker needs it first."""
        if self._template is None:
            name = f"{self._prefix}_template"
            with self._shared.count("template", +1):
                if not self._exists(name):
                    self._make_template(name)
            self._template = name
        return self._template

    def _make_template(self, name: str) -> None:
        from signaldesk.store import migrate

        # Under another name until it is whole: a migration that fails must fail for every worker.
        half = f"{name}_half"
        self._drop(half)
        self._create(half, None)
        migrate.upgrade(database_url(self._admin_url, half))
        self._run(sql.SQL("ALTER DATABASE {} RENAME TO {}"), half, name)

    def _create(self, name: str, template: str | None) -> None:
        # Copying files beats writing the copy to the log, which is the default since version 15.
        how = " STRATEGY file_copy" if self._admin.info.server_version >= 150_000 else ""
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}" + how), name, template or "template0")

    def _drop(self, name: str) -> None:
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"), name)

    def _exists(self, name: str) -> bool:
        found = self._admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return bool(found.fetchone())

    def _run(self, statement: sql.SQL, *names: str) -> None:
        self._admin.execute(statement.format(*map(sql.Identifier, names)))

    @property
    def _admin(self) -> psycopg.Connection[Any]:
        """The connection that makes and drops all of them: opening one costs a quarter as much as they do."""
        if self._connected is None or self._connected.broken:
            self._connected = psycopg.connect(self._admin_url, autocommit=True)
        return self._connected


def database_url(url: str, name: str) -> str:
    """The same server, another database."""
    return re.sub(r"^([^:]+://[^/?]*)(/[^?]*)?", rf"\1/{name}", url)


def redis_database_url(url: str, number: int) -> str:
    """The same Redis, another numbered database."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return urlunsplit(parts._replace(path=f"/{number}"))
    query = urlencode({**dict(parse_qsl(parts.query)), "db": str(number)})
    return f"unix://{parts.path}?{query}"


def empty_redis_of_our_own(url: str) -> None:
    """Fail unless the database of a Redis that is not ours is empty: tests flush it before each use."""
    name = f"SIGNALDESK_REDIS_URL, database {url.rpartition('db=')[2] or url.rpartition('/')[2]},"
    with redis.Redis.from_url(url) as client:
        try:
            keys = client.dbsize()
        except redis.RedisError as error:
            pytest.fail(f"{name} cannot be used for tests: {error}", pytrace=False)
    if keys:
        pytest.fail(
            f"{name} holds {keys} keys, and tests would delete them; "
            "empty it (FLUSHDB) if they may go, or name another server",
            pytrace=False,
        )
