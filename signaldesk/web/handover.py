"""Takes over connections that the ingest process accepted: the socket, and the bytes already read from it.

Frame: 4 bytes big-endian length of those bytes, the bytes, and one file descriptor with the first of them.
Descriptors arrive in the order of their frames, so one queue of each is enough.
"""

from __future__ import annotations

import array
import asyncio
import socket
import struct
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from signaldesk.log import get_logger

log = get_logger(__name__)

_LENGTH = struct.Struct(">I")
HEAD_MAX = 1 << 20
"""Bytes that may have been read before the connection was handed over: a head, and what came with it."""
_CHUNK = 256 * 1024
_ANCILLARY = socket.CMSG_SPACE(16 * array.array("i").itemsize)


class PrereadStream(IOStream):
    """A stream of a socket from which somebody has read already: it begins with what they read."""

    def __init__(self, connection: socket.socket, head: bytes) -> None:
        self._head = memoryview(head)
        super().__init__(connection)

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        if not self._head:
            return super().read_from_fd(buf)
        taken = min(len(buf), len(self._head))
        buf[:taken] = self._head[:taken]
        self._head = self._head[taken:]
        return taken


class Receiver:
    """Listens on a Unix socket for connections, and gives them to an HTTP server."""

    def __init__(self, path: Path, server: HTTPServer) -> None:
        self._path = path
        self._server = server
        self._listener: socket.socket | None = None
        self._givers: set[socket.socket] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; a socket file left behind by a process that is gone is replaced."""
        with suppress(FileNotFoundError):
            self._path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.setblocking(False)
        listener.bind(str(self._path))
        self._path.chmod(0o600)
        listener.listen(8)
        self._listener = listener
        self._run(self._accept(listener))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for giver in self._givers:  # of those whose task had not begun
            giver.close()
        if self._listener is not None:
            self._listener.close()
            with suppress(FileNotFoundError):
                self._path.unlink()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            giver, _ = await loop.sock_accept(listener)
            giver.setblocking(False)
            self._givers.add(giver)
            self._run(self._take_from(giver))

    async def _take_from(self, giver: socket.socket) -> None:
        """Take connections from one giver until it goes away."""
        frames = Frames()
        try:
            with giver:
                while data := await _receive(giver, frames):
                    for connection, head in frames.feed(data):
                        self._serve(connection, head)
        except (OSError, ValueError) as error:
            log.warning("the handover ended", error=str(error))
        finally:
            frames.close()
            self._givers.discard(giver)

    def _serve(self, connection: socket.socket, head: bytes) -> None:
        connection.setblocking(False)
        try:
            address = connection.getpeername()
            stream = PrereadStream(connection, head)
        except OSError:  # the client left while its connection was on its way
            connection.close()
            return
        self._server.handle_stream(stream, address)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Frames:
    """Puts frames together again from bytes and descriptors that arrive in pieces."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._descriptors: deque[int] = deque()

    def found(self, descriptors: list[int]) -> None:
        self._descriptors.extend(descriptors)

    def feed(self, data: bytes) -> list[tuple[socket.socket, bytes]]:
        """The connections that are complete now. Raises ValueError for what is no frame."""
        self._bytes += data
        complete = []
        while len(self._bytes) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes)
            if length > HEAD_MAX:
                raise ValueError(f"a frame of {length} bytes; at most {HEAD_MAX} are allowed")
            if len(self._bytes) < _LENGTH.size + length:
                break
            if not self._descriptors:
                raise ValueError("a frame without its connection")
            head = bytes(self._bytes[_LENGTH.size : _LENGTH.size + length])
            del self._bytes[: _LENGTH.size + length]
            complete.append((socket.socket(fileno=self._descriptors.popleft()), head))
        return complete

    def close(self) -> None:
        """Let go of connections whose frames never came."""
        while self._descriptors:
            socket.close(self._descriptors.popleft())


async def _receive(giver: socket.socket, frames: Frames) -> bytes:
    """The next bytes, empty at the end; descriptors go into `frames`."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            data, ancillary, flags, _ = giver.recvmsg(_CHUNK, _ANCILLARY)
        except BlockingIOError:
            ready = loop.create_future()
            loop.add_reader(giver.fileno(), _settle, ready)
            try:
                await ready
            finally:
                loop.remove_reader(giver.fileno())
            continue
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                numbers = array.array("i")
                numbers.frombytes(payload[: len(payload) - len(payload) % numbers.itemsize])
                frames.found(list(numbers))
        if flags & socket.MSG_CTRUNC:
            raise ValueError("descriptors were lost on the way")
        return data


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
