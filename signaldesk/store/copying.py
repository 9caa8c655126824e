"""Rows as PostgreSQL's binary COPY wants them: the cheapest way in."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from signaldesk.model.outcome import Stored

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
EPOCH_US = 946_684_800_000_000
"""Microseconds from 1970 to 2000, where PostgreSQL's timestamps begin."""

EVENT_COLUMNS = (
    "org_id, lane, partition, position, received_at, "
    "type, source, idx, id, timestamp, clock_skewed, behind, payload"
)

_COUNT = struct.pack(">h", EVENT_COLUMNS.count(",") + 1)
_ENTRY = struct.Struct(">ih iq iq")
_ROW = struct.Struct(">ii i16s iq i? iq i")
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)
_NAMES_MAX = 1_000
"""Types and sources are the senders' choice: no more of them are remembered as bytes."""


def event_rows(partition: int, batches: Iterable[Stored]) -> bytes:
    """All events as one binary COPY stream for `COPY events (EVENT_COLUMNS) FROM STDIN (FORMAT binary)`."""
    parts = [HEADER]
    row, length = _ROW.pack, _LENGTH.pack
    names: dict[tuple[str, str | None], bytes] = {}
    for stored in batches:
        received = stored.received_at - EPOCH_US
        lane, behind = stored.lane.encode(), stored.behind
        place = _ENTRY.pack(2, partition, 8, stored.position, 8, received)
        head = _COUNT + length(16) + stored.org + length(len(lane)) + lane + place
        for index, event in enumerate(stored.events):
            payload, source, type_ = event.payload, event.source, event.type
            name = names.get((type_, source))
            if name is None:
                name = _field(type_) + (_NULL if source is None else _field(source))
                if len(names) < _NAMES_MAX:
                    names[type_, source] = name
            gap = behind.get(index, 0) if behind else 0
            time, size = event.timestamp - EPOCH_US, len(payload)
            values = row(4, index, 16, event.id, 8, time, 1, event.clock_skewed, 8, gap, size)
            parts += (head, name, values, payload)
    parts.append(TRAILER)
    return b"".join(parts)


def _field(text: str) -> bytes:
    value = text.encode()
    return _LENGTH.pack(len(value)) + value
