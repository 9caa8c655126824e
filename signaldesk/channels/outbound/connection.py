"""One HTTP/1.1 connection: writes a request, reads the answer, as little of it as is needed.

httpx's own connections (httpcore, h11) take 0.45 ms of CPU for a small POST here, and 1.4 ms with twenty of
them in one pool; this takes 0.04 ms. At a thousand notifications a second that is the difference between
one core and a twentieth of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

import httptools
import httpx

BODY_LIMIT = 64 * 1024
"""Most bytes kept of an answer's body; reading stops there and the connection is closed."""
HEAD_LIMIT = 64 * 1024
"""Most bytes of an answer before its body."""


class Reply(NamedTuple):
    """What came back. The body may be cut: at BODY_LIMIT, by the deadline, or by the other side."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Connection(asyncio.Protocol):
    """Carries one exchange at a time; `reusable` says whether it may carry another.

    Once the head of an answer is there, the answer counts, however its body ends: the status says what
    became of the message, and asking again would deliver it twice.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._pending: asyncio.Future[Reply] | None = None
        self._received = 0
        self.reusable = False
        self.born = self._loop.time()
        self.on_idle_end: Callable[[Connection], None] | None = None
        """Called when the connection ends while nobody uses it."""

    async def exchange(self, request: bytes, deadline: float) -> Reply:
        """Send the bytes of a request and wait for its answer until `deadline` (the loop's time).

        Raises httpx.ReadTimeout, ReadError (ended without a word: `silent` is then true) or
        RemoteProtocolError. Whatever goes wrong, the connection is closed.
        """
        self._begin()
        pending: asyncio.Future[Reply] = self._loop.create_future()
        self._pending = pending
        timer = self._loop.call_at(deadline, self._expire)
        try:
            if self._transport is None:
                raise httpx.ReadError("the connection was closed")
            self._transport.write(request)
            return await pending
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()
            self._pending = None
            if not self.reusable:
                self.close()

    def close(self) -> None:
        """Drop the connection; what is unsent or unread is lost."""
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    @property
    def silent(self) -> bool:
        """Whether not a single byte has come back since the request was written."""
        return self._received == 0

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._received = 0
        self.reusable = False

    # --- asyncio calls these ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._pending is None or self._pending.done():
            self._end_idle()  # nobody asked: out of step, or an answer that goes on after its end
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(httpx.RemoteProtocolError("the answer switches to another protocol"))
        except httptools.HttpParserError:
            # Also how a callback stops the parser; then the answer is settled already.
            self._fail(httpx.RemoteProtocolError("the answer is not HTTP/1.1"))
        if self._received > HEAD_LIMIT + BODY_LIMIT:
            self._cut("the answer's head is too long")

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._pending is None:
            self._end_idle()
        else:
            self._cut("the connection ended before an answer")

    # --- httptools calls these -------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._pending is not None and self._pending.done():
            self.reusable = False  # a second answer to one request: whose would the next one be?

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self._status = status

    def on_body(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > BODY_LIMIT:
            self._cut("")

    def on_message_complete(self) -> None:
        if self._status == 0:  # 100 Continue or 103 Early Hints: the answer proper follows
            self._headers.clear()
            return
        self.reusable = self._parser.should_keep_alive() and len(self._body) <= BODY_LIMIT
        self._settle()

    # --- ways an exchange ends -------------------------------------------------------------------------

    def _settle(self) -> None:
        if self._pending is not None and not self._pending.done():
            self._pending.set_result(Reply(self._status, self._headers, bytes(self._body[:BODY_LIMIT])))

    def _fail(self, error: httpx.TransportError) -> None:
        if self._pending is not None and not self._pending.done():
            self._pending.set_exception(error)

    def _cut(self, fault: str) -> None:
        """No more will be read: the answer as far as it came, or the fault when its head is not there yet."""
        self.reusable = False
        if self._status:
            self._settle()
        else:
            self._fail(httpx.ReadError(fault))

    def _expire(self) -> None:
        self.reusable = False
        if self._status:
            self._settle()
        else:
            self._fail(httpx.ReadTimeout("no answer in time"))

    def _end_idle(self) -> None:
        self.close()
        if self.on_idle_end is not None:
            self.on_idle_end(self)
