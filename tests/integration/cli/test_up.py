"""`signaldesk up`: from nothing to serving, and back to nothing."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.conftest import PASSWORD, Desk, installed
from tests.support import eventually_now
from tests.support.commands import Terminal, family, free_port, living, up
from tests.support.run import SharedServers

EVENT = {"type": "checkout_failed", "payload": {"country": "DE", "amount": 99}}
GONE_WITHIN = 2.0


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, shared_servers: SharedServers) -> Iterator[Desk]:
    """An installation of these tests' own, whose processes they end."""
    with installed(tmp_path_factory.mktemp("desk"), shared_servers) as desk:
        yield desk


def stored(desk: Desk, type: str) -> bool:
    """Whether an event of that type was accepted, judged and written down."""
    status, body = desk.up.get(f"/api/v1/events?type={type}", key=desk.key)
    return status == 200 and bool(json.loads(body)["items"])


def test_from_an_empty_folder_it_serves_and_judges_an_event(desk: Desk) -> None:
    assert desk.up.get("/readyz")[0] == 200
    assert desk.up.get("/login")[0] == 200
    assert desk.up.post("/api/v1/events", EVENT, key=desk.key)[0] == 202
    eventually_now(lambda: stored(desk, "checkout_failed"))


def test_it_tells_how_to_make_the_first_owner_and_where_it_serves(desk: Desk) -> None:
    assert f"http://localhost:{desk.up.port}" in desk.up.process.out
    assert f"signaldesk init --data {desk.up.data}" in desk.up.process.out
    (command,) = [line for line in desk.up.process.out.splitlines() if " init " in line]
    typed = subprocess.run([*shlex.split(command), "--help"], capture_output=True, text=True)
    assert "Make an organisation and its owner" in typed.stdout, typed.stderr


def test_its_note_for_other_commands_is_private(desk: Desk) -> None:
    note = desk.up.data / "run" / "up.json"
    assert note.stat().st_mode & 0o777 == 0o600
    assert json.loads(note.read_text())["pid"] == desk.up.process.pid


@pytest.mark.parametrize("role", ["processor", "ingest", "web", "dispatcher"])
def test_a_killed_process_is_replaced(desk: Desk, role: str) -> None:
    before = desk.up.child(role)
    kill(before)
    eventually_now(lambda: desk.up.child(role) != before)
    eventually_now(lambda: desk.up.get("/readyz")[0] == 200, 30)
    type = f"after_{role}_died"
    eventually_now(lambda: desk.up.post("/api/v1/events", {"type": type}, key=desk.key)[0] == 202, 30)
    eventually_now(lambda: stored(desk, type), 30)
    assert (
        f"{role}{'+scheduler' if role == 'dispatcher' else ''} was killed by SIGKILL" in desk.up.process.err
    )


def test_when_the_nursery_is_killed_everything_is_started_again(desk: Desk) -> None:
    before = {role: desk.up.child(role) for role in ("web", "ingest", "processor", "dispatcher")}
    kill(parent_of(before["web"]))
    eventually_now(lambda: not living(set(before.values())))
    eventually_now(lambda: desk.up.post("/api/v1/events", {"type": "reborn"}, key=desk.key)[0] == 202, 30)
    eventually_now(lambda: desk.up.get("/readyz")[0] == 200, 30)
    eventually_now(lambda: stored(desk, "reborn"), 30)


@pytest.mark.parametrize("server", ["postgres", "valkey"])
def test_a_killed_server_is_started_again(desk: Desk, server: str) -> None:
    keeper = int(json.loads((desk.up.data / server / "server.json").read_text())["keeper"])
    (child,) = family(keeper) - {keeper} - {pid for pid in family(keeper) if parent_of(pid) != keeper}
    kill(child)
    desk.up.process.says("is back")
    type = f"after_{server}_died"
    eventually_now(lambda: desk.up.post("/api/v1/events", {"type": type}, key=desk.key)[0] == 202, 30)
    eventually_now(lambda: stored(desk, type), 30)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_leaves_nothing_behind(
    terminal: Terminal, ready_data: Path, how: signal.Signals
) -> None:
    with up(terminal, ready_data) as running:
        everybody = family(running.process.pid)
        sockets = [folder_of_socket(ready_data, server) for server in ("postgres", "valkey")]
        assert len(everybody) > 8
        assert running.process.stop(how) == 0
        assert living(everybody) == set()
        assert [folder for folder in sockets if folder.exists()] == []
        assert sorted(file.name for file in (ready_data / "run").iterdir()) == ["lock"]
        assert running.process.err == ""


