"""`signaldesk run`: one role, in front, that waits for its servers and stops when asked to."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from signaldesk.embedded import EmbeddedPostgres
from signaldesk.roles import NAMES
from signaldesk.store import migrate
from tests.support import eventually_now
from tests.support.commands import WARM, Terminal, ask, free_port, living

BEGUN = {
    "web": "listening",
    "ingest": "listening",
    "processor": "partition ready",
    "dispatcher": "role begins",
    "scheduler": "role begins",
}


@pytest.mark.parametrize("role", NAMES)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_role_stops_when_asked_to(servers: Terminal, role: str, how: signal.Signals) -> None:
    port = ["--port", "0"] if role in ("web", "ingest") else []
    with servers.running("run", role, *port, cold=how is signal.SIGTERM) as process:
        process.says(BEGUN[role])
        assert process.stop(how) == 0
        assert '"level": "error"' not in process.err
        assert all(json.loads(line).get("role") == role for line in process.err.splitlines())


def test_the_roles_together_take_judge_and_show_an_event(acme: Terminal) -> None:
    key = acme.run("keys", "create", "--scopes", "*").out.strip()
    intake, web = free_port(), free_port()
    with (
        acme.running("run", "ingest", "--port", str(intake)) as first,
        acme.running("run", "web", "--port", str(web)) as second,
        acme.running("run", "processor") as third,
    ):
        for process, port in ((first, intake), (second, web)):
            process.says(f"127.0.0.1:{port}")
        third.says("partition ready")
        assert ask(intake, "POST", "/api/v1/events", body=b'{"type": "one"}', key=key)[0] == 202
        assert ask(web, "POST", "/api/v1/events", body=b'{"type": "two"}', key=key)[0] == 202
        eventually_now(lambda: len(json.loads(ask(web, "GET", "/api/v1/events", key=key)[1])["items"]) == 2)
        # Without a web process beside it, ingest serves events and nothing else.
        assert ask(intake, "GET", "/readyz", key=key)[0] == 404


def test_a_role_waits_for_its_servers_and_for_the_schema(
    terminal: Terminal, redis_url: str, tmp_path: Path
) -> None:
    server = EmbeddedPostgres(tmp_path / "late")
    with server:
        url = server.url
    waiting = terminal.with_(SIGNALDESK_DATABASE_URL=url, SIGNALDESK_REDIS_URL=redis_url)
    with waiting.running("run", "scheduler") as process:
        process.says("waiting for PostgreSQL")
        with server:
            process.says("waiting for the schema")
            process.says("signaldesk db upgrade")
            migrate.upgrade(url)
            process.says("role begins")
            assert process.stop(signal.SIGTERM) == 0


def test_while_it_waits_it_can_be_stopped(terminal: Terminal) -> None:
    away = terminal.with_(
        SIGNALDESK_DATABASE_URL="postgresql://me:secret@127.0.0.1:1/x",
        SIGNALDESK_REDIS_URL="redis://127.0.0.1:1",
    )
    with away.running("run", "processor") as process:
        process.says("waiting for PostgreSQL")
        process.says("waiting for Redis")
        assert process.stop(signal.SIGTERM) == 0
        assert "secret" not in process.err


def test_nothing_stays_when_the_tests_are_gone(servers: Terminal) -> None:
    with Path(os.devnull).open("r+b") as nothing:
        staying = WARM.start(["run", "scheduler"], servers.folder, servers.environment(), [nothing] * 3)
    assert staying.poll() is None
    staying.forget()
    eventually_now(lambda: not living({staying.pid}))


def test_wrong_use_is_named_in_one_line(servers: Terminal) -> None:
    assert "did you mean web?" in servers.refuses("run", "webb", expect=2)
    assert "Missing argument" in servers.refuses("run", expect=2)


def test_a_port_that_is_taken_ends_it(servers: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        said = servers.run("run", "ingest", "--port", str(other.getsockname()[1]), expect=1)
    assert "is taken by another program" in said.err
    assert "Traceback" not in said.err
