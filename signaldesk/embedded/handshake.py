"""Just enough of PostgreSQL's protocol to ask whether a server serves, without loading a driver.

Message formats: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from socket import AF_UNIX, socket

PATIENCE = 5.0
"""Seconds for any one answer."""
_VERSION_3 = 196_608


class Refused(Exception):
    """The server answered with an error; `state` is its SQLSTATE."""

    def __init__(self, state: str, message: str) -> None:
        super().__init__(message)
        self.state = state


class Conversation:
    """One session on a unix socket, let in by the socket alone (peer or trust)."""

    def __init__(self, path: Path, *, user: str, database: str) -> None:
        """Raises OSError when nobody listens and Refused when we are not let in."""
        self._socket = socket(AF_UNIX)
        self._socket.settimeout(PATIENCE)
        try:
            self._socket.connect(str(path))
            hello = f"user\0{user}\0database\0{database}\0\0".encode()
            self._socket.sendall(struct.pack("!ii", len(hello) + 8, _VERSION_3) + hello)
            for _ in self._answers():
                pass
        except BaseException:
            self.close()
            raise

    def rows(self, sql: str) -> int:
        """Run one statement and return how many rows it gave. Raises Refused when it failed."""
        text = sql.encode() + b"\0"
        self._socket.sendall(b"Q" + struct.pack("!i", len(text) + 4) + text)
        return sum(kind == b"D" for kind in self._answers())

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answers(self) -> Iterator[bytes]:
        """The kinds of the messages up to "ready for query"."""
        while True:
            kind, length = struct.unpack("!ci", self._read(5))
            body = self._read(length - 4)
            if kind == b"E":
                raise _refusal(body)
            if kind == b"R" and body[:4] != b"\0\0\0\0":
                raise Refused("28000", "the server wants a password, which a bundled server never does")
            if kind == b"Z":
                return
            yield kind

    def _read(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self._socket.recv(size - len(found))
            if not part:
                raise ConnectionResetError("the server hung up")
            found += part
        return found


def _refusal(body: bytes) -> Refused:
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    return Refused(fields.get(b"C", ""), fields.get(b"M", "no reason given"))
