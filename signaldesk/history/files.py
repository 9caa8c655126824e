"""One file of history: what its columns are, and how it is written.

Rows are sorted by type and event time, and stand in stream order (partition, position, idx) where times are
equal. Besides the columns of `events` a file has `payload.PATH` for each field that got a column of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from signaldesk.history import fields
from signaldesk.history.cut import PREFIX
from signaldesk.store.arrow_events import COLUMNS

_POSITIONS, _ORGANISATION = b"signaldesk.positions", b"signaldesk.organisation"
TYPES_MOST = 200
"""Beyond so many types a file does not say which are in it."""
_ORDER = [(name, "ascending") for name in ("type", "timestamp", "partition", "position", "idx")]
_ROWS = 131_072
"""Rows in a row group: what one thread reads at a time."""
QUICK, SMALL = 1, 9
"""Levels of compression: for what will soon be written again, and for what stays."""
_ENCODINGS = {
    "id": "DELTA_BYTE_ARRAY",
    "payload": "DELTA_LENGTH_BYTE_ARRAY",
    **dict.fromkeys(("timestamp", "received_at", "behind", "position", "idx"), "DELTA_BINARY_PACKED"),
}
"""What does better than a dictionary."""


class Marks(NamedTuple):
    """What a file says of itself besides its events: whose they are, and the range of positions that it is
    of. Files of earlier versions do not say whose."""

    positions: tuple[int, int]
    org_id: UUID | None


class Facts(NamedTuple):
    """What the books say of a file."""

    events: int
    bytes: int
    first: datetime
    last: datetime
    types: list[str] | None
    fields: Mapping[str, str]
    digest: str


def sort(events: pa.Table) -> pa.Table:
    """The events in the order in which a file has them, in one piece."""
    # Types by their rank: numbers sort in half of the time of texts.
    types = _one_piece(events, "type").dictionary_encode()
    ranks = pc.rank(types.dictionary).take(types.indices)
    keys = events.select([name for name, _ in _ORDER[1:]]).append_column("type", ranks)
    return events.take(pc.sort_indices(keys, sort_keys=_ORDER)).combine_chunks()


def with_fields(events: pa.Table) -> tuple[pa.Table, dict[str, str]]:
    """The events with their payload fields as columns, and the kinds of those."""
    found = fields.columns(_one_piece(events, "payload"), _one_piece(events, "type"))
    for path, (_, values) in sorted(found.items()):
        events = events.append_column(PREFIX + path, values)
    return events, {path: kind for path, (kind, _) in found.items()}


def with_uuids(events: pa.Table) -> pa.Table:
    """The events with ids that say that they are UUIDs."""
    ids = pa.ExtensionArray.from_storage(pa.uuid(), _one_piece(events, "id"))
    return events.set_column(events.schema.get_field_index("id"), "id", ids)


def write(events: pa.Table, target: Path, *, level: int = QUICK, marks: Marks | None = None) -> Facts:
    """Write at least one event (`COLUMNS`) of one organisation and day, sorted, to a new file."""
    table, kinds = with_fields(events.select(list(COLUMNS)))
    table = with_uuids(table)
    writer = pq.ParquetWriter(
        target,
        table.schema,
        compression="zstd",
        compression_level=level,
        use_dictionary=[name for name in table.column_names if name not in _ENCODINGS],
        column_encoding=_ENCODINGS,
        store_schema=False,
    )
    with writer:
        writer.write_table(table, row_group_size=_ROWS)
        if marks is not None:
            writer.add_key_value_metadata(
                {_POSITIONS: "{} {}".format(*marks.positions), _ORGANISATION: str(marks.org_id)}
            )
    return _facts(table, kinds, target)


def describe(file: Path) -> tuple[pa.Table, Facts]:
    """Where a file's events stand (partition, position), and what the books say of it.

    Raises OSError or ArrowException.
    """
    content = pq.ParquetFile(file)
    schema = content.schema_arrow
    if missing := [name for name in COLUMNS if name not in schema.names]:
        raise pa.ArrowInvalid(f"has no columns {', '.join(missing)}")
    kinds = {
        field.name.removeprefix(PREFIX): fields.kind_of(field.type)
        for field in schema
        if field.name.startswith(PREFIX)
    }
    table = content.read(["type", "timestamp", "partition", "position"])
    return table, _facts(table, kinds, file)


def marks(file: Path) -> Marks | None:
    """Raises ArrowException, and ValueError for marks that are none."""
    found = pq.read_metadata(file).metadata or {}
    if _POSITIONS not in found:
        return None
    after, upto = map(int, found[_POSITIONS].split())
    org = found.get(_ORGANISATION)
    return Marks((after, upto), UUID(org.decode()) if org is not None else None)


def _facts(table: pa.Table, kinds: dict[str, str], file: Path) -> Facts:
    span = pc.min_max(table["timestamp"])
    types = pc.unique(table["type"]).to_pylist()
    return Facts(
        events=table.num_rows,
        bytes=file.stat().st_size,
        first=span["min"].as_py(),
        last=span["max"].as_py(),
        types=sorted(types) if len(types) <= TYPES_MOST else None,
        fields=kinds,
        digest=digest(file),
    )


def read(file: Path) -> pa.Table:
    """The events (`COLUMNS`) of a file. Raises OSError or ArrowInvalid."""
    table = pq.read_table(file, columns=list(COLUMNS), partitioning=None)
    ids = table["id"].combine_chunks()
    if isinstance(ids, pa.ExtensionArray):
        ids = ids.storage
    return table.set_column(table.schema.get_field_index("id"), "id", ids)


def digest(file: Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _one_piece(table: pa.Table, name: str) -> pa.Array:
    return table[name].combine_chunks()
