"""Identifiers: time-ordered UUIDv7 for what is made, UUIDv5 for what must come out the same twice."""

from __future__ import annotations

import os
import secrets
import struct
from uuid import NAMESPACE_URL, UUID, uuid5

import uuid_utils

NAMESPACE = uuid5(NAMESPACE_URL, "https://signaldesk.dev/ids")

_HEAD = struct.Struct(">Q")


def new_id() -> UUID:
    """A fresh UUIDv7: sorts by the time it was made."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def new_ids(count: int, now_us: int) -> list[bytes]:
    """`count` UUIDv7 values, 16 bytes each, in ascending order, for a batch received at `now_us`.

    RFC 9562 section 6.2, method 1: the 12 bits of `rand_a` and the top 14 bits after the variant hold a
    counter, the other 48 bits are random.
    """
    millis = (now_us // 1000) << 16
    noise = os.urandom(6 * count)
    pack = _HEAD.pack
    ids = []
    for i in range(count):
        high = millis | 0x7000 | (i >> 14) & 0xFFF
        low = 0x8000 | i & 0x3FFF
        ids.append(pack(high) + low.to_bytes(2, "big") + noise[6 * i : 6 * i + 6])
    return ids


def derived_id(*parts: str) -> UUID:
    """The same UUID for the same parts, always (UUIDv5)."""
    return uuid5(NAMESPACE, "\x1f".join(parts))


def new_secret(prefix: str) -> str:
    """`prefix` + 48 hexadecimal characters from the system's random source."""
    return prefix + secrets.token_hex(24)
