"""Many events out of Postgres, packed: one row for each entry of the stream, which holds many of them.

An entry is of one organisation and lane, and was received at one moment. Of its events Postgres sends the
columns as arrays, and texts as lines: neither it, nor the driver, nor we touch single rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

QUERY = r"""
    SELECT position, count(*) AS events, (array_agg(org_id))[1] AS org_id, min(lane) AS lane,
        min(received_at) AS received_at, array_agg(timestamp) AS timestamp,
        string_agg(int4send(CASE WHEN clock_skewed THEN -1 - idx ELSE idx END), '') AS idx,
        string_agg(int8send(behind), '') AS behind, string_agg(uuid_send(id), '') AS id,
        string_agg(type, E'\n') AS type, string_agg(coalesce(source, E'\x1f'), E'\n') AS source,
        string_agg(payload::text, E'\n') AS payload
    FROM events WHERE partition = {partition} AND position > {after} AND position <= {upto}
    GROUP BY position"""
"""What `unpacked` takes. No type, no source and no payload has control characters in it."""
SETTINGS = (
    "SET LOCAL enable_hashagg = off",
    "SET LOCAL enable_seqscan = off",
    "SET LOCAL enable_bitmapscan = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
)
"""Entries come out of the primary key in their order, whatever Postgres thinks how many there are."""
_NONE = "\x1f"


def unpacked(entries: pa.Table, partition: int) -> pa.Table | None:
    """The events, with `org_id` and all other columns of the table, in no particular order.

    None when a text has a line break in it, and so cannot be told from two.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    parts: dict[str, Any] = {name: entries[name].combine_chunks() for name in entries.column_names}
    for name in ("type", "source", "payload"):
        parts[name] = pc.split_pattern(parts[name], "\n").flatten()
    rows = pc.sum(parts["events"]).as_py() or 0
    if any(len(parts[name]) != rows for name in ("type", "source", "payload")):
        return None
    of = np.repeat(np.arange(len(entries)), parts.pop("events").to_numpy())
    for name in ("position", "org_id", "lane", "received_at"):
        parts[name] = parts[name].take(pa.array(of))
    parts["timestamp"] = parts["timestamp"].flatten()
    parts["behind"] = np.frombuffer(_bytes(parts["behind"]), ">i8").astype(np.int64)
    signed = np.frombuffer(_bytes(parts["idx"]), ">i4").astype(np.int32)
    parts["clock_skewed"], parts["idx"] = pa.array(signed < 0), np.maximum(signed, -1 - signed)
    parts["id"] = pa.Array.from_buffers(pa.binary(16), rows, [None, _bytes(parts["id"])])
    parts["source"] = pc.replace_with_mask(
        parts["source"], pc.equal(parts["source"], _NONE), pa.scalar(None, pa.string())
    )
    parts["partition"] = pa.repeat(pa.scalar(partition, pa.int16()), rows)
    return pa.table(parts)


def _bytes(values: pa.Array) -> pa.Buffer:
    """Of all values, one after the other."""
    import numpy as np

    _, offsets, data = values.buffers()
    if not len(values):
        return data if data is not None else b""
    bounds = np.frombuffer(offsets, np.int32)[values.offset :]
    return data[int(bounds[0]) : int(bounds[len(values)])]
