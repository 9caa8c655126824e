"""The keeper's waiting: it sees the end of a process with a pidfd and, where there is none, without."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from signaldesk.embedded import keeper


@pytest.fixture(params=["pidfd", "no pidfd"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel with and one without pidfd."""

    def missing(pid: int) -> int:
        raise OSError("not implemented")

    if request.param == "no pidfd":
        monkeypatch.setattr(os, "pidfd_open", missing, raising=False)


@pytest.fixture
def child() -> Iterator[keeper.Server]:
    """A child that waits to be ended."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-S", "-c", "import signal; signal.pause()"], {})
    server = keeper.Server(pid)
    yield server
    if not server.look():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if server.fd is not None:
        os.close(server.fd)


@pytest.fixture
def supervisor() -> Iterator[keeper.Process]:
    process = keeper.Process(os.getpid())
    yield process
    if process.fd is not None:
        os.close(process.fd)


@pytest.mark.usefixtures("kernel")
def test_it_sees_that_the_server_ended_and_how(child: keeper.Server, supervisor: keeper.Process) -> None:
    os.kill(child.pid, signal.SIGTERM)
    assert keeper.wait(child, supervisor, []) == "ended"
    assert child.status == -signal.SIGTERM


@pytest.mark.usefixtures("kernel")
def test_it_sees_that_the_supervisor_is_gone(child: keeper.Server) -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as other:
        supervisor = keeper.Process(other.pid)
        other.wait()
    assert keeper.wait(child, supervisor, []) == "orphaned"
    if supervisor.fd is not None:
        os.close(supervisor.fd)


@pytest.mark.usefixtures("kernel")
def test_it_follows_orders_and_does_not_mind_when_nobody_gives_them(
    child: keeper.Server, supervisor: keeper.Process
) -> None:
    silent, gone = os.pipe()
    os.close(gone)
    orders, boss = os.pipe()
    os.write(boss, b"kill")
    assert keeper.wait(child, supervisor, [silent, orders]) == "kill"
    for fd in (silent, orders, boss):
        os.close(fd)


@pytest.mark.usefixtures("kernel")
def test_it_is_firmer_with_a_server_that_does_not_listen(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    told, tell = os.pipe()
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-S", "-c", deaf],
        {},
        file_actions=[(os.POSIX_SPAWN_DUP2, tell, 1)],
    )
    os.read(told, 1)
    server = keeper.Server(pid)
    spec: keeper.Spec = {
        "command": [],
        "environment": {},
        "cwd": "/",
        "account": None,
        "supervisor": os.getpid(),
        "signals": (signal.SIGTERM, signal.SIGQUIT),
        "patience": 1.0,
        "orphan_patience": 0.1,
        "rubbish": str(tmp_path),
    }
    keeper.end(server, "stop", spec)
    assert server.status == -signal.SIGQUIT
    for fd in (told, tell, *([server.fd] if server.fd is not None else [])):
        os.close(fd)


def test_it_tidies_a_folder_and_leaves_what_it_cannot_remove(tmp_path: Path) -> None:
    (tmp_path / "sockets").mkdir()
    (tmp_path / "sockets" / "a").touch()
    keeper.tidy(str(tmp_path / "sockets"))
    assert not (tmp_path / "sockets").exists()
    keeper.tidy(str(tmp_path / "sockets"))
