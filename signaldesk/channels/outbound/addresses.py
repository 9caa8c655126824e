"""Which addresses a tenant may make us connect to: the public internet, and what the operator allows.

A rule of "everything but the bad ones" fails open when a range is forgotten, so IPv6 is the other way
round: only global unicast (2000::/3) is public at all. Ways to write an IPv4 address inside an IPv6 one
(mapped, compatible, translated, NAT64, 6to4, Teredo) are refused as a whole: nobody needs them to reach a
public host, and each is a way around the IPv4 list.

Sources: IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890, RFC 8190 and the RFCs named
below), and the metadata addresses of cloud providers.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_FORBIDDEN = (
    ("0.0.0.0/8", "this host"),  # RFC 791
    ("10.0.0.0/8", "private"),  # RFC 1918
    ("100.64.0.0/10", "carrier-grade NAT"),  # RFC 6598; Alibaba's metadata at 100.100.100.200
    ("127.0.0.0/8", "loopback"),  # RFC 1122
    ("168.63.129.16/32", "cloud metadata"),  # Azure's host endpoint: looks public, is not
    ("169.254.0.0/16", "link-local"),  # RFC 3927; metadata of AWS, Azure, Google at 169.254.169.254
    ("172.16.0.0/12", "private"),  # RFC 1918
    ("192.0.0.0/24", "protocol assignment"),  # RFC 6890; Oracle's metadata at 192.0.0.192
    ("192.0.2.0/24", "documentation"),  # RFC 5737
    ("192.31.196.0/24", "AS112"),  # RFC 7535
    ("192.52.193.0/24", "AMT"),  # RFC 7450
    ("192.88.99.0/24", "6to4 relay"),  # RFC 7526
    ("192.168.0.0/16", "private"),  # RFC 1918
    ("192.175.48.0/24", "AS112"),  # RFC 7534
    ("198.18.0.0/15", "benchmarking"),  # RFC 2544
    ("198.51.100.0/24", "documentation"),  # RFC 5737
    ("203.0.113.0/24", "documentation"),  # RFC 5737
    ("224.0.0.0/4", "multicast"),  # RFC 1112
    ("240.0.0.0/4", "reserved"),  # RFC 1112, the broadcast address included
    ("::/128", "unspecified"),  # RFC 4291
    ("::1/128", "loopback"),  # RFC 4291
    ("::ffff:0:0/96", "IPv4-mapped"),  # RFC 4291
    ("::ffff:0:0:0/96", "IPv4-translated"),  # RFC 2765
    ("::/96", "IPv4-compatible"),  # RFC 4291
    ("64:ff9b::/96", "NAT64"),  # RFC 6052
    ("64:ff9b:1::/48", "NAT64"),  # RFC 8215
    ("100::/64", "discard-only"),  # RFC 6666
    ("2001::/32", "Teredo"),  # RFC 4380
    ("2001::/23", "protocol assignment"),  # RFC 2928
    ("2001:db8::/32", "documentation"),  # RFC 3849
    ("2002::/16", "6to4"),  # RFC 3056
    ("2620:4f:8000::/48", "AS112"),  # RFC 7534
    ("3fff::/20", "documentation"),  # RFC 9637
    ("5f00::/16", "segment routing"),  # RFC 9602
    ("fc00::/7", "private"),  # RFC 4193; AWS's metadata at fd00:ec2::254
    ("fe80::/10", "link-local"),  # RFC 4291
    ("fec0::/10", "site-local"),  # RFC 3879
    ("ff00::/8", "multicast"),  # RFC 4291
)
_TABLE: tuple[tuple[Network, str], ...] = tuple((ip_network(text), name) for text, name in _FORBIDDEN)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)
"""Upper half of an ISATAP interface identifier (RFC 5214); the lower half is an IPv4 address."""


class Guard:
    """Says which addresses may be connected to."""

    def __init__(self, allow: Sequence[Network] = ()) -> None:
        """`allow`: networks that may be reached although they are not public."""
        self._allow = tuple(allow)

    def objection(self, address: Address) -> str | None:
        """Why this address may not be connected to, in a word or two; None when it may."""
        if any(address in network for network in self._allow if network.version == address.version):
            return None
        for network, name in _TABLE:
            if network.version == address.version and address in network:
                return name
        if isinstance(address, IPv6Address):
            if address not in _GLOBAL_UNICAST:
                return "not public"
            if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
                return "ISATAP"
        return None


def literal(host: str) -> Address | None:
    """The address that a URL's host spells out, brackets and zone stripped; None when it is a name.

    Only the canonical spellings count. What libc would also take for an address (`127.1`, `0x7f000001`,
    `2130706433`, `0177.0.0.1`) is a name here: it goes to the resolver, and what comes back is judged.
    """
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def looks_numeric(host: str) -> bool:
    """Whether the host would be read as an IPv4 address by libc or a browser although it is no canonical one.

    As in the WHATWG URL standard: the last label is a decimal, octal or hexadecimal number.
    """
    last = host.rstrip(".").rpartition(".")[2].lower()
    if not last or literal(host) is not None:
        return False
    digits = last.removeprefix("0x")
    return last.isdigit() or (last.startswith("0x") and all(c in "0123456789abcdef" for c in digits))
