"""Identifiers: time-ordered UUIDv7 for what is made, UUIDv5 for what must come out the same twice."""

from __future__ import annotations

import secrets
import time
from hashlib import sha1
from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

import uuid_utils

NAMESPACE = uuid5(NAMESPACE_URL, "https://signaldesk.dev/ids")


def new_id() -> UUID:
    """A fresh UUIDv7: sorts by the time it was made."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def of_event(id: UUID) -> UUID | None:
    """An event's id as people see it: None for the all-zero one, which stands for no event at all."""
    return id if id.int else None


class Ids(NamedTuple):
    """Many identifiers made at once: sixteen bytes are a head of fifteen and a tail that counts from 0."""

    heads: list[bytes]
    length: int

    def packed(self) -> list[bytes]:
        """Each as 16 bytes, ascending."""
        return [head + tail for head in self.heads for tail in _TAILS][: self.length]

    def texts(self) -> bytes:
        """All in their usual form, as the inside of a JSON array."""
        left, parts = self.length, []
        for head in self.heads:
            text = head.hex()
            start = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
            parts.append(f'"{start}' + f'","{start}'.join(_TAIL_TEXTS[:left]) + '"')
            left -= len(_TAILS)
        return ",".join(parts).encode()


def new_ids(count: int) -> Ids:
    """`count` fresh UUIDv7 values, for a fraction of what one after the other costs.

    One random number serves them all, and a counter below it keeps them apart and in order (RFC 9562, 6.2,
    method 1). It has 65 random bits beside the millisecond, so that two calls do not meet.
    """
    millis, random = time.time_ns() // 1_000_000, secrets.randbits(65)
    # 12 random bits, the variant, a 0 so that counting never reaches the variant, and 53 random bits
    first = millis << 72 | 7 << 68 | (random >> 53) << 56 | 0b10 << 54 | random & (1 << 53) - 1
    heads = range(first, first + -(-count // len(_TAILS)))
    return Ids([head.to_bytes(15, "big") for head in heads], count)


_TAILS = tuple(bytes([tail]) for tail in range(256))
_TAIL_TEXTS = tuple(tail.hex() for tail in _TAILS)


def derived_id(*parts: str) -> UUID:
    """The same UUID for the same parts, always (UUIDv5)."""
    digest = sha1(NAMESPACE.bytes + "\x1f".join(parts).encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digest[:16]) & _FREE
    return UUID(int=number | 5 << 76 | 0b10 << 62)  # as uuid5 says it, in half the time


_FREE = (1 << 128) - 1 ^ (0xF << 76 | 0b11 << 62)
"""The bits of a UUID that say neither version nor variant."""


def new_secret(prefix: str) -> str:
    """`prefix` + 48 hexadecimal characters from the system's random source."""
    return prefix + secrets.token_hex(24)
