"""The lean HTTP server of the ingest process: one route, `POST /api/v1/events`, as cheap as it gets.

httptools parses, uvloop carries; a single event costs no task and no coroutine. A connection that asks for
anything else is handed over, socket and all, to the web process.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any, Protocol, cast

import httptools
import orjson

from signaldesk import log
from signaldesk.accounts.keys import KeyRing
from signaldesk.accounts.roles import Principal
from signaldesk.errors import (
    FieldError,
    Invalid,
    Malformed,
    MethodNotAllowed,
    NotFound,
    SignalDeskError,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from signaldesk.intake.intake import Delivery, Intake, NeedsLookup, Sender
from signaldesk.model import problem

PATH = b"/api/v1/events"
_HEAD_MAX = 64 * 1024
_IDLE = 75.0
"""Seconds a connection may stay open without a request, and a request may take to arrive."""
_LINGER = 5.0
_IGNORED_MAX = 64 << 20
"""Seconds and bytes for which we hear out a client whose body we do not want."""

logger = log.get_logger(__name__)

_REASONS = {202: b"Accepted", 400: b"Bad Request", 401: b"Unauthorized", 403: b"Forbidden", 404: b"Not Found"}
_REASONS |= {405: b"Method Not Allowed", 413: b"Content Too Large", 415: b"Unsupported Media Type"}
_REASONS |= {421: b"Misdirected Request", 422: b"Unprocessable Content", 429: b"Too Many Requests"}
_REASONS |= {
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
}


class Handover(Protocol):
    """Takes over a connection: its transport and the bytes already read. Raises Unavailable."""

    async def give(self, transport: asyncio.Transport, head: bytes) -> None: ...


class Misdirected(SignalDeskError):
    """A request for elsewhere, right behind another one; the client asks again on a new connection."""

    status, code, title, retry = 421, "misdirected", "Ask again on a new connection", True


class HeadTooLarge(SignalDeskError):
    status, code, title = 431, "head_too_large", "The request's head is too large"


class Shared:
    """What all connections share."""

    def __init__(self, *, intake: Intake, keys: KeyRing, handover: Handover | None) -> None:
        self.intake = intake
        self.keys = keys
        self.handover = handover
        self.connections: set[Connection] = set()
        self.web_is_away = False
        """Said once, not for each connection."""


class Connection(asyncio.Protocol):
    """One client's connection; requests are answered one after the other."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._raw: list[bytes] = []
        """What has been read of the request at hand, from its beginning, as long as that is its head …"""
        self._torn = False
        """… unless that lies in the middle of what was read, behind the request before it."""
        self._ended = False
        self._busy = False
        self._gone = False
        self._cut_short = False
        self._ignored = 0
        self._timer: asyncio.TimerHandle | None = None
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._in_body = False
        self._fault: SignalDeskError | None = None

    # --- the connection --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._shared.connections.add(self)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._shared.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def close(self) -> None:
        """Close once the request at hand is answered."""
        if self._busy:
            self._headers[b"connection"] = b"close"
        else:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._gone:
            self._ignored += len(data)
            if self._ignored > _IGNORED_MAX:
                self._transport.close()
            return
        if not self._in_body:
            self._raw.append(data)
        self._ended = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # handed over, or refused, when its head was complete
        except httptools.HttpParserError as error:
            if not self._gone:
                self._refuse(Malformed(f"this is not HTTP/1.1: {error}"))
        # Only now: what arrived first may well be a short head with much of a long body behind it.
        if not self._in_body and sum(map(len, self._raw)) > _HEAD_MAX:
            self._refuse_head()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_IDLE, self._transport.close)

    # --- the parser calls ------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._torn = self._ended

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self._gone:
            return
        self._in_body = True
        if self._head_too_long():
            self._refuse_head()
            return
        path, _, query = self._url.partition(b"?")
        if path == PATH and self._parser.get_method() == b"POST":
            if query:
                self._fault = _unknown(query)
            self._check_length()
            if self._headers.get(b"expect", b"").lower() == b"100-continue" and self._fault is None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif self._shared.handover is None:
            self._fault = MethodNotAllowed("POST events here") if path == PATH else NotFound()
        elif not self._torn and not self._transport.get_write_buffer_size():
            self._hand_over()
        else:
            self._headers[b"connection"] = b"close"
            self._fault = Misdirected("wait for an answer before asking for something else, or connect again")

    def _head_too_long(self) -> bool:
        """Of a head that is complete, whatever follows it. Behind another request it is not measured."""
        if self._torn or (len(self._raw) == 1 and len(self._raw[0]) <= _HEAD_MAX):
            return False
        return b"\r\n\r\n" not in b"".join(self._raw)[:_HEAD_MAX]

    def _refuse_head(self) -> None:
        self._refuse(HeadTooLarge(f"the head of a request may have {_HEAD_MAX} bytes"))

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > self._shared.intake.max_batch:
            self._too_large()
        elif self._fault is None:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self._gone:
            return
        self._ended = True
        self._raw.clear()
        self._busy = True
        self._transport.pause_reading()
        if self._fault is not None:
            self._answer_error(self._fault)
            return
        self._take()

    def _check_length(self) -> None:
        length = self._headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._shared.intake.max_batch:
            self._too_large()

    def _too_large(self) -> None:
        self._body.clear()
        limit = self._shared.intake.max_batch
        self._refuse(TooLarge(f"the body may have {limit} bytes; send smaller batches"))

    # --- taking events ---------------------------------------------------------------------------------

    def _take(self) -> None:
        header = self._headers.get(b"authorization", b"").decode("latin-1")
        scheme, _, key = header.partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            self._answer_error(Unauthenticated("send your API key: Authorization: Bearer sk_…"))
            return
        principal = self._shared.keys.remembered(key)
        if principal is None:
            self._later(self._take_slowly(key))
            return
        try:
            self._take_fast(principal)
        except NeedsLookup:
            self._later(self._take_slowly(key))
        except SignalDeskError as error:
            self._answer_error(error)

    def _take_fast(self, principal: Principal) -> None:
        principal.require("events:write")
        sender = Sender(principal.org_id, principal.partition)
        answer = b""

        def done(error: Exception | None) -> None:
            if error is None:
                self._answer(202, answer)
            else:
                self._answer_error(error)

        answer = self._shared.intake.accept_soon(sender, self._delivery(), done)

    async def _take_slowly(self, key: str) -> None:
        principal = await self._shared.keys.principal(key)
        principal.require("events:write")
        sender = Sender(principal.org_id, principal.partition)
        self._answer(202, await self._shared.intake.accept(sender, self._delivery()))

    def _delivery(self) -> Delivery:
        get: Callable[[bytes, bytes], bytes] = self._headers.get
        return Delivery(
            body=b"".join(self._body),
            content_type=get(b"content-type", b"").decode("latin-1"),
            encoding=get(b"content-encoding", b"").decode("latin-1"),
            idempotency_key=get(b"idempotency-key", b"").decode("latin-1"),
            replay=get(b"x-signaldesk-replay", b"").decode("latin-1"),
            notify=get(b"x-signaldesk-notify", b"").lower() == b"true",
        )

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)

        def finished(done: asyncio.Task[None]) -> None:
            if not done.cancelled() and (error := done.exception()) is not None:
                self._answer_error(error)

        task.add_done_callback(finished)

    # --- answering -------------------------------------------------------------------------------------

    def _answer(self, status: int, body: bytes, kind: str = "application/json", extra: bytes = b"") -> None:
        if self._gone:
            return
        stay = self._parser.should_keep_alive() and self._headers.get(b"connection", b"").lower() != b"close"
        request = self._headers.get(b"x-request-id", b"")
        if not request or len(request) > 128 or not request.isalnum():
            request = uuid.uuid4().hex.encode()
        self._transport.write(
            b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nX-Request-ID: %s\r\n%s%s\r\n%s"
            % (
                status,
                _REASONS.get(status, b"Error"),
                kind.encode(),
                len(body),
                request,
                extra,
                b"" if stay else b"Connection: close\r\n",
                body,
            )
        )
        self._busy = False
        self._begin()
        if stay:
            self._wait()
            self._transport.resume_reading()
        else:
            self._gone = True
            if self._cut_short:
                self._linger()
            else:
                self._transport.close()

    def _linger(self) -> None:
        """Let go by what the client still sends: closed now, the connection is reset, and then the answer is
        often lost before the client has read it."""
        self._transport.write_eof()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_LINGER, self._transport.close)

    def _answer_error(self, error: BaseException) -> None:
        if not isinstance(error, SignalDeskError):
            logger.error("ingest failed", error=repr(error))
            error = SignalDeskError()
        request = uuid.uuid4().hex
        self._headers[b"x-request-id"] = request.encode()
        extra = b"".join(f"{name}: {value}\r\n".encode() for name, value in problem.headers(error).items())
        body = orjson.dumps(problem.document(error, request))
        self._answer(error.status, body, problem.MEDIA_TYPE, extra)

    def _refuse(self, error: SignalDeskError) -> None:
        """Answer now and close: what else the client is sending is not worth reading."""
        if self._gone:
            return
        self._cut_short = True
        self._headers[b"connection"] = b"close"
        self._answer_error(error)

    # --- handing over ----------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        assert self._shared.handover is not None
        self._gone = True
        self._transport.pause_reading()
        handover, head = self._shared.handover, b"".join(self._raw)
        task = asyncio.get_running_loop().create_task(handover.give(self._transport, head))
        task.add_done_callback(self._handed_over)

    def _handed_over(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            self._shared.web_is_away = False
            self._transport.abort()
            return
        if not self._shared.web_is_away:
            self._shared.web_is_away = True
            logger.info("connections cannot be handed over for now", error=str(error))
        self._gone = False
        self._headers[b"connection"] = b"close"
        self._answer_error(Unavailable("the web process is not up yet; try again shortly", retry_after=1))


def _unknown(query: bytes) -> Invalid:
    """None of the parameters of a query is known here; to pass over one would hide a mistake."""
    names = sorted({part.partition(b"=")[0][:60].decode("latin-1") for part in query.split(b"&")})
    message = "unknown query parameter; there are none here"
    return Invalid(errors=[FieldError(name, message) for name in names])


async def serve(host: str, port: int, shared: Shared, *, backlog: int = 2048) -> asyncio.Server:
    """Listen on `host:port` (0 picks a free port)."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Connection(shared), host, port, backlog=backlog)
