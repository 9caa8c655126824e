"""Keeps one server: a small process between a supervisor and its server, so that neither outlives the other.

Run as `python -I -S keeper.py SPEC` (it needs the standard library only), with the supervisor's orders on
standard input and the server's log as standard error. It writes the server's process id to standard output,
then waits for whichever comes first:

1. the server ends                       -> nothing left to do
2. the order `stop` (or SIGTERM to us)   -> the server is stopped with patience
3. the order `kill`                      -> the server is killed, as a crash would
4. the supervisor is gone, however       -> the server is stopped with little patience

Why not PR_SET_PDEATHSIG on the server alone: it fires when the *thread* that started the server ends, and a
pool ends its threads when it likes. The keeper watches the supervising process itself, through a pidfd. Its
own single thread makes the death signal right for the one step left: should the keeper be killed, the kernel
tells the server. The lock of the data folder is inherited by keeper and server, so it becomes free exactly
when the last process of the server is gone.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import TypedDict

PR_SET_PDEATHSIG = 1
LOOK_EVERY = 0.05
"""Seconds between looks where the kernel has no pidfd to wait on (before Linux 5.3, and elsewhere)."""
ORDERS = 0
"""The file descriptor that orders arrive on."""


class Spec(TypedDict):
    """What to keep and how. Signals are numbers, patience is in seconds."""

    command: list[str]
    environment: dict[str, str]
    cwd: str
    account: tuple[int, int] | None
    """User and group to become; None to stay who we are."""
    supervisor: int
    """The process to live with; it need not be our parent."""
    signals: tuple[int, int]
    """How this server is told to stop: in an orderly way, and at once (safe, but recovered from later)."""
    patience: float
    orphan_patience: float
    rubbish: str
    """A folder of plain files to remove once the server is gone."""


class Process:
    """A process whose end can be waited for."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.gone = False
        self.fd: int | None = None
        try:
            self.fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self.gone = True
        except (AttributeError, OSError):
            pass  # no pidfd here: we look from time to time instead

    def look(self) -> bool:
        """Whether the process has ended."""
        self.gone = self.gone or self._ended()
        return self.gone

    def _ended(self) -> bool:
        if self.fd is not None:
            return bool(select.select([self.fd], [], [], 0)[0])
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


class Server(Process):
    """Our child."""

    status = 0

    def _ended(self) -> bool:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.status = os.waitstatus_to_exitcode(status)
        return bool(pid)


def launch(spec: Spec) -> Server:
    """Start the server as a child that dies when we die."""
    libc, keeper = ctypes.CDLL(None), os.getpid()
    pid = os.fork()
    if pid:
        return Server(pid)
    try:
        become_server(spec, libc, keeper)
    except BaseException as error:  # a child must never return into its parent's code
        os.write(2, f"FATAL:  cannot run {spec['command'][0]}: {error}\n".encode())
    finally:
        os._exit(127)


def become_server(spec: Spec, libc: ctypes.CDLL, keeper: int) -> None:
    """In the child: take on the server's folder, files and account, then turn into the server."""
    os.setsid()
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    # Entered while we still may: the folder can lie where the account could not walk to.
    os.chdir(spec["cwd"])
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(2, 1)
    if spec["account"] is not None:
        user, group = spec["account"]
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    if sys.platform == "linux":
        # After the change of account, which would have cleared it.
        libc.prctl(PR_SET_PDEATHSIG, spec["signals"][0], 0, 0, 0)
        if os.getppid() != keeper:
            os._exit(127)
    os.execve(spec["command"][0], spec["command"], spec["environment"])


def wait(server: Server, supervisor: Process, orders: list[int]) -> str:
    """Wait for the first of "ended", "orphaned", "stop" and "kill", and say which it was."""
    fds = [fd for fd in (server.fd, supervisor.fd) if fd is not None]
    pause = LOOK_EVERY if len(fds) < 2 else None
    orders = list(orders)
    while True:
        if server.look():
            return "ended"
        if supervisor.look():
            return "orphaned"
        ready = select.select([*fds, *orders], [], [], pause)[0]
        for fd in set(orders).intersection(ready):
            if order := os.read(fd, 64).decode():
                return order
            # Whoever held the other end is gone. That need not be the supervisor; if it is, we will see.
            orders.remove(fd)


def end(server: Server, reason: str, spec: Spec) -> None:
    """Bring the server to its end, more firmly at each step."""
    orderly, at_once = spec["signals"]
    patience = spec["orphan_patience"] if reason == "orphaned" else spec["patience"]
    steps = [] if reason == "kill" else [(orderly, patience), (at_once, patience)]
    for number, seconds in [*steps, (signal.SIGKILL, 60.0)]:
        os.kill(server.pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if server.look():
                return
            select.select([server.fd] if server.fd is not None else [], [], [], LOOK_EVERY)


def tidy(folder: str) -> None:
    """Remove a folder of plain files; what cannot be removed is left to the next start."""
    try:
        for entry in os.scandir(folder):
            os.unlink(entry)  # noqa: PTH108  pathlib would double the time this file takes to start
        os.rmdir(folder)  # noqa: PTH106
    except OSError:
        pass


def main() -> int:
    """Launch, wait, end, tidy. Returns the server's exit status (negative: ended by that signal)."""
    spec: Spec = json.loads(sys.argv[1])
    told, tell = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(tell, b"stop"))
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    supervisor = Process(spec["supervisor"])
    server = launch(spec)
    with suppress(BrokenPipeError):  # the supervisor is gone already; the wait says so
        os.write(1, f"{server.pid}\n".encode())
    reason = wait(server, supervisor, [ORDERS, told])
    if reason != "ended":
        end(server, reason, spec)
    tidy(spec["rubbish"])
    return server.status


if __name__ == "__main__":
    code = main()
    sys.exit(code if code >= 0 else 128 - code)