def test_killed_it_leaves_nothing_behind_within_two_seconds(terminal: Terminal, ready_data: Path) -> None:
    with up(terminal, ready_data) as running:
        everybody = family(running.process.pid)
        kill(running.process.pid)
        eventually_now(lambda: living(everybody) == set(), GONE_WITHIN)


def test_stopped_while_it_starts_it_leaves_nothing_behind(terminal: Terminal, data: Path) -> None:
    with terminal.running("up", "--data", data, "--port", "0") as process:
        eventually_now(lambda: (data / "postgres").exists())
        everybody = family(process.pid)
        assert process.stop() == 0
        eventually_now(lambda: living(everybody | family(process.pid)) == set(), GONE_WITHIN)
        assert process.err == ""


def test_started_again_it_knows_what_it_knew(terminal: Terminal, data: Path) -> None:
    with up(terminal, data):
        terminal.run("init", "--email", "me@example.com", "--org", "Kept", "--password-stdin", stdin=PASSWORD)
    with up(terminal, data) as again:
        assert terminal.run("keys", "list", "--org", "kept").code == 0
        assert "signaldesk init" not in again.process.out


def test_it_uses_servers_of_the_settings_and_starts_none(servers: Terminal, data: Path) -> None:
    with up(servers, data) as running:
        assert running.get("/readyz")[0] == 200
        assert sorted(file.name for file in data.iterdir()) == ["run", "secret.key"]


def test_a_deep_data_folder_is_no_problem_for_its_socket(terminal: Terminal, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*(f"a-rather-long-name-{number}" for number in range(6)))
    with up(terminal, deep) as running:
        assert running.get("/readyz")[0] == 200


def test_a_port_that_is_taken_is_named(terminal: Terminal, data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = terminal.refuses("up", "--data", data, "--port", str(port))
    assert said.startswith(f"port {port} on 127.0.0.1 is taken")
    assert "--port" in said


def test_an_address_that_is_not_ours_is_named(terminal: Terminal, data: Path) -> None:
    assert "no address of this machine" in terminal.refuses("up", "--data", data, "--host", "192.0.2.1")


def test_a_data_folder_that_cannot_be_used_is_named(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = terminal.refuses("up", "--data", tmp_path / "file" / "data", "--port", "0")
    assert f"cannot keep data in {tmp_path / 'file' / 'data'}" in said
    assert "--data" in said


def test_another_up_on_the_same_folder_is_named(desk: Desk) -> None:
    said = desk.terminal.refuses("up", "--data", desk.up.data, "--port", str(free_port()))
    assert f"process {desk.up.process.pid}, {desk.up.url}" in said
    assert desk.up.get("/readyz")[0] == 200


def test_a_wrong_setting_stops_the_start(terminal: Terminal) -> None:
    wrong = terminal.with_(SIGNALDESK_PORT="five", SIGNALDESK_LOG_LEVEL="loud")
    said = wrong.run("up", expect=1).err.splitlines()
    assert said[0] == "signaldesk: 2 settings are wrong"
    assert [line.partition(":")[0].strip() for line in said[1:]] == [
        "SIGNALDESK_PORT",
        "SIGNALDESK_LOG_LEVEL",
    ]


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("SIGNALDESK_REDIS_URL", "redis://:geheim@127.0.0.1:1/0"),
        ("SIGNALDESK_DATABASE_URL", "postgresql://desk:geheim@127.0.0.1:1/desk"),
    ],
)
def test_a_server_of_the_settings_that_is_away_is_named_once(
    servers: Terminal, data: Path, setting: str, url: str
) -> None:
    said = servers.with_(**{setting: url}).refuses("up", "--data", data, "--port", "0")
    assert said.startswith(f"{setting}: ") and "cannot be reached" in said
    assert "geheim" not in said


def kill(pid: int) -> None:
    import os

    os.kill(pid, signal.SIGKILL)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def folder_of_socket(data: Path, server: str) -> Path:
    return Path(json.loads((data / server / "server.json").read_text())["sockets"])
