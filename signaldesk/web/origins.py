"""Where a browser's request may come from, and whose address counts as the client's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from urllib.parse import urlsplit

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def origin_of(url: str) -> str:
    """`https://desk.example.com/base` → `https://desk.example.com`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def own_origins(base_url: str) -> frozenset[str]:
    """The origins of our own pages. On a loopback address its other names count as well."""
    parts = urlsplit(base_url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    if host not in _LOOPBACK:
        return frozenset({origin_of(base_url)})
    port = f":{parts.port}" if parts.port else ""
    return frozenset(f"{parts.scheme}://{name}{port}" for name in _LOOPBACK)


def client_address(
    peer: str, forwarded_for: Iterable[str], trusted: Sequence[IPv4Network | IPv6Network]
) -> str:
    """The client's address: the peer's, or what trusted proxies say, read from the nearest one outwards.

    `forwarded_for` are the values of the X-Forwarded-For headers, in order.
    """
    hops = [hop.strip() for header in forwarded_for for hop in header.split(",") if hop.strip()]
    address = peer
    while hops and _within(address, trusted):
        address = hops.pop()
    return address


def _within(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
