"""A result, piece by piece, in the format that was asked for: ready to be sent on as it is.

Batches come from DuckDB one by one, so a large result is never held whole.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from typing import Any, cast

import duckdb
import orjson
import pyarrow as pa
from pyarrow import ipc, parquet

from signaldesk.history.sandbox.faults import OverLimit
from signaldesk.history.sandbox.fields import as_written
from signaldesk.history.sandbox.fitting import fitting
from signaldesk.history.sandbox.limits import Limits, result_too_large, too_many_rows
from signaldesk.history.sandbox.wire import Column, Format

BATCH = 10_000
"""Rows."""
_PIECE = 1 << 18
"""Bytes that are worth sending."""


def columns_of(relation: duckdb.DuckDBPyRelation) -> list[Column]:
    types = (str(one).replace('"NULL"', "NULL") for one in relation.types)
    return [Column(as_written(name), kind) for name, kind in zip(relation.columns, types, strict=True)]


def pieces(
    relation: duckdb.DuckDBPyRelation, columns: list[Column], format: Format, limits: Limits
) -> Iterator[tuple[int, bytes]]:
    """(rows so far, bytes). Raises OverLimit, and whatever the query does."""
    shown = relation.project(", ".join(fitting(i, one, format) for i, one in enumerate(relation.types, 1)))
    if format == "json":
        shown = shown.project(f"json_array({', '.join(f'#{i}' for i in range(1, len(columns) + 1))}) AS row")
    reader = shown.limit(limits.rows + 1).to_arrow_reader(BATCH)
    out = _Out()
    writer = _WRITERS[format](out, [one.name for one in columns], reader.schema)
    rows = size = 0
    for batch in reader:
        rows += batch.num_rows
        if rows > limits.rows:
            raise OverLimit(too_many_rows(limits))
        writer.write(batch)
        if len(out) >= _PIECE:
            size += len(out)
            if size > limits.result:
                raise OverLimit(result_too_large(limits))
            yield rows, out.take()
    writer.close()
    if size + len(out) > limits.result:
        raise OverLimit(result_too_large(limits))
    yield rows, out.take()


class _Out(io.BufferedIOBase):
    """Collects what a writer writes, until it is taken."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        return len(data)

    def take(self) -> bytes:
        taken, self._waiting = bytes(self._waiting), bytearray()
        return taken

    def __len__(self) -> int:
        return len(self._waiting)


class _Json:
    """Rows as arrays, between commas; whoever relays them adds what stands around."""

    def __init__(self, out: _Out, names: list[str], schema: pa.Schema) -> None:
        self._out, self._begun = out, False

    def write(self, batch: pa.RecordBatch) -> None:
        rows = [_finite(row) for row in batch.column(0).to_pylist()]
        if rows:
            self._out.write((("," if self._begun else "") + ",".join(rows)).encode())
            self._begun = True

    def close(self) -> None:
        pass


class _Csv:
    """By Python's own writer: Arrow's wants threads, and puts quotes around every text."""

    def __init__(self, out: _Out, names: list[str], schema: pa.Schema) -> None:
        self._text = io.TextIOWrapper(cast("Any", out), encoding="utf-8", newline="", write_through=True)
        self._writer = csv.writer(self._text, lineterminator="\n")
        self._writer.writerow(names)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))

    def close(self) -> None:
        self._text.flush()


class _Arrow:
    def __init__(self, out: _Out, names: list[str], schema: pa.Schema) -> None:
        self._schema = _named(schema, names)
        self._writer = ipc.new_stream(out, self._schema)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


class _Parquet:
    def __init__(self, out: _Out, names: list[str], schema: pa.Schema) -> None:
        self._schema = _named(schema, names)
        self._writer = parquet.ParquetWriter(pa.PythonFile(out, mode="w"), self._schema, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


_WRITERS: dict[str, Callable[[_Out, list[str], pa.Schema], Any]] = {
    "json": _Json,
    "csv": _Csv,
    "arrow": _Arrow,
    "parquet": _Parquet,
}


def _named(schema: pa.Schema, names: list[str]) -> pa.Schema:
    """The schema under the columns' own names; Arrow takes a name given twice, Parquet's readers do not."""
    seen: dict[str, int] = {}
    fields = []
    for name, field in zip(names, schema, strict=True):
        count = seen[name] = seen.get(name, 0) + 1
        fields.append(field.with_name(name if count == 1 else f"{name}_{count}"))
    return pa.schema(fields)


def _finite(row: str) -> str:
    """The row, with null for what JSON has no number for: inside a list, DuckDB writes NaN and Infinity."""
    if "NaN" not in row and "nfinity" not in row and "inf" not in row and "nan" not in row:
        return row
    try:
        orjson.loads(row)
    except orjson.JSONDecodeError:
        return json.dumps(_without(json.loads(row)), ensure_ascii=False, separators=(",", ":"))
    return row


def _without(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_without(one) for one in value]
    return {name: _without(one) for name, one in value.items()} if isinstance(value, dict) else value
