"""The fixtures every other test stands on: fresh databases, servers that may be killed, waiting."""

import itertools

import psycopg
import pytest
import redis

from signaldesk.embedded import EmbeddedPostgres, EmbeddedValkey
from tests.support import eventually, eventually_now
from tests.support.databases import database_url as with_database
from tests.support.databases import redis_database_url


@pytest.mark.parametrize("turn", range(2))
def test_every_test_has_a_migrated_database_of_its_own(database_url: str, turn: int) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT to_regclass('events') IS NOT NULL").fetchone() == (True,)
        connection.execute("CREATE TABLE left_over (n int)")  # would fail in a database used before


def test_an_empty_database_is_empty(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (0,)


@pytest.mark.parametrize("turn", range(2))
def test_every_test_has_an_empty_redis(redis_url: str, turn: int) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left over", turn)


def test_a_postgres_of_ones_own_may_be_killed(own_postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(own_postgres.url) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS n")
    own_postgres.kill()
    own_postgres.restart()
    with psycopg.connect(own_postgres.url) as connection:
        assert connection.execute("SELECT n FROM t").fetchone() == (1,)


def test_a_valkey_of_ones_own_may_be_killed(own_valkey: EmbeddedValkey) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        client.set("n", 1)
        own_valkey.kill()
        own_valkey.restart()
        assert client.get("n") == b"1"


def test_a_test_does_not_see_the_settings_it_was_started_with(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    assert not [name for name in os.environ if name.startswith("SIGNALDESK_")]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://desk@/desk?host=/tmp/s", "postgresql://desk@/x?host=/tmp/s"),
        ("postgresql+psycopg://u:p@h:1/b", "postgresql+psycopg://u:p@h:1/x"),
        ("postgresql://h", "postgresql://h/x"),
        ("postgresql:///b?host=/s", "postgresql:///x?host=/s"),
    ],
)
def test_a_url_can_name_another_database(url: str, expected: str) -> None:
    assert with_database(url, "x") == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("unix:///tmp/v.sock?db=0", "unix:///tmp/v.sock?db=7"),
        ("unix:///tmp/v.sock", "unix:///tmp/v.sock?db=7"),
        ("redis://:p@h:6379/0", "redis://:p@h:6379/7"),
        ("rediss://h", "rediss://h/7"),
    ],
)
def test_a_url_can_name_another_redis_database(url: str, expected: str) -> None:
    assert redis_database_url(url, 7) == expected


async def test_eventually_returns_the_first_true_value() -> None:
    numbers = itertools.count()
    assert await eventually(lambda: next(numbers) > 3 and "there") == "there"


async def test_eventually_waits_for_an_assertion_to_hold() -> None:
    numbers = itertools.count()

    async def large() -> int:
        number = next(numbers)
        assert number > 3
        return number

    assert await eventually(large) == 4


async def test_eventually_fails_with_the_last_value_seen() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"not true within 0 s(.|\n)*last seen: \[\]"):
        await eventually(list, timeout=0)


def test_eventually_now_is_for_tests_that_are_not_async() -> None:
    numbers = itertools.count()
    assert eventually_now(lambda: next(numbers) > 3 and "there") == "there"
    with pytest.raises(pytest.fail.Exception, match=r"not true within 0 s(.|\n)*AssertionError\('no'\)"):
        eventually_now(_never, timeout=0)


def _never() -> None:
    raise AssertionError("no")
