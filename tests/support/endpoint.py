"""A real HTTP server on loopback that behaves as a test wants, well or badly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple


class Received(NamedTuple):
    """One request; header names are lower case. `connection` counts the connections of the server."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[[Received, asyncio.StreamWriter], Awaitable[bool]]
"""Answers a request; False closes the connection."""


def answers(status: int = 200, body: bytes = b"ok", **headers: str) -> Behaviour:
    """A well-behaved answer; `retry_after="3"` becomes the header `retry-after`."""
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return says("\r\n".join([*lines, "", ""]).encode() + body)


def says(data: bytes, *, stay: bool = True) -> Behaviour:
    """Exactly these bytes; the connection stays open unless told otherwise."""

    async def behave(request: Received, writer: asyncio.StreamWriter) -> bool:
        writer.write(data)
        await writer.drain()
        return stay

    return behave


def hangs(data: bytes = b"") -> Behaviour:
    """These bytes and then nothing, for ever."""

    async def behave(request: Received, writer: asyncio.StreamWriter) -> bool:
        writer.write(data)
        await asyncio.Event().wait()
        return False

    return behave


def floods(head: bytes, chunk: bytes) -> Behaviour:
    """A head, and then the chunk for as long as anybody listens."""

    async def behave(request: Received, writer: asyncio.StreamWriter) -> bool:
        writer.write(head)
        with contextlib.suppress(OSError):
            while not writer.is_closing():
                writer.write(chunk)
                await writer.drain()
        return False

    return behave


async def drops(request: Received, writer: asyncio.StreamWriter) -> bool:
    """Closes the connection without a word."""
    return False


class Endpoint:
    """Records what it gets and answers as `behaviour` says, which may be replaced at any time."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.behaviour: Behaviour = answers()
        self.connections = 0
        self.port = 0
        self.scheme = "http"
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while request := await self._read(reader, connection):
                self.received.append(request)
                if not await self.behaviour(request, writer):
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()

    @staticmethod
    async def _read(reader: asyncio.StreamReader, connection: int) -> Received | None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, path, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Received(method, path, headers, body, connection)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def hang_up(self) -> None:
        """Close every connection, whatever it is doing."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def endpoint(*, tls: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
    """A running endpoint on a free port of 127.0.0.1."""
    served = Endpoint()
    server = await asyncio.start_server(served._accept, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    served.port = server.sockets[0].getsockname()[1]
    served.scheme = "https" if tls else "http"
    try:
        yield served
    finally:
        server.close()
        await served.hang_up()
        await server.wait_closed()
