"""`signaldesk doctor`: finds what a deployment gets wrong, and says how to mend it."""

from __future__ import annotations

import psycopg
import pytest
import redis

from signaldesk.embedded import EmbeddedValkey
from tests.integration.cli.conftest import Desk
from tests.support.commands import Said, Terminal


def findings(said: Said) -> dict[str, tuple[str, str, str]]:
    """check -> (status, found, mend)."""
    return {one["check"]: (one["status"], one["found"], one["mend"]) for one in said.json()}


def test_a_running_installation_is_in_order(desk: Desk) -> None:
    found = findings(desk.terminal.run("doctor", "--json"))
    assert {check: one for check, one in found.items() if one[0] != "ok"}.keys() <= {"mail", "disk"}
    assert found["processors"][1] == "own all 8 partitions"
    assert found["appendfsync"][1] == "always"


def test_people_get_marks_and_mends(desk: Desk) -> None:
    said = desk.terminal.run("doctor").out
    assert "✓ eviction" in said
    assert "→ set SIGNALDESK_SMTP_URL" in said
    assert said.rstrip().endswith("0 broken")


def test_servers_alone_lack_a_processor_and_an_owner(servers: Terminal) -> None:
    found = findings(servers.run("doctor", "--json", expect=1))
    assert found["processors"] == ("failed", "none is alive", "signaldesk run processor (or signaldesk up)")
    assert found["owner"] == ("warning", "there is nobody yet", "signaldesk init")


def test_pending_migrations_are_broken(terminal: Terminal, empty_database_url: str, redis_url: str) -> None:
    empty = terminal.with_(SIGNALDESK_DATABASE_URL=empty_database_url, SIGNALDESK_REDIS_URL=redis_url)
    status, found, mend = findings(empty.run("doctor", "--json", expect=1))["schema"]
    assert (status, mend) == ("failed", "signaldesk db upgrade")
    assert "0001" in found


@pytest.mark.parametrize(
    ("name", "value", "check", "mend"),
    [
        ("appendfsync", "everysec", "appendfsync", "appendfsync always"),
        ("maxmemory-policy", "allkeys-lru", "eviction", "noeviction"),
        ("appendonly", "no", "append-only file", "appendonly yes"),
    ],
)
def test_a_stream_that_may_lose_events_is_broken(
    terminal: Terminal,
    database_url: str,
    own_valkey: EmbeddedValkey,
    name: str,
    value: str,
    check: str,
    mend: str,
) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        client.config_set(name, value)
    careless = terminal.with_(SIGNALDESK_DATABASE_URL=database_url, SIGNALDESK_REDIS_URL=own_valkey.url)
    status, _, said = findings(careless.run("doctor", "--json", expect=1))[check]
    assert status == "failed"
    assert mend in said


def test_a_table_that_is_not_guarded_is_broken(servers: Terminal, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE alerts DISABLE ROW LEVEL SECURITY")
    status, found, _ = findings(servers.run("doctor", "--json", expect=1))["row-level security"]
    assert (status, found) == ("failed", "off for alerts")


def test_servers_that_do_not_answer_are_each_named(terminal: Terminal) -> None:
    away = terminal.with_(
        SIGNALDESK_DATABASE_URL="postgresql://me:hush-hush@127.0.0.1:1/x",
        SIGNALDESK_REDIS_URL="redis://127.0.0.1:1",
    )
    said = away.run("doctor", "--json", expect=1)
    found = findings(said)
    assert found["PostgreSQL"][:2] == ("failed", "no answer at 127.0.0.1:1/x")
    assert found["Redis"][0] == "failed"
    assert "hush-hush" not in said.out


def test_with_nothing_running_it_says_how_to_start(terminal: Terminal) -> None:
    status, _, mend = findings(terminal.run("doctor", "--json", expect=1))["servers"]
    assert status == "failed"
    assert "`signaldesk up`" in mend


def test_a_secret_that_others_may_read_is_broken(desk: Desk) -> None:
    secret = desk.up.data / "secret.key"
    secret.chmod(0o644)
    try:
        status, _, mend = findings(desk.terminal.run("doctor", "--json", expect=1))["secret key"]
    finally:
        secret.chmod(0o600)
    assert (status, mend) == ("failed", f"chmod 600 {secret}")
