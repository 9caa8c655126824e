"""Identifiers: time-ordered UUIDv7 for what is made, UUIDv5 for what must come out the same twice."""

from __future__ import annotations

import secrets
from uuid import NAMESPACE_URL, UUID, uuid5

import uuid_utils

NAMESPACE = uuid5(NAMESPACE_URL, "https://signaldesk.dev/ids")


def new_id() -> UUID:
    """A fresh UUIDv7: sorts by the time it was made."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def new_ids(count: int) -> list[bytes]:
    """`count` fresh UUIDv7 values, 16 bytes each, ascending."""
    make = uuid_utils.uuid7
    return [make().bytes for _ in range(count)]


def derived_id(*parts: str) -> UUID:
    """The same UUID for the same parts, always (UUIDv5)."""
    return uuid5(NAMESPACE, "\x1f".join(parts))


def new_secret(prefix: str) -> str:
    """`prefix` + 48 hexadecimal characters from the system's random source."""
    return prefix + secrets.token_hex(24)
