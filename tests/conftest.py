"""What every test may ask for.

- `database_url`: a PostgreSQL database of its own, migrated; `empty_database_url`: the same, not migrated
- `redis_url`: an empty Redis database
- `lab`: the engine beside both, to be started and killed at will
- `own_postgres`, `own_valkey`: a server of its own, which the test may kill and restart

The servers are bundled ones, shared by the whole run. SIGNALDESK_DATABASE_URL and SIGNALDESK_REDIS_URL, set
in the environment, name real servers to use instead (the Redis database must be empty; tests flush it).
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import redis
import structlog

from signaldesk.embedded import EmbeddedPostgres, EmbeddedValkey
from tests.support import examples
from tests.support.databases import Databases, empty_redis_of_our_own, redis_database_url
from tests.support.run import SharedServers, Worker
from tests.support.scratch import in_memory
from tests.support.undisturbed import Floor

if TYPE_CHECKING:
    from tests.support.lab import Lab

examples.load_profile()


def pytest_configure(config: pytest.Config) -> None:
    """Put `tmp_path` and the data of servers into memory; --basetemp and the variable have precedence.

    And hear Ctrl-C: a shell makes what it runs in the background deaf to it, and processes inherit that from
    each other. Tests send it.
    """
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)
    if config.option.basetemp is None and (folder := in_memory()) is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end: do not look for garbage in it again and again.

    It is a million objects. Looking through them took a fifth of the collection, and more than half a second
    of whichever test was running when it was their turn.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: begun last, one of them would run while other workers are done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that measures time waits for the other workers' tests to end, and theirs for its own."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with Floor(Path(item.config.option.basetemp).parent).taken(
        alone=item.get_closest_marker("undisturbed") is not None
    ):
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def given_environment() -> Iterator[dict[str, str]]:
    """The SIGNALDESK_… variables the run was started with; no test sees them by accident."""
    given = {name: value for name, value in os.environ.items() if name.startswith("SIGNALDESK_")}
    with pytest.MonkeyPatch.context() as patch:
        for name in given:
            patch.delenv(name)
        yield given


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """What a failed test shows beside its own words; the default takes seconds to draw a traceback."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=True),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )


@pytest.fixture(scope="session")
def shared_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServers]:
    """The servers of this run, which all its workers share."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    base = tmp_path_factory.getbasetemp()
    shared = SharedServers(
        Worker(
            run=os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid4().hex)[:12],
            number=int(worker.removeprefix("gw")) if worker else 0,
            folder=(base.parent if worker else base) / "servers",
            controller=os.getppid() if worker else os.getpid(),
        )
    )
    yield shared
    shared.leave()


@pytest.fixture(scope="session")
def databases(given_environment: dict[str, str], shared_servers: SharedServers) -> Iterator[Databases]:
    """Makes databases on the PostgreSQL server of this run."""
    url = given_environment.get("SIGNALDESK_DATABASE_URL") or shared_servers.postgres().url
    databases = Databases(url, shared_servers)
    yield databases
    databases.close()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A migrated PostgreSQL database that no other test uses."""
    with databases.fresh(migrated=True) as url:
        yield url


@pytest.fixture
def empty_database_url(databases: Databases) -> Iterator[str]:
    """A PostgreSQL database without anything in it, that no other test uses."""
    with databases.fresh(migrated=False) as url:
        yield url


@pytest.fixture(scope="session")
def worker_redis_url(given_environment: dict[str, str], shared_servers: SharedServers) -> str:
    """The Redis database of this worker. Pub/sub channels are shared by all databases of a server."""
    given = given_environment.get("SIGNALDESK_REDIS_URL")
    url = redis_database_url(given or shared_servers.valkey().url, shared_servers.worker.number)
    if given:
        empty_redis_of_our_own(url)
    return url


@pytest.fixture
def redis_url(worker_redis_url: str) -> Iterator[str]:
    """A Redis database that is empty and used by no other test."""
    with redis.Redis.from_url(worker_redis_url) as client:
        client.flushdb()
        yield worker_redis_url
        client.flushdb()


@pytest.fixture(scope="module")
def files_redis_url(worker_redis_url: str) -> str:
    """A Redis database that is empty when a file's tests begin, which share it."""
    with redis.Redis.from_url(worker_redis_url) as client:
        client.flushdb()
    return worker_redis_url


@pytest.fixture
async def lab(database_url: str, redis_url: str) -> AsyncIterator[Lab]:
    """An empty laboratory of the engine."""
    from tests.support.lab import Lab

    lab = Lab(database_url, redis_url)
    yield lab
    await lab.close()


@pytest.fixture
def own_postgres(shared_servers: SharedServers, tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server of this test's own, as durable as in production; its database is not migrated."""
    shared_servers.new_cluster(tmp_path / "own-postgres")
    with EmbeddedPostgres(tmp_path / "own-postgres") as server:
        yield server
    shutil.rmtree(server.data_dir)


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A Valkey server of this test's own, as durable as in production."""
    with EmbeddedValkey(tmp_path / "own-valkey") as server:
        yield server
    shutil.rmtree(server.data_dir)
