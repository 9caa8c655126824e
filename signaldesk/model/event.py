"""An event, as it travels from the intake to the engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

TYPE_MAX = 200
"""Most characters of an event type."""


class Event(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One accepted event.

    `id` is 16 bytes of a UUID, `timestamp` the event time in microseconds since 1970, `payload` an object as
    compact JSON (valid UTF-8, bounded depth, no NUL, no NaN; whole numbers beyond 64 bits are doubles).
    """

    id: bytes
    type: str
    timestamp: int
    payload: bytes
    source: str | None = None
    clock_skewed: bool = False


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Event])


class Packed(NamedTuple):
    """At most 65,535 events, each as msgpack, one after the other: what is between the head and the end of an
    array of them."""

    size: int
    items: bytes


def pack(events: list[Event]) -> Packed:
    """The events, to be joined with others. Done while they are fresh it costs less than later, when the
    processor's cache has seen other events since."""
    return Packed(len(events), _encoder.encode(events)[1 if len(events) < 16 else 3 :])


def join(parts: Iterable[Packed]) -> bytes:
    """All their events as one msgpack array, at most 65,535 of them."""
    parts = list(parts)
    size = sum(part.size for part in parts)
    return b"".join([b"\xdc", size.to_bytes(2, "big"), *(part.items for part in parts)])


def decode(data: bytes) -> list[Event]:
    """The events of one msgpack array; msgspec.DecodeError when the bytes are not that."""
    return _decoder.decode(data)
