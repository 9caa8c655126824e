"""`signaldesk up --demo`: a lively example, made once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from signaldesk.settings import Settings
from tests.support import eventually_now
from tests.support.commands import Terminal, Up, up


def rows(running: Up, query: str) -> Any:
    url = json.loads((running.data / "run" / "up.json").read_text())["database_url"]
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def caught_up(running: Up) -> bool:
    """Whether events of this very moment are stored, and the rules have been told to notify."""
    (stored,) = rows(running, "SELECT coalesce(max(timestamp) > now() - interval '5 s', false) FROM events")
    (loud,) = rows(running, "SELECT count(*) FROM rule_versions WHERE body ? 'notify'")
    return bool(stored[0]) and loud[0] >= 6


def said(running: Up) -> dict[str, str]:
    """What the welcome says: the log-in, the password and the key."""
    running.process.says("-d '{")
    found = re.search(
        r"log in +(?P<email>\S+) +(?P<password>\S+)\n +API key +(?P<key>sk_\w{48})", running.process.out
    )
    assert found, running.process.out
    return found.groupdict()


PAST = 4_200
"""Seconds: long enough for several incidents, and a fifth of what is usual to send and to judge."""


def test_the_overview_of_the_example_is_full_at_first() -> None:
    assert Settings().demo_past == 6 * 3600


@pytest.mark.slow
def test_the_example_lives_and_is_made_once(terminal: Terminal, data: Path) -> None:
    terminal = terminal.with_(SIGNALDESK_DEMO_PAST=str(PAST))
    with up(terminal, data, "--demo") as running:
        first = said(running)
        assert running.get("/api/v1/me", key=first["key"])[0] == 200
        body = {"email": first["email"], "password": first["password"]}
        assert running.post("/api/v1/auth/login", body, key="")[0] == 200
        eventually_now(lambda: caught_up(running), 120, every=0.2)
        (span,) = rows(running, "SELECT extract(epoch FROM max(timestamp) - min(timestamp))::int FROM events")
        assert abs(span[0] - PAST) < 120
        assert rows(running, "SELECT count(*) FROM alerts")[0][0] > 3
        assert (data / "demo.json").stat().st_mode & 0o777 == 0o600
        readme = ("init", "--email", "you@example.com", "--org", "Acme Shop", "--password-stdin")
        terminal.run(*readme, stdin="correct horse battery")  # README's organisation is not the example's
        assert terminal.run("keys", "list", "--org", "acme-shop", "--json").json() == []
        before = rows(running, COUNTS)
    with up(terminal, data, "--demo") as running:
        assert said(running) == first
        eventually_now(lambda: caught_up(running), 60, every=0.2)
        assert rows(running, COUNTS) == before
        assert rows(running, DOUBLED) == []
        assert running.process.err == ""


DOUBLED = "SELECT timestamp FROM events GROUP BY timestamp, type, payload::text HAVING count(*) > 1"
COUNTS = """SELECT (SELECT count(*) FROM orgs), (SELECT count(*) FROM users), (SELECT count(*) FROM api_keys),
    (SELECT count(*) FROM channels), (SELECT count(*) FROM rules), (SELECT count(*) FROM rule_versions)"""
