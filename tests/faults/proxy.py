"""A line to a server on which some answers get lost: what was asked is done, and then the line is cut."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Proxy:
    """Passes everything between TCP connections and a Unix socket, but for a share of the answers."""

    def __init__(self, socket: Path, *, share: float, seed: int) -> None:
        self.port = 0
        self.lost = 0
        self.share = share
        self._socket = socket
        self._chance = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, started: threading.Event, end: asyncio.Event) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await end.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._pass(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_unix_connection(self._socket)
        ways = [
            asyncio.ensure_future(self._one_way(reader, ours, lossy=False)),
            asyncio.ensure_future(self._one_way(theirs, writer, lossy=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, ours):
                end.close()

    async def _one_way(self, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, lossy: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                if lossy and self._chance.random() < self.share:
                    self.lost += 1
                    return
                to.write(data)
                await to.drain()


@contextmanager
def losing_answers(socket: Path, *, share: float, seed: int = 1) -> Iterator[Proxy]:
    """A proxy in a thread of its own, in front of the server behind `socket`."""
    proxy, started = Proxy(socket, share=share, seed=seed), threading.Event()
    loop, end = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(proxy.serve(started, end)), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        loop.close()
