"""A webhook receiver: notes when each one came, and answers 200."""

import asyncio
import threading
import time
from typing import Self, cast

import httptools
import uvloop


class _Receiver(asyncio.Protocol):
    def __init__(self, received: list[tuple[float, bytes]]) -> None:
        self._received = received
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, registered nowhere

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._received.append((time.time(), b"".join(self._body)))
        self._body = []
        assert self._transport is not None
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class HookReceiver:
    """An HTTP server in a thread of its own. `received` grows by (seconds since the epoch, body)."""

    def __init__(self) -> None:
        self.received: list[tuple[float, bytes]] = []
        self.port = 0
        self._loop = uvloop.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="hooks", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def _serve(self) -> None:
        server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Receiver(self.received), "127.0.0.1", 0)
        )
        self.port = cast(asyncio.Server, server).sockets[0].getsockname()[1]
        self._up.set()
        self._loop.run_forever()
        server.close()

    def __enter__(self) -> Self:
        self._thread.start()
        self._up.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
