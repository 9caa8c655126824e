"""A bundled Valkey: unix socket only, every write on disk before it is answered, nothing evicted."""

from __future__ import annotations

import signal
from pathlib import Path
from socket import AF_UNIX, socket
from typing import ClassVar

from signaldesk.embedded import binaries
from signaldesk.embedded.account import Account
from signaldesk.embedded.server import EmbeddedServer, Waking
from signaldesk.errors import EmbeddedError

SETTINGS = {
    "appendonly": "yes",
    # An event is acknowledged when it is on disk, and not a second before it may be.
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    # The append-only file holds everything; snapshots beside it would only cost.
    "save": "",
    # Better an error that can be retried than an event that is gone.
    "maxmemory-policy": "noeviction",
    "databases": "16",
    "loglevel": "notice",
    "daemonize": "no",
}


class EmbeddedValkey(EmbeddedServer):
    """Valkey with the append-only file on and synchronous."""

    kind: ClassVar[binaries.Kind] = binaries.VALKEY
    socket_name: ClassVar[str] = "valkey.sock"
    # It knows one way to stop in an orderly way; the second time it stops at once.
    signals: ClassVar[tuple[signal.Signals, signal.Signals]] = (signal.SIGTERM, signal.SIGINT)

    def database_url(self, number: int) -> str:
        """The URL of another numbered database of this server."""
        return self.url.replace("?db=0", f"?db={number}")

    def _url(self, folder: Path) -> str:
        return f"unix://{folder / self.socket_name}?db=0"

    def _prepare(self, program: binaries.Program, account: Account, lock: int) -> None:
        self.home.mkdir(mode=0o700, exist_ok=True)

    def _command(self, program: binaries.Program, account: Account, folder: Path) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(folder / self.socket_name),
            "unixsocketperm": "700",
            "dir": ".",
            **SETTINGS,
            **self._settings,
        }
        return [
            str(program.path),
            *(word for name, value in settings.items() for word in (f"--{name}", value)),
        ]

    def _greet(self, socket_path: Path) -> None:
        with socket(AF_UNIX) as line:
            line.settimeout(5.0)
            line.connect(str(socket_path))
            line.sendall(b"PING\r\n")
            answer = line.recv(1024).decode(errors="replace")
        if not answer:
            raise ConnectionResetError("it hung up")  # as a server does that is ending
        if answer.startswith("-LOADING"):
            raise Waking
        if not answer.startswith("+PONG"):
            raise EmbeddedError(f"the Valkey in {self.data_dir} does not serve: {answer.strip()}")
