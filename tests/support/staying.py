"""Commands that stay, such as `up` and `run`, forked from the process of `tests.support.warm`.

Such a command has a session of its own. A guard, its parent, waits for it and writes down how it ended: first
the process id goes through a pipe, and in the end the exit code. Whoever holds the other end of the pipe may
treat the command like one that it started itself: `Staying`. When that end is closed, as by a run of tests
that was killed, the command is told to stop.

The nursery of an `up` is forked likewise. Should it die, its successor starts as it does everywhere.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn, cast


class Staying:
    """A command that goes on; the part of `subprocess.Popen` that tests need."""

    def __init__(self, pipe: IO[bytes]) -> None:
        """`pipe`: what its guard writes to; unbuffered."""
        self._pipe = pipe
        self.returncode: int | None = None
        self.pid = int(_line(pipe))

    def fileno(self) -> int:
        """Something can be read there once it has ended."""
        return self._pipe.fileno()

    def poll(self) -> int | None:
        """Its exit code, if it has ended; negative: the signal that killed it."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""
        if (code := self._look(timeout)) is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        # Its guard has not been waited for as long as we have not read the code, so the id is still its own
        # unless it ended this very moment.
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def forget(self) -> None:
        """Want to know no more of it; it is told to stop."""
        self._pipe.close()

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._pipe], [], [], timeout)[0]:
            self.returncode = int(_line(self._pipe))
            self._pipe.close()
        return self.returncode


def _line(pipe: IO[bytes]) -> bytes:
    said = pipe.readline()
    if not said:
        raise RuntimeError("the process that commands are forked from is gone")
    return said


def prepare() -> None:
    """Import what the roles need, and the pages."""
    from signaldesk.roles import NAMES, role
    from signaldesk.web import page_server, pages

    for name in (*NAMES, "shop"):
        role.load(name)
    assert page_server and pages.find_pages()


def guard(become: Callable[[], None], pipe: int) -> int:
    """Fork a guard, which forks the command that `become` becomes; the guard's process id."""
    if guard := os.fork():
        return guard
    try:
        pid = os.fork()
        if not pid:
            os.close(pipe)
            os.setsid()
            _fork_the_nursery()
            become()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.write(pipe, b"%d\n" % pid)
        _wait(pid, pipe)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(pipe, b"%d\n" % code)
    except BrokenPipeError:  # nobody wants to know any more
        pass
    finally:
        os._exit(0)


def _wait(pid: int, pipe: int) -> None:
    """Until the command ends; when nobody is there any more to hear of it, it is told to."""
    watch, ended = select.poll(), os.pidfd_open(pid)
    watch.register(ended, select.POLLIN)
    watch.register(pipe, 0)  # the error that it has no reader is always told
    if ended not in dict(watch.poll()):
        os.kill(pid, signal.SIGTERM)
    os.close(ended)


def _fork_the_nursery() -> None:
    """Have the first nursery of this process forked instead of started."""
    from signaldesk.roles import cradle

    start = cradle.begin

    def begin() -> cradle.Begun:
        cradle.begin = start  # by the time another one is needed there are threads, and none may fork
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if not pid:
            ours.close()
            _be_the_nursery(theirs)
        theirs.close()
        return cradle.Begun(cast(Any, Forked(pid)), ours)

    cradle.begin = begin


def _be_the_nursery(line: socket.socket) -> NoReturn:
    """As `cradle` starts it: in a session of its own, with nothing to read, with Python's usual warnings."""
    from signaldesk.roles import __main__ as nursery

    code = 1
    try:
        os.setsid()
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        warnings.resetwarnings()
        for usual in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", usual)
        code = nursery.main(line)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


class Forked:
    """A child of this process; the part of `subprocess.Popen` that `cradle` and `Nursery` need."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._ended(os.WNOHANG)

    def wait(self) -> int | None:
        return self._ended(0)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def _ended(self, how: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, how)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def reaped(guards: Sequence[int]) -> list[int]:
    """Take leave of guards that ended; the others."""
    return [pid for pid in guards if not os.waitpid(pid, os.WNOHANG)[0]]
