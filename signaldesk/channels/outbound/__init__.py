"""The only way from a channel to the outside: guarded, bounded in time and size, and telling no secrets."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import httpx

from signaldesk.channels.outbound.addresses import Guard, Network
from signaldesk.channels.outbound.resolver import Resolve, SystemResolver
from signaldesk.channels.outbound.transport import TOTAL, TOTAL_SECONDS, GuardedTransport
from signaldesk.errors import DeliveryFailed, DeliveryRefused

__all__ = ["Answer", "Outbound"]


class Answer(NamedTuple):
    """What a destination answered; `text` is at most 64 KiB, not decompressed."""

    status: int
    headers: httpx.Headers
    text: str


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates of the world, read once: that takes a processor longer than many requests."""
    return httpx.create_ssl_context()


class Outbound:
    """Posts to addresses that tenants chose. One for the whole process: it keeps connections.

    Faults name the host and never the path, the query or a header: those hold secrets.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        *,
        total: float = TOTAL_SECONDS,
        resolver: SystemResolver | None = None,
    ) -> None:
        """`total`: seconds for one request altogether. `resolver`: closed with this."""
        self._transport = transport
        self._total = total
        self._resolver = resolver

    @classmethod
    def guarded(
        cls,
        *,
        allow: Sequence[Network] = (),
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        total: float = TOTAL_SECONDS,
    ) -> Outbound:
        """With the real network behind it. `allow`: private networks that may be reached all the same."""
        system = SystemResolver()  # costs nothing until it is asked
        transport = GuardedTransport(guard=Guard(allow), resolve=resolve or system, tls=tls or _trusted())
        return cls(transport, total=total, resolver=system)

    async def post(self, url: str, *, content: bytes, headers: Mapping[str, str]) -> Answer:
        """POST once; any status is an answer.

        Raises DeliveryFailed when no answer came, DeliveryRefused when the destination may not be reached.
        """
        try:
            request = httpx.Request(
                "POST",
                url,
                content=content,
                headers={"accept": "*/*", "accept-encoding": "identity", **headers},
                extensions={TOTAL: self._total},
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise DeliveryRefused("the address of this channel is not a URL; correct the channel") from error
        host = request.url.host
        try:
            response = await self._transport.handle_async_request(request)
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise DeliveryRefused(f"cannot ask {host}: {error}; correct the channel") from error
        except httpx.TransportError as error:
            raise DeliveryFailed(f"no answer from {host}: {error}") from error
        body = await response.aread()
        return Answer(response.status_code, response.headers, body.decode("utf-8", "replace"))

    async def close(self) -> None:
        """Close every kept connection."""
        await self._transport.aclose()
        if self._resolver is not None:
            self._resolver.close()
