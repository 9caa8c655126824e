"""Load generators: as fast as it goes (wrk) and at a steady rate. Loopback only, bounded in time, count."""

import asyncio
import contextlib
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httptools
import msgspec
import uvloop

from tests.bench.children import BenchError

_MAX_SECONDS = 120
_WRK_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Target:
    """Where to post: a loopback port, a path, an API key."""

    port: int
    path: str
    key: str


class WrkResult(msgspec.Struct, frozen=True):
    """What wrk saw. `seconds` is wall time; latencies are milliseconds."""

    requests: int
    seconds: float
    bad_status: int
    broken: int
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def wrk(target: Target, bodies: list[bytes], *, seconds: int, connections: int, folder: Path) -> WrkResult:
    """Post `bodies` in turn as fast as the server answers.

    BenchError if wrk is missing or if any answer was no 2xx: a server that refuses is fast, but not good.
    """
    if shutil.which("wrk") is None:
        raise BenchError("wrk is not on PATH; install it with: apt-get install wrk")
    bodies_file = folder / "bodies"
    bodies_file.write_bytes(b"\n".join(bodies) + b"\n")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{min(seconds, _MAX_SECONDS)}s", "--timeout", "10s"]
    command += ["-s", str(_WRK_SCRIPT), f"http://127.0.0.1:{target.port}", "--"]
    command += [target.path, target.key, str(bodies_file)]
    done = subprocess.run(command, capture_output=True, text=True)
    last = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not last.startswith("{"):
        raise BenchError(f"wrk failed: {done.stdout}{done.stderr}")
    result = msgspec.json.decode(last, type=WrkResult)
    if result.bad_status or result.broken or not result.requests:
        raise BenchError(f"{target.path}: not every request was taken: {result}")
    return result


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, sender: "SteadySender") -> None:
        self._sender = sender
        self._parser = httptools.HttpResponseParser(self)
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own class, registered nowhere

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._sender.lost += 1

    def on_message_complete(self) -> None:
        self._sender.answered(self, self._parser.get_status_code())


class SteadySender:
    """Posts at a steady rate over keep-alive connections, whether or not the server keeps up.

    An event that finds no free connection waits, but its time of sending stays the moment it was due:
    a server that stalls is charged for all that it held up.
    `body_of(i, due)` makes the i-th body; `due` is seconds since the epoch.
    """

    def __init__(
        self, target: Target, body_of: Callable[[int, float], bytes], *, connections: int = 32
    ) -> None:
        self._target, self._body_of, self._connections = target, body_of, connections
        self._idle: deque[_Connection] = deque()
        self._due: deque[bytes] = deque()
        self._total = 0
        self._all_answered = asyncio.Event()
        self.accepted = self.refused = self.lost = 0

    async def run(self, *, rate: int, seconds: int) -> None:
        """Send `rate` events a second for `seconds`; return when the last is answered or 10 s later."""
        loop = asyncio.get_running_loop()
        opened = [
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._target.port)
            for _ in range(self._connections)
        ]
        self._idle.extend(connection for _, connection in opened)
        total = self._total = rate * min(seconds, _MAX_SECONDS)
        start, sent = time.time(), 0
        while sent < total:
            while sent < total and start + sent / rate <= time.time():
                self._due.append(self._request(sent, start + sent / rate))
                sent += 1
            self._flush()
            await asyncio.sleep(0.001)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_answered.wait(), timeout=10)
        lost, self.lost = self.lost, 0
        for transport, _ in opened:
            transport.close()
        if self.refused or lost or self.accepted != total:
            raise BenchError(f"sent {total}, accepted {self.accepted}, refused {self.refused}, lost {lost}")

    def answered(self, connection: _Connection, status: int) -> None:
        if status == 202:
            self.accepted += 1
        else:
            self.refused += 1
        if self.accepted + self.refused == self._total:
            self._all_answered.set()
        self._idle.append(connection)
        self._flush()

    def _flush(self) -> None:
        while self._due and self._idle:
            transport = self._idle.popleft().transport
            assert transport is not None
            transport.write(self._due.popleft())

    def _request(self, i: int, due: float) -> bytes:
        body = self._body_of(i, due)
        return (
            f"POST {self._target.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self._target.key}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


def send_steadily(
    target: Target, body_of: Callable[[int, float], bytes], *, rate: int, seconds: int
) -> SteadySender:
    """Run a SteadySender to its end. BenchError if any event was not accepted."""
    sender = SteadySender(target, body_of)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(sender.run(rate=rate, seconds=seconds))
    return sender
