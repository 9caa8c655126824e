"""A place in a partition's stream as one number, so that Postgres can keep and compare it."""

from __future__ import annotations

_SEQ_BITS = 20


def pack(entry: bytes) -> int:
    """The number of a Redis entry id `milliseconds-sequence`; sorts as the ids do."""
    millis, _, seq = entry.partition(b"-")
    return int(millis) << _SEQ_BITS | int(seq)


def unpack(position: int) -> str:
    """The Redis entry id of a position."""
    return f"{position >> _SEQ_BITS}-{position & (1 << _SEQ_BITS) - 1}"


def received_ms(position: int) -> int:
    """When the entry was appended, in milliseconds since 1970 by Redis's clock."""
    return position >> _SEQ_BITS
