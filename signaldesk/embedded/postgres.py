"""A bundled PostgreSQL: unix socket only, only for the user who started it (and root), durable."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from signaldesk.embedded import binaries
from signaldesk.embedded.account import Account, give
from signaldesk.embedded.handshake import Conversation, Refused
from signaldesk.embedded.server import EmbeddedServer, Waking
from signaldesk.errors import EmbeddedError

NAME = "signaldesk"
"""The database, and the role that owns it."""

TUNING = {
    # For a laptop or a small server that it shares with everything else.
    "max_connections": "200",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "wal_buffers": "16MB",
    "min_wal_size": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "1",
    "autovacuum_max_workers": "2",
    "autovacuum_naptime": "20s",
    # Short queries only, for which compiling costs more than it gains.
    "jit": "off",
    # An accepted event is on disk: nothing here may trade that for speed.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}

# Whoever may use the socket is who the kernel says he is: no password, and nobody else gets in.
_HBA = f"local all all peer map={NAME}\n"
_NOT_YET = ("57P03", "57P01", "57P02", "3D000")
"""SQLSTATE of "starting up" and "shutting down", of a session that is ended by that or by a crash, and of
"no such database": whoever started it makes it."""
# As root the folder may lie where the server's account cannot walk to; where it stands it can always look.
_HERE = "/proc/self/cwd"


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL with a database `signaldesk` (UTF8, C.UTF-8) owned by the superuser `signaldesk`."""

    kind: ClassVar[binaries.Kind] = binaries.POSTGRES
    socket_name: ClassVar[str] = ".s.PGSQL.5432"
    # Fast shutdown (rolls back and disconnects), immediate shutdown (recovers at the next start).
    signals: ClassVar[tuple[signal.Signals, signal.Signals]] = (signal.SIGINT, signal.SIGQUIT)

    def database_url(self, database: str) -> str:
        """The URL of another database of this server."""
        return self.url.replace(f"/{NAME}?", f"/{database}?")

    def _url(self, folder: Path) -> str:
        return f"postgresql://{NAME}@/{NAME}?host={folder}"

    def _prepare(self, program: binaries.Program, account: Account, lock: int) -> None:
        made_by = self.home / "PG_VERSION"
        if not made_by.exists():
            self._initialise(program, account, lock)
        elif made_by.read_text().strip() != str(program.major):
            raise EmbeddedError(
                f"the data in {self.home} was made by PostgreSQL {made_by.read_text().strip()} and found is "
                f"PostgreSQL {program.major}; dump it with the old version (pg_dump) and restore it into a "
                "new folder, or put the old version on PATH"
            )

    def _initialise(self, program: binaries.Program, account: Account, lock: int) -> None:
        """Make the cluster beside its place and move it there whole: a half-made one is never served."""
        fresh = self._fresh("home.new")
        give(fresh, account)
        user, group = account.identity or (None, None)
        done = subprocess.run(
            [program.path.with_name("initdb"), "-D", _HERE if account.other else fresh, *_options(program)],
            cwd=fresh,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            user=user,
            group=group,
            extra_groups=[] if account.other else None,
            pass_fds=[lock],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            reason = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
            raise EmbeddedError(f"cannot make a PostgreSQL database in {self.data_dir}: {reason}")
        (fresh / "pg_hba.conf").write_text(_HBA)
        members = sorted({account.name, "root"} if not account.other else {"root"})
        (fresh / "pg_ident.conf").write_text("".join(f"{NAME} {member} {NAME}\n" for member in members))
        fresh.rename(self.home)

    def _command(self, program: binaries.Program, account: Account, folder: Path) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            "unix_socket_permissions": "0700",
            **TUNING,
            **self._settings,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(program.path), "-D", _HERE if account.other else str(self.home), *options]

    def _greet(self, socket: Path) -> None:
        self._converse(socket, NAME).close()

    def _complete(self, socket: Path) -> None:
        with self._converse(socket, "postgres") as admin:
            if not admin.rows(f"SELECT FROM pg_database WHERE datname = '{NAME}'"):
                admin.rows(f"CREATE DATABASE {NAME}")

    def _converse(self, socket: Path, database: str) -> Conversation:
        try:
            return Conversation(socket, user=NAME, database=database)
        except Refused as refused:
            if refused.state in _NOT_YET:
                raise Waking from None
            raise EmbeddedError(f"the PostgreSQL in {self.data_dir} does not let us in: {refused}") from None


def _options(program: binaries.Program) -> list[str]:
    """How a cluster is made: UTF-8 everywhere, sorted by code point, the same order on every machine."""
    locale = ["--locale=C.UTF-8"]
    if program.major >= 17:
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    # All of it is on disk before it is served. Syncing a thousand small files one by one takes seconds on a
    # busy disk; asking once for everything does not.
    sync = ["--sync-method=syncfs"] if program.major >= 17 and sys.platform == "linux" else []
    return [*locale, *sync, "--encoding=UTF8", f"--username={NAME}", "--auth=peer", "--no-instructions"]
