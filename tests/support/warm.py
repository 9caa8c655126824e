"""A process that has imported every command, and forks for each that a test runs.

A command is a process of its own all the same, with its own folder, environment and exit code; it only does
not spend a second of a core on imports that the next test would spend again, and seconds where it serves.
What starting costs is measured elsewhere.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import IO, Any, NoReturn

from tests.support import staying

HEAVY = (
    "anyio",
    "certifi",
    "cronsim",
    "h11",
    "httpcore",
    "httpx",
    "pandas",
    "psycopg",
    "rich.progress",
    "signaldesk.backtest.rule",
    "signaldesk.backtest.stored",
    "signaldesk.catalog.rules",
    "signaldesk.client.jobs",
    "signaldesk.desk",
    "signaldesk.history.queries",
    "sqlalchemy.dialects.postgresql.psycopg",
)
"""What commands import when they need it."""


class WarmCommands:
    """Runs commands one after the other."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self,
        words: Sequence[str],
        folder: Path,
        environment: dict[str, str],
        files: Sequence[IO[Any]],
        *,
        patience: float,
    ) -> int:
        """Its exit code; `files` are its input, output and error stream. Raises TimeoutError."""
        answer = self._ask(words, folder, environment, files, patience)
        if answer == b"late":
            raise TimeoutError(f"`signaldesk {' '.join(words)}` took longer than {patience} s")
        return int(answer)

    def start(
        self, words: Sequence[str], folder: Path, environment: dict[str, str], files: Sequence[IO[Any]]
    ) -> staying.Staying:
        """A command that goes on while others run."""
        read, write = os.pipe()
        with os.fdopen(write, "wb", buffering=0) as pipe:
            self._ask(words, folder, environment, [*files, pipe], None)
        return staying.Staying(os.fdopen(read, "rb", buffering=0))

    def _ask(
        self,
        words: Sequence[str],
        folder: Path,
        environment: dict[str, str],
        files: Sequence[IO[Any]],
        patience: float | None,
    ) -> bytes:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            said = json.dumps([words, str(folder), environment, patience]).encode()
            socket.send_fds(self._socket, [len(said).to_bytes(4, "big")], [file.fileno() for file in files])
            self._socket.sendall(said)
            answer = self._socket.recv(64)
        if not answer:
            raise RuntimeError("the process that runs commands is gone")
        return answer

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair()
        plain = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALDESK_")}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.support.warm", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=Path(__file__).parents[2],
            env=plain | {"COLUMNS": "200", "OPENBLAS_NUM_THREADS": "1"},
        )
        theirs.close()
        atexit.register(self._end, self._process, self._socket)

    @staticmethod
    def _end(process: subprocess.Popen[bytes], asking: socket.socket) -> None:
        asking.close()
        process.wait()


def serve(asked: socket.socket) -> None:
    """Run what is asked for until nobody can ask any more."""
    guards: list[int] = []
    while True:
        head, files, _, _ = socket.recv_fds(asked, 4, 4)
        if not head:
            return
        length, said = int.from_bytes(head, "big"), b""
        while len(said) < length:
            said += asked.recv(length - len(said))
        words, folder, environment, patience = json.loads(said)
        if patience is None:
            *streams, pipe = files
            _prepare_to_stay()
            command = partial(become, asked, words, folder, environment, streams)
            guards = [*staying.reaped(guards), staying.guard(command, pipe)]
            answer = b"begun"
        elif pid := os.fork():
            answer = _end(pid, patience)
        else:
            become(asked, words, folder, environment, files)
        for file in files:
            os.close(file)
        asked.sendall(answer)


@cache
def _prepare_to_stay() -> None:
    """Import, when the first command stays, what those need; most runs of some tests have none."""
    staying.prepare()
    gc.freeze()


def become(
    asked: socket.socket, words: list[str], folder: str, environment: dict[str, str], files: list[int]
) -> NoReturn:
    """Be the command from here on."""
    asked.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv[:] = ["signaldesk", *words]
    code: Any = 0
    try:
        runpy.run_module("signaldesk", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code if isinstance(code, int) else 1)


def _end(pid: int, patience: float) -> bytes:
    pidfd = os.pidfd_open(pid)
    try:
        if not select.select([pidfd], [], [], patience)[0]:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            return b"late"
    finally:
        os.close(pidfd)
    return str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode()


def main() -> None:
    from signaldesk import cli

    for module in pkgutil.walk_packages(cli.__path__, "signaldesk.cli."):
        importlib.import_module(module.name)
    for name in HEAVY:
        importlib.import_module(name)
    cli.command()
    # PyArrow's allocator has a thread of its own. It starts another one in a fork; Python cannot know that.
    warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
