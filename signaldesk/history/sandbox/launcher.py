"""The server's side of the sandbox: starts the process that is forked from, hands out jobs, ends what takes
too long. Everything here blocks, and is called from threads."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from typing import NamedTuple

import msgspec

from signaldesk.errors import Unavailable
from signaldesk.history.sandbox import wire
from signaldesk.history.sandbox.limits import result_too_large, too_much_memory, too_slow
from signaldesk.history.sandbox.wire import Column, End, Fault, Hello, Job

_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system", "LC_ALL": "C.UTF-8"}
"""All that a query's process can see of ours."""
_START_S = 20.0
"""How long the first child may take to say that it is there."""


class Failed(Exception):
    """The query ended without its answer; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class Launcher:
    """The process that queries are forked from; started when it is first needed, and again if it is gone."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def line(self) -> socket.socket:
        """A line to a fresh child. Raises Unavailable."""
        ours, theirs = socket.socketpair()
        try:
            with theirs, self._lock:
                for last in (False, True):
                    try:
                        socket.send_fds(self._started(), [b"q"], [theirs.fileno()])
                        return ours
                    except OSError as error:
                        self._stop()
                        if last:
                            raise Unavailable("queries cannot be run just now", retry_after=5) from error
        except BaseException:
            ours.close()
            raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _started(self) -> socket.socket:
        if self._control is not None and self._process is not None and self._process.poll() is None:
            return self._control
        self._stop()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", "signaldesk.history.sandbox.forks"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        self._control = ours
        return ours

    def _stop(self) -> None:
        """It ends by itself, and so do its children, when its line is closed."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._control = self._process = None


class _Frame(NamedTuple):
    letter: bytes
    body: bytes


class Run:
    """One query under way. Close it whatever happens: that ends its process."""

    def __init__(
        self, launcher: Launcher, job: Job, files: Sequence[int], *, missing: Sequence[str] = ()
    ) -> None:
        """`missing` are the paths of damaged files that it does without. Raises Unavailable."""
        self.missing = missing
        self._limits = job.limits
        self._left = _START_S
        self._size = 0
        self._handle = -1
        self._pid = 0
        self._line = launcher.line()
        self.columns: list[Column] = []
        self.rows = 0
        try:
            self._begin(job, files)
        except BaseException:
            self.close()
            raise

    def _begin(self, job: Job, files: Sequence[int]) -> None:
        try:
            hello = self._frame()
        except Failed as error:
            raise Unavailable("queries cannot be run just now", retry_after=5) from error
        self._pid = msgspec.json.decode(hello.body, type=Hello).pid
        if hasattr(os, "pidfd_open"):
            self._handle = os.pidfd_open(self._pid)
        self._left = job.limits.seconds
        for start in range(0, len(files), wire.FILES_AT_ONCE):
            some = list(files[start : start + wire.FILES_AT_ONCE])
            socket.send_fds(self._line, [wire.frame(b"P", b"")], some)
        self._line.sendall(wire.frame(b"J", msgspec.json.encode(job)))

    def read(self) -> bytes | None:
        """The next piece of the result; None at its end. Raises Failed."""
        while True:
            letter, body = self._frame()
            if letter == b"C":
                self.columns = msgspec.json.decode(body, type=list[Column])
            elif letter == b"D":
                self._size += len(body)
                if self._size > self._limits.result:
                    raise Failed(Fault("limit", result_too_large(self._limits)))
                return body
            elif letter == b"E":
                self.rows = msgspec.json.decode(body, type=End).rows
                return None
            elif letter == b"F":
                raise Failed(msgspec.json.decode(body, type=Fault))

    def stop(self) -> None:
        """End its process; a thread that reads finds its line ended."""
        with suppress(ProcessLookupError, PermissionError):
            if self._handle >= 0:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            elif self._pid:
                os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """End its process and forget it. Nobody may be reading."""
        self.stop()
        if self._handle >= 0:
            os.close(self._handle)
        self._handle, self._pid = -1, 0
        self._line.close()

    def _frame(self) -> _Frame:
        letter, length = wire.HEAD.unpack(self._take(wire.HEAD.size))
        if length > wire.LARGEST:
            raise Failed(Fault("limit", result_too_large(self._limits)))
        return _Frame(letter, self._take(length))

    def _take(self, count: int) -> bytes:
        """So many bytes. Only the time that we wait for them counts, not what our own reader takes."""
        data = bytearray()
        poll = select.poll()
        poll.register(self._line, select.POLLIN)
        while len(data) < count:
            begun = time.monotonic()
            ready = poll.poll(max(0, round(self._left * 1000)))
            self._left -= time.monotonic() - begun
            if not ready or self._left <= 0:
                raise Failed(Fault("limit", too_slow(self._limits)))
            try:
                piece = self._line.recv(min(count - len(data), 1 << 20))
            except ConnectionResetError:
                piece = b""
            if not piece:
                # The kernel ended it, or it ended itself in the middle of something: for want of memory.
                raise Failed(Fault("limit", too_much_memory(self._limits)))
            data += piece
        return bytes(data)
