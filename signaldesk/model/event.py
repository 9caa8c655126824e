"""An event, as it travels from the intake to the engine."""

from __future__ import annotations

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


def encode(events: list[Event]) -> bytes:
    """The events as one msgpack array."""
    return _encoder.encode(events)


def decode(data: bytes) -> list[Event]:
    """The events of one msgpack array; msgspec.DecodeError when the bytes are not that."""
    return _decoder.decode(data)
