"""What a commit keeps from others: its partition while it lives, and no longer when it is frozen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from signaldesk.embedded import EmbeddedPostgres
from signaldesk.errors import Fenced, Unavailable
from signaldesk.store import migrate
from signaldesk.store.ledger import Ledger
from signaldesk.store.urls import libpq_url
from tests.support import eventually_now

FROZEN_S = 0.5
LEASE_S = 1.0
CHANGE = "UPDATE partitions SET position = position + 1 WHERE id = %(id)s"
"""What every commit begins with."""

Connection = psycopg.Connection[Any]
Where = Callable[[Connection], AbstractContextManager[None]]
"""Where in a commit a process is stopped."""


def ledger(url: str, owner: str) -> Ledger:
    return Ledger(url, owner=owner, frozen_s=FROZEN_S)


@contextmanager
def idle(connection: Connection) -> Iterator[None]:
    """Between two statements."""
    yield


@contextmanager
def copying(connection: Connection) -> Iterator[None]:
    """In the middle of handing over rows, of which some have come."""
    connection.execute("CREATE TEMP TABLE taken (line text)")
    with connection.cursor().copy("COPY taken FROM STDIN") as copy:
        copy.write("one line\nand half of")
        yield
        copy.write(" another\n")


@pytest.fixture
def worker(own_postgres: EmbeddedPostgres) -> str:
    """The database URL of a user who owns nothing, and may read and write what partitions are claimed by."""
    migrate.upgrade(own_postgres.url)
    with psycopg.connect(libpq_url(own_postgres.url), autocommit=True) as admin:
        (logins,) = own_postgres.data_dir.rglob("pg_hba.conf")
        logins.write_text(f"local all worker trust\n{logins.read_text()}")
        admin.execute("CREATE ROLE worker LOGIN")
        admin.execute("GRANT SELECT, UPDATE ON partitions, leases TO worker")
        admin.execute("SELECT pg_reload_conf()")
    url = f"{own_postgres.url}{'&' if '?' in own_postgres.url else '?'}user=worker"
    eventually_now(lambda: lets_in(url))
    return url


def lets_in(url: str) -> bool:
    try:
        psycopg.connect(libpq_url(url)).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(params=["database_url", "worker"])
def login(request: pytest.FixtureRequest) -> str:
    """A database URL: that of the tables' owner, or that of a user who owns nothing."""
    return str(request.getfixturevalue(request.param))


@pytest.mark.parametrize("where", [idle, copying])
def test_another_process_takes_the_partition_of_one_that_is_frozen_while_it_commits(
    login: str, where: Where
) -> None:
    with closing(ledger(login, "frozen")) as frozen, closing(ledger(login, "other")) as other:
        (claim,) = frozen.claim(1, lease=0.0)
        with pytest.raises(Unavailable), frozen._transaction() as cursor:
            cursor.execute(CHANGE, {"id": claim.partition})
            with where(cursor.connection):
                eventually_now(lambda: claim.partition in claimed(other), 20)
            cursor.execute(CHANGE, {"id": claim.partition})
        with pytest.raises(Fenced):
            frozen.look(claim)
        assert frozen.renew(LEASE_S) == set()


def test_a_commit_that_takes_longer_than_a_lease_keeps_its_partition_and_those_beside_it(
    database_url: str,
) -> None:
    with (
        closing(ledger(database_url, "busy")) as leases,
        closing(ledger(database_url, "busy")) as commits,
        closing(ledger(database_url, "other")) as other,
    ):
        claims = leases.claim(2, LEASE_S)
        mine = {claim.partition for claim in claims}
        with commits._transaction() as cursor:
            cursor.execute(CHANGE, {"id": claims[0].partition})
            with copying(cursor.connection):
                end = time.monotonic() + LEASE_S + 2 * FROZEN_S
                while time.monotonic() < end:
                    assert leases.renew(LEASE_S) == mine
                    assert not claimed(other) & mine
        assert not claimed(other) & mine
        assert commits.look(claims[0]).position == claims[0].position + 1


def test_who_may_not_end_a_frozen_commit_says_so_and_takes_what_else_there_is(
    own_postgres: EmbeddedPostgres, worker: str
) -> None:
    with closing(ledger(own_postgres.url, "frozen")) as frozen, closing(ledger(worker, "other")) as other:
        (claim,) = frozen.claim(1, lease=0.0)
        with frozen._transaction() as cursor, capture_logs() as logs:
            cursor.execute(CHANGE, {"id": claim.partition})
            with copying(cursor.connection):
                others = claimed(other)
                assert others
                assert claim.partition not in others
                eventually_now(lambda: not claimed(other) and logs, 20)
        assert "GRANT pg_signal_backend" in logs[0]["mend"]
        assert frozen.look(claim).position == claim.position + 1


def claimed(ledger: Ledger) -> set[int]:
    """What it gets of all that there is."""
    return {claim.partition for claim in ledger.claim(1000, lease=60.0)}
