"""Terminals: one that sees no SignalDesk at all, one with servers of its own, and running installations."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from signaldesk.accounts.passwords import Passwords
from signaldesk.accounts.users import Users
from signaldesk.store.database import Database
from tests.support.commands import Terminal, Up, up
from tests.support.run import SharedServers

PASSWORD = "correct horse battery\n"


class Desk(NamedTuple):
    """A running installation with an organisation `acme-shop`, and a terminal that has its key."""

    up: Up
    terminal: Terminal
    key: str


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A terminal in an empty folder; nothing is set and nothing runs."""
    return Terminal(tmp_path, {"SIGNALDESK_DATA_DIR": str(tmp_path / "data")})


@pytest.fixture
def servers(terminal: Terminal, database_url: str, redis_url: str) -> Terminal:
    """A terminal whose settings name a migrated database and an empty Redis."""
    return terminal.with_(SIGNALDESK_DATABASE_URL=database_url, SIGNALDESK_REDIS_URL=redis_url)


@pytest.fixture
def acme(servers: Terminal, database_url: str) -> Terminal:
    """The same with an organisation `acme-shop`."""
    asyncio.run(_found(database_url))
    return servers


@contextmanager
def installed(folder: Path, shared_servers: SharedServers) -> Iterator[Desk]:
    """An installation with its first organisation."""
    shared_servers.new_cluster(folder / "data" / "postgres")
    terminal = Terminal(folder, {"SIGNALDESK_DATA_DIR": str(folder / "data")})
    with up(terminal, folder / "data") as running:
        terminal.run(
            "init", "--email", "you@example.com", "--org", "Acme Shop", "--password-stdin", stdin=PASSWORD
        )
        key = terminal.run("keys", "create", "--scopes", "*").out.strip()
        yield Desk(running, terminal.with_(SIGNALDESK_API_KEY=key), key)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory, shared_servers: SharedServers) -> Iterator[Desk]:
    """An installation for tests with types of events of their own, which they leave as they found it."""
    with installed(tmp_path_factory.mktemp("desk"), shared_servers) as desk:
        yield desk


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Where an `up` keeps its data; tens of megabytes, removed afterwards."""
    yield tmp_path / "data"
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


@pytest.fixture
def ready_data(data: Path, shared_servers: SharedServers) -> Path:
    """The same where `up` has no new database to make."""
    shared_servers.new_cluster(data / "postgres")
    return data


async def _found(url: str) -> None:
    """What `signaldesk init` does, without a process and with a password that is cheap to keep."""
    database = Database(url)
    cheap = Passwords(Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1))
    try:
        users = Users(database=database, passwords=cheap)
        await users.found(org="Acme Shop", email="you@example.com", password=PASSWORD.strip())
    finally:
        await database.close()
