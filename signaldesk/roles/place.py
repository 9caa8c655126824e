"""The data folder of `up`: one `up` at a time, and the note by which other commands find it.

Layout below the data folder:

    run/lock     held by the running `up`, so: free = nobody runs
    run/up.json  where it serves, and where its servers are; only for the user who started it
    run/web.sock where ingest hands connections over to web
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from signaldesk.roles.listening import CannotStart

LONGEST_SOCKET = 103
"""Bytes in the path of a Unix socket that every system takes."""


@dataclass(frozen=True)
class Running:
    """A running `up`: its process, where it serves, and where its Postgres and Redis are."""

    pid: int
    url: str
    base_url: str
    database_url: str
    redis_url: str


class Place:
    """The data folder, taken by this process. A context manager that gives it back as it was."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._run = data_dir / "run"
        self._lock: int | None = None
        self._sockets: Path | None = None

    def __enter__(self) -> Place:
        """Raises CannotStart when the folder cannot be used, or another `up` uses it."""
        try:
            self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self._run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(self._taken()) from None
        except OSError as error:
            raise CannotStart(
                f"cannot keep data in {self.data_dir} ({error.strerror}); choose another folder with --data"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(FileNotFoundError):
            (self._run / "up.json").unlink()
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)

    def announce(self, running: Running) -> None:
        """Let other commands find us."""
        fresh = self._run / "up.json.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(running), file)
        fresh.replace(self._run / "up.json")

    @property
    def handover(self) -> Path:
        """A path for the socket of web: in the folder, unless its name would be too long for a socket."""
        path = self._run / "web.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET:
            return path
        if self._sockets is None:
            self._sockets = Path(tempfile.mkdtemp(prefix="signaldesk-"))
        return self._sockets / "web.sock"

    def _taken(self) -> str:
        found = find(self.data_dir)
        by = f" (process {found.pid}, {found.url})" if found else ""
        return (
            f"another `signaldesk up`{by} uses {self.data_dir}; stop it, or choose another folder with --data"
        )


def find(data_dir: Path) -> Running | None:
    """The `up` that runs on this folder; None when there is none, or it has not got that far yet."""
    run = data_dir / "run"
    try:
        with (run / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None  # whoever wrote the note is gone
    except BlockingIOError:
        pass
    except OSError:
        return None
    try:
        return Running(**json.loads((run / "up.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
