"""An httpx transport that resolves once, connects to exactly the address it checked, and keeps connections.

It follows no redirects, knows no proxies, cookies or compression, and reads no environment variables: none of
them belongs between a tenant's URL and a guarded connection.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import NamedTuple

import httpx

from signaldesk.channels.outbound.addresses import Guard, literal
from signaldesk.channels.outbound.connection import Connection
from signaldesk.channels.outbound.resolver import Endpoint, Resolve
from signaldesk.errors import DeliveryRefused

TOTAL = "total"
"""Request extension: seconds for everything together, from the name to the end of the answer."""
TOTAL_SECONDS = 30.0
CONNECT_SECONDS = 10.0
"""For finding the address and connecting to it; each of several addresses gets a part."""
ADDRESSES_TRIED = 4

IDLE_SECONDS = 15.0
"""How long a connection is kept for the next message; most servers keep theirs longer."""
LIFE_SECONDS = 300.0
"""How old a connection may get, so that a change in DNS is noticed."""
IDLE_PER_ORIGIN = 64
IDLE_TOTAL = 200


class Origin(NamedTuple):
    scheme: str
    host: str
    port: int


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests for tenants. A destination the guard objects to raises DeliveryRefused."""

    def __init__(self, *, guard: Guard, resolve: Resolve, tls: ssl.SSLContext) -> None:
        self._guard = guard
        self._resolve = resolve
        self._tls = tls
        self._idle: dict[Connection, Origin] = {}  # in the order in which they became idle
        self._by_origin: dict[Origin, list[Connection]] = {}
        self._timers: dict[Connection, asyncio.TimerHandle] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.TransportError subclasses, as every httpx transport does, and DeliveryRefused."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + request.extensions.get(TOTAL, TOTAL_SECONDS)
        origin = _origin(request.url)
        written = _written(request)
        connection = self._take(origin)
        if connection is not None:
            try:
                return await self._exchange(connection, origin, written, deadline)
            except httpx.ReadError:
                # The server closed a kept connection just as we wrote: it has not seen the request.
                if not connection.silent:
                    raise
        connection = await self._connect(origin, min(deadline, loop.time() + CONNECT_SECONDS))
        return await self._exchange(connection, origin, written, deadline)

    async def aclose(self) -> None:
        for connection in list(self._idle):
            self._forget(connection)
            connection.close()

    async def _exchange(
        self, connection: Connection, origin: Origin, written: bytes, deadline: float
    ) -> httpx.Response:
        reply = await connection.exchange(written, deadline)
        if connection.reusable:
            self._keep(connection, origin)
        # Not decoded: a compressed body may be a bomb, and nobody reads more of it than an excerpt.
        headers = [(name, value) for name, value in reply.headers if name.lower() != b"content-encoding"]
        return httpx.Response(reply.status, headers=headers, content=reply.body)

    # --- connecting ------------------------------------------------------------------------------------

    async def _connect(self, origin: Origin, deadline: float) -> Connection:
        try:
            async with asyncio.timeout_at(deadline):
                endpoints = self._permitted(origin, await self._resolve(origin.host, origin.port))
                return await self._first(origin, endpoints[:ADDRESSES_TRIED], deadline)
        except TimeoutError:
            raise httpx.ConnectTimeout("could not connect in time") from None
        except OSError as error:
            raise httpx.ConnectError(_reason(error)) from error

    def _permitted(self, origin: Origin, endpoints: list[Endpoint]) -> list[Endpoint]:
        """The endpoints the guard has nothing against.

        The address of a name is not told to the tenant: it may be a name of the operator's own network.
        """
        objections = [self._guard.objection(endpoint.address) for endpoint in endpoints]
        permitted = [place for place, objection in zip(endpoints, objections, strict=True) if not objection]
        if permitted or not endpoints:
            return permitted
        what = "is" if literal(origin.host) is not None else "leads to"
        raise DeliveryRefused(
            f"{origin.host} {what} a {objections[0]} address, which channels may not reach; "
            "use a public one, or have the operator add its network to SIGNALDESK_OUTBOUND_ALLOW"
        )

    async def _first(self, origin: Origin, endpoints: list[Endpoint], deadline: float) -> Connection:
        """A connection to the first address that takes one; each may use its share of the time left."""
        loop = asyncio.get_running_loop()
        fault: OSError = socket.gaierror(socket.EAI_NONAME, "the name has no address")
        for left, endpoint in zip(range(len(endpoints), 0, -1), endpoints, strict=True):
            share = (deadline - loop.time()) / left
            try:
                async with asyncio.timeout(share):
                    return await self._open(origin, endpoint)
            except OSError as error:  # TimeoutError and ssl.SSLError among them
                fault = error
        raise fault

    async def _open(self, origin: Origin, endpoint: Endpoint) -> Connection:
        # A literal address is not looked up again: the connection goes where the guard looked.
        loop, secure = asyncio.get_running_loop(), origin.scheme == "https"
        _, connection = await loop.create_connection(
            Connection,
            str(endpoint.address),
            endpoint.port,
            ssl=self._tls if secure else None,
            server_hostname=origin.host if secure else None,
        )
        return connection

    # --- keeping connections ---------------------------------------------------------------------------

    def _take(self, origin: Origin) -> Connection | None:
        """The connection to this origin that was used last."""
        now = asyncio.get_running_loop().time()
        while kept := self._by_origin.get(origin):
            connection = kept[-1]
            self._forget(connection)
            if now - connection.born < LIFE_SECONDS:
                return connection
            connection.close()
        return None

    def _keep(self, connection: Connection, origin: Origin) -> None:
        kept = self._by_origin.setdefault(origin, [])
        if len(kept) >= IDLE_PER_ORIGIN:
            self._drop(kept[0])
        elif len(self._idle) >= IDLE_TOTAL:
            self._drop(next(iter(self._idle)))
        # Dropping the last one of an origin removes its list.
        self._by_origin.setdefault(origin, kept).append(connection)
        self._idle[connection] = origin
        connection.on_idle_end = self._forget
        self._timers[connection] = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._drop, connection)

    def _drop(self, connection: Connection) -> None:
        self._forget(connection)
        connection.close()

    def _forget(self, connection: Connection) -> None:
        origin = self._idle.pop(connection, None)
        if origin is None:
            return
        connection.on_idle_end = None
        self._timers.pop(connection).cancel()
        kept = self._by_origin[origin]
        kept.remove(connection)
        if not kept:
            del self._by_origin[origin]


def _origin(url: httpx.URL) -> Origin:
    if url.scheme not in ("http", "https") or not url.host:
        raise httpx.UnsupportedProtocol("expected an http:// or https:// address with a host")
    # raw_host is ASCII (punycode): what resolvers, TLS and the Host header speak.
    host = url.raw_host.decode("ascii").strip("[]")
    return Origin(url.scheme, host, url.port or (443 if url.scheme == "https" else 80))


def _written(request: httpx.Request) -> bytes:
    """The request as bytes. A line break inside a header would let its author write further ones."""
    lines = [request.method.encode("ascii") + b" " + request.url.raw_path + b" HTTP/1.1"]
    for name, value in request.headers.raw:
        if b"\r" in value or b"\n" in value or b"\0" in value:
            raise httpx.LocalProtocolError(f"the header {name.decode('ascii', 'replace')} has a line break")
        lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n" + request.content


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'no common ground'}"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    # Not the error's own text, which asyncio fills with the address behind the name.
    return os.strerror(error.errno).lower() if error.errno else "the connection failed"
