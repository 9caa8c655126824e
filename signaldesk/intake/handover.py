"""Passes connections to the web process over a Unix socket: the socket itself, and the bytes already read."""

from __future__ import annotations

import array
import asyncio
import socket
import struct
from pathlib import Path

from signaldesk.errors import Unavailable

_LENGTH = struct.Struct(">I")


class SocketHandover:
    """Gives connections to whoever listens on `path`.

    Frame: 4 bytes big-endian length of the head, the head, and one file descriptor with the first byte.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._lock = asyncio.Lock()

    async def give(self, transport: asyncio.Transport, head: bytes) -> None:
        """Pass a connection on; the caller drops its own end afterwards. Raises Unavailable."""
        client = transport.get_extra_info("socket")
        async with self._lock:
            try:
                await asyncio.to_thread(self._send, client.fileno(), head)
            except OSError as error:
                self.close()
                raise Unavailable("the web process is not there", retry_after=1) from error

    def _send(self, descriptor: int, head: bytes) -> None:
        frame = _LENGTH.pack(len(head)) + head
        for attempt in (1, 2):  # the web process may have been restarted since the last time
            try:
                target = self._connected()
                ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
                sent = target.sendmsg([frame], ancillary)
                target.sendall(frame[sent:])
                return
            except OSError:
                self.close()
                if attempt == 2:
                    raise

    def _connected(self) -> socket.socket:
        if self._socket is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(5)
            connection.connect(str(self._path))
            self._socket = connection
        return self._socket

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
