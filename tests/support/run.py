"""The servers of one test run, started by whoever needs them first and stopped by the last one out.

All workers of a run meet in one folder. A count of users, changed only under a file lock, says who is first
and who is last. The servers live with the process that runs the tests (the controller, when there are
workers), so they also end when a worker crashes without taking its leave.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from signaldesk.embedded import EmbeddedPostgres, EmbeddedServer, EmbeddedValkey
from tests.support.waiting import eventually_now

S = TypeVar("S", bound=EmbeddedServer)

UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""The shared Postgres keeps nothing past the run; tests of durability use one of their own."""
DATABASES = 256
"""Numbered databases of the shared Valkey: one per worker, replaced workers count on."""


_LEFT_RUNNING: list[EmbeddedServer] = []
"""Servers that others still use. Were they forgotten, Python would warn that their processes still run, and
the warning would fail whichever test happens to be the last one of its worker."""


@dataclass(frozen=True)
class Worker:
    """Which of the run's processes this is."""

    run: str
    """Letters and digits that no other run has."""
    number: int
    folder: Path
    """The folder in which all workers of the run meet."""
    controller: int
    """Process id of whoever runs the tests."""


class SharedServers:
    """The Postgres and the Valkey of the run, each started on first use."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._used: list[EmbeddedServer] = []

    def postgres(self) -> EmbeddedPostgres:
        folder = self.worker.folder / "postgres"
        return self._use(EmbeddedPostgres(folder, lives_with=self.worker.controller, settings=UNSAFE))

    def valkey(self) -> EmbeddedValkey:
        settings = {"databases": str(DATABASES)}
        folder = self.worker.folder / "valkey"
        return self._use(EmbeddedValkey(folder, lives_with=self.worker.controller, settings=settings))

    def new_cluster(self, data_dir: Path) -> None:
        """Put into a data folder what `initdb` makes there, from a copy: a tenth of a second instead of one.

        Whoever starts a Postgres on it starts it for the first time. Making it is tested where it is made.
        """
        made = EmbeddedPostgres(self.worker.folder / "made")
        with self.count("made", 0):
            if not made.home.exists():
                with made:
                    pass
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", made.home, data_dir / "home"], check=True)

    def leave(self) -> None:
        """Take leave; whoever is last stops the servers and removes their data."""
        for server in self._used:
            with self.count(server.data_dir.name, -1) as users:
                if users == 0:
                    _end(server)
                    shutil.rmtree(server.data_dir, ignore_errors=True)
                else:
                    _LEFT_RUNNING.append(server)

    @contextmanager
    def count(self, name: str, change: int) -> Iterator[int]:
        """Change the number of users of a thing of the run, and keep everybody else waiting meanwhile."""
        self.worker.folder.mkdir(exist_ok=True)
        with (self.worker.folder / f"{name}.users").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            users = int(file.read() or 0) + change
            yield users
            file.truncate(0)
            file.write(str(users))
            file.flush()

    def _use(self, server: S) -> S:
        with self.count(server.data_dir.name, +1):
            server.start()
        self._used.append(server)
        return server


def _end(server: EmbeddedServer) -> None:
    """Stop the server whoever started it: by its keeper, which is there as long as the server is."""
    if server.adopted:
        keeper = json.loads((server.data_dir / "server.json").read_text())["keeper"]
        os.kill(int(keeper), signal.SIGTERM)
        eventually_now(lambda: not server.running)
    server.stop()
