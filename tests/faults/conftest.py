"""Installations to break: one of `signaldesk up`, and roles that a test starts on servers of its own."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from signaldesk.accounts.passwords import Passwords
from signaldesk.accounts.users import Users
from signaldesk.desk import Urls, opened
from signaldesk.embedded import EmbeddedPostgres, EmbeddedValkey
from signaldesk.settings import Settings
from signaldesk.store import migrate
from tests.faults.findings import Books
from tests.faults.receiver import Receiver, receiving
from tests.faults.traffic import RULES
from tests.support.commands import Process, Terminal, Up, free_port, up
from tests.support.run import SharedServers

BEGUN = {"ingest": "listening", "processor": "partition ready", "dispatcher": "role begins"}


class Site(NamedTuple):
    """An installation with an organisation, RULES, a key, and a webhook that is received."""

    port: int
    key: str
    rules: dict[str, str]
    """Ids by name."""
    books: Books


class Servers(NamedTuple):
    """A Postgres and a Valkey of the test's own, as durable as in production."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey

    @property
    def urls(self) -> Urls:
        return Urls(self.postgres.url, self.valkey.url)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A terminal whose webhooks may reach this machine."""
    variables = {"SIGNALDESK_DATA_DIR": str(tmp_path / "data"), "SIGNALDESK_OUTBOUND_ALLOW": "127.0.0.0/8"}
    return Terminal(tmp_path, variables)


@pytest.fixture
def running(terminal: Terminal, tmp_path: Path, shared_servers: SharedServers) -> Iterator[Up]:
    """A running `signaldesk up`."""
    shared_servers.new_cluster(tmp_path / "data" / "postgres")
    with up(terminal, tmp_path / "data") as running:
        yield running
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


@pytest.fixture
def site(running: Up, receiver: Receiver) -> Site:
    """The installation that `running` is."""
    return furnished(running.port, urls_of(running), receiver)


@pytest.fixture
def servers(own_postgres: EmbeddedPostgres, own_valkey: EmbeddedValkey) -> Servers:
    migrate.upgrade(own_postgres.url)
    return Servers(own_postgres, own_valkey)


@contextmanager
def roles(
    terminal: Terminal, urls: Urls, receiver: Receiver, *names: str
) -> Iterator[tuple[Site, dict[str, Process]]]:
    """The named roles as processes of their own that nobody starts again; `urls` is how they see servers."""
    there = seeing(terminal, urls)
    port = free_port()
    with ExitStack() as stack:
        processes = {}
        for name in names:
            where = ("--port", str(port)) if name == "ingest" else ()
            processes[name] = stack.enter_context(there.running("run", name, *where))
        site = furnished(port, urls, receiver)
        for name, process in processes.items():
            process.says(BEGUN[name])
        yield site, processes


def seeing(terminal: Terminal, urls: Urls) -> Terminal:
    return terminal.with_(SIGNALDESK_DATABASE_URL=urls.database, SIGNALDESK_REDIS_URL=urls.redis)


def urls_of(running: Up) -> Urls:
    """Where the servers of an `up` are."""
    note = json.loads((running.data / "run" / "up.json").read_text())
    return Urls(note["database_url"], note["redis_url"])


def furnished(port: int, urls: Urls, receiver: Receiver) -> Site:
    """Make the organisation, its channel and its rules."""
    key, rules = asyncio.run(_furnish(urls, receiver.url))
    return Site(port, key, rules, Books(urls.database))


async def _furnish(urls: Urls, hook: str) -> tuple[str, dict[str, str]]:
    cheap = Passwords(Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1))
    async with opened(Settings(), urls) as desk:
        users = Users(database=desk.database, passwords=cheap)
        founded = await users.found(org="Acme", email="you@example.com", password="correct horse battery")
        _, key = await desk.api_keys.create(founded.org_id, scopes=["events:write"])
        await desk.channels.create(founded.org_id, name="hook", kind="webhook", config={"url": hook})
        done = await desk.rules.apply(founded.org_id, RULES)
    return key, {one.name: str(one.id) for one in done}
