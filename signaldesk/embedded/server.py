"""What the bundled servers have in common: one folder of data, one lock, one socket, one keeper.

Layout of a data folder:

    lock          held by the keeper and every process of the server, so: free = no process is left
    server.json   where the socket is, and the keeper's process id
    log, log.1    what the server says
    home/         the server's own files, owned by the account that runs it
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, ClassVar, Self

from signaldesk.embedded import binaries, keeper, sockets
from signaldesk.embedded.account import Account, account_for, give
from signaldesk.errors import EmbeddedError

START_PATIENCE = 30.0
"""Seconds without any sign of life after which a start has failed; a server that recovers shows signs."""
STOP_PATIENCE = 30.0
ORPHAN_PATIENCE = 0.7
"""Seconds a server gets to stop in an orderly way once its supervisor is gone."""
LOOK_EVERY = 0.005
LOG_LIMIT = 4 << 20
"""Bytes of log after which a start puts it aside as log.1."""


_TELLING = re.compile(r"FATAL:  (?!the database system)|PANIC|# (?!WARNING)")
"""Marks the lines of a log that say why a server ended (Valkey begins its own with #)."""


class Waking(Exception):
    """The server lives but does not serve yet (or no longer)."""


@dataclass
class _Kept:
    """A server that we started: its keeper, and its own process id."""

    keeper: subprocess.Popen[bytes]
    pid: int

    @property
    def alive(self) -> bool:
        return self.keeper.poll() is None

    def order(self, word: str, patience: float) -> None:
        """Give the keeper an order and wait until it has carried it out."""
        assert self.keeper.stdin is not None
        with suppress(BrokenPipeError):  # it may have ended by itself
            self.keeper.stdin.write(word.encode())
            self.keeper.stdin.flush()
        self.keeper.wait(patience)
        with suppress(BrokenPipeError):
            self.keeper.stdin.close()


class EmbeddedServer(ABC):
    """A server that lives as long as this process, with its data in `data_dir`.

    `start` adopts a server that already serves the folder; an adopted server is left alone by `stop`.
    `lives_with` is the process id the server shall not outlive, instead of this process; `settings` are
    parameters of the server itself that win over ours. Everything raises EmbeddedError, in one sentence
    with the mend. Not safe for use by several threads at once; several processes are fine.
    """

    kind: ClassVar[binaries.Kind]
    socket_name: ClassVar[str]
    signals: ClassVar[tuple[signal.Signals, signal.Signals]]

    def __init__(
        self, data_dir: Path, *, lives_with: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.data_dir = data_dir.expanduser().absolute()
        self._supervisor = lives_with
        self._settings = dict(settings or {})
        self._folder: Path | None = None
        self._kept: _Kept | None = None

    # What a kind of server adds.

    @abstractmethod
    def _url(self, folder: Path) -> str:
        """The URL of a server whose socket is in `folder`."""

    @abstractmethod
    def _prepare(self, program: binaries.Program, account: Account, lock: int) -> None:
        """Make `home` ready to be served, wholly or not at all; child processes hold the open file `lock`."""

    @abstractmethod
    def _command(self, program: binaries.Program, account: Account, folder: Path) -> list[str]:
        """The command that serves `home` (its current folder) on a socket in `folder`."""

    @abstractmethod
    def _greet(self, socket: Path) -> None:
        """Return if the server behind the socket serves; raise Waking, OSError or EmbeddedError if not."""

    def _complete(self, socket: Path) -> None:  # noqa: B027  most have nothing to do
        """What only a running server can do for itself before it serves; raises like `_greet`."""

    # What everybody uses.

    @property
    def url(self) -> str:
        """Where the server is reached; the same after a restart."""
        if self._folder is None:
            raise EmbeddedError(f"the bundled {self.kind.title} is not started; call start() first")
        return self._url(self._folder)

    @property
    def running(self) -> bool:
        """Whether the server answers at this moment."""
        return self._folder is not None and self._serves(self._folder)

    @property
    def adopted(self) -> bool:
        """Whether somebody else started the server that we use."""
        return self._folder is not None and self._kept is None

    @property
    def pid(self) -> int:
        """Process id of the server we started, for whoever wants to freeze it in a test."""
        return self._own().pid

    def start(self) -> str:
        """Serve the folder, or find out who does, and return the URL."""
        if self.running:
            return self.url
        self._make_folder()
        for _ in _looks(START_PATIENCE):
            lock = self._lock()
            if lock is not None:
                try:
                    return self._launch(lock)
                except (OSError, subprocess.SubprocessError) as error:
                    raise self._unable(error) from error
                finally:
                    os.close(lock)
            if self._adopt():
                return self.url
        raise EmbeddedError(
            f"{self.data_dir} is in use by a {self.kind.title} that answers nobody (its keeper is process "
            f"{self._record().get('keeper', '?')}); end that process and start again"
        )

    def stop(self) -> None:
        """Stop the server in an orderly way, if it is ours, and wait until it is gone."""
        if self._kept is not None:
            self._kept.order("stop", 3 * STOP_PATIENCE)
        self._kept = self._folder = None

    def kill(self) -> None:
        """End the server as a crash would (kill -9) and wait until none of its processes is left."""
        self._own().order("kill", STOP_PATIENCE)
        self._kept = None
        self._wait_for_lock()

    def restart(self) -> str:
        """Start again, with the same URL, a server that was killed; one that runs is stopped first."""
        if self._kept is not None:
            self.stop()
        return self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # How it is done.

    @property
    def home(self) -> Path:
        """The server's own files."""
        return self.data_dir / "home"

    def _own(self) -> _Kept:
        if self._kept is None:
            raise EmbeddedError(
                f"this {self.kind.title} was not started here; only who started it may do that"
            )
        return self._kept

    def _let_go(self) -> None:
        """Forget a server of ours that has ended by itself."""
        if self._kept is not None:
            self._kept.order("stop", STOP_PATIENCE)
            self._kept = None

    def _make_folder(self) -> None:
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.data_dir / "lock").touch(mode=0o600)
        except OSError as error:
            raise self._unable(error) from None

    def _unable(self, error: Exception) -> EmbeddedError:
        why = getattr(error, "strerror", None) or str(error)
        return EmbeddedError(
            f"cannot keep data in {self.data_dir} ({why}); "
            "mend that, or choose another folder with SIGNALDESK_DATA_DIR"
        )

    def _lock(self) -> int | None:
        """The lock of the folder as an open file, or None while somebody holds it."""
        lock = os.open(self.data_dir / "lock", os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def _wait_for_lock(self) -> None:
        for _ in _looks(STOP_PATIENCE):
            lock = self._lock()
            if lock is not None:
                os.close(lock)
                return
        raise EmbeddedError(f"a process of the killed {self.kind.title} in {self.data_dir} is still there")

    def _record(self) -> dict[str, str]:
        try:
            found = json.loads((self.data_dir / "server.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _adopt(self) -> bool:
        socket_folder = self._record().get("sockets")
        if socket_folder is None or not self._serves(Path(socket_folder)):
            return False
        self._folder = Path(socket_folder)
        return True

    def _serves(self, folder: Path) -> bool:
        try:
            self._greet(folder / self.socket_name)
        except (OSError, Waking):
            return False
        return True

    def _launch(self, lock: int) -> str:
        self._let_go()
        account = account_for(self.home)
        program = binaries.find(self.kind, account)
        self._prepare(program, account, lock)
        give(self.home, account)
        known = self._folder or self._record().get("sockets")
        folder = sockets.folder(account, self.socket_name, previous=Path(known) if known else None)
        command = self._command(program, account, folder)
        with self._open_log() as log:
            since = log.tell()
            kept = self._keep(command, account, folder, lock, log)
        try:
            self._write_record(folder, kept)
            self._await_service(kept, folder / self.socket_name, since)
        except BaseException:
            kept.order("kill", STOP_PATIENCE)
            raise
        self._kept, self._folder = kept, folder
        return self.url

    def _keep(self, command: list[str], account: Account, folder: Path, lock: int, log: BinaryIO) -> _Kept:
        spec: keeper.Spec = {
            "command": command,
            "environment": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            "cwd": str(self.home),
            "account": account.identity,
            "supervisor": self._supervisor or os.getpid(),
            "signals": self.signals,
            "patience": STOP_PATIENCE,
            "orphan_patience": ORPHAN_PATIENCE,
            "rubbish": str(folder),
        }
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            pass_fds=[lock],
            start_new_session=True,
        )
        assert process.stdout is not None
        with process.stdout as said:
            pid = said.readline()
        return _Kept(process, int(pid or 0))

    def _await_service(self, kept: _Kept, socket: Path, since: int) -> None:
        quiet_since = time.monotonic()
        while time.monotonic() < quiet_since + START_PATIENCE:
            if not kept.alive:
                raise EmbeddedError(f"the bundled {self.kind.title} did not start: {self._last_words(since)}")
            try:
                self._complete(socket)
                return self._greet(socket)
            except Waking:
                quiet_since = time.monotonic()
                time.sleep(4 * LOOK_EVERY)  # each question leaves a line in its log
            except OSError:
                time.sleep(LOOK_EVERY)  # no socket yet
        raise EmbeddedError(
            f"the bundled {self.kind.title} runs but answers nobody; the reason is in {self.data_dir / 'log'}"
        )

    def _write_record(self, folder: Path, kept: _Kept) -> None:
        fresh = self.data_dir / "server.json.new"
        fresh.write_text(
            json.dumps({"sockets": str(folder), "keeper": str(kept.keeper.pid)}), encoding="utf-8"
        )
        fresh.replace(self.data_dir / "server.json")

    def _open_log(self) -> BinaryIO:
        log = self.data_dir / "log"
        if log.exists() and (log.stat().st_size > LOG_LIMIT or not os.access(log, os.W_OK)):
            log.replace(self.data_dir / "log.1")
        return log.open("ab")

    def _last_words(self, since: int) -> str:
        """The line of the log that says why the server ended, and where to read more."""
        with (self.data_dir / "log").open("rb") as log:
            log.seek(since)
            lines = log.read().decode(errors="replace").strip().splitlines()
        telling = [line for line in lines if _TELLING.search(line)]
        last = (telling or lines or ["it said nothing"])[-1].strip()
        return f"{last} (more in {self.data_dir / 'log'})"

    def _fresh(self, name: str) -> Path:
        """An empty folder in the data folder, in place of what an interrupted start left there."""
        fresh = self.data_dir / name
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        return fresh


def _looks(seconds: float) -> Iterator[None]:
    """Yields at once, and again every LOOK_EVERY, until the seconds are over."""
    end = time.monotonic() + seconds
    yield
    while time.monotonic() < end:
        time.sleep(LOOK_EVERY)
        yield
