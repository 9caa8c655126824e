"""Fields of payloads as columns of their own, so that a question about one costs what a real column costs.

A field gets a column only where that column says exactly what the payloads say: in all payloads that have it,
it is of one kind (a number, a text, a truth value), and every number survives as BIGINT or DOUBLE. Where that
is not so, or beyond `MOST` fields, it is left in the payload, which is kept whole in any case; readers then
take it from there. Fields are found in a sample; one that the sample misses is left in the payload as well.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

MOST = 64
"""Most columns of one file."""
_DEEP = 6
"""Most keys in a path."""
_SAMPLE_OF_A_TYPE = 200
EXACT = 2**53
"""Whole numbers below it are doubles without loss."""
_PLAIN = re.compile(r"[^.\"*\\\x00-\x1f]+")
_TRIES = 8
_MOST_BYTES = 2**31 - 1
"""Of Arrow's texts in one piece."""
_ARROW = {"BIGINT": pa.int64(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(), "VARCHAR": pa.string()}

Kinds = dict[str, str]
"""Dotted path -> BIGINT, DOUBLE, BOOLEAN or VARCHAR."""


def columns(payloads: pa.Array, types: pa.Array) -> dict[str, tuple[str, pa.Array]]:
    """Dotted path -> (kind, values with NULL where the field is missing or null), for JSON objects as text.

    `types` are the events' types: each is looked at in the sample.
    """
    if (pc.sum(pc.binary_length(payloads)).as_py() or 0) + len(payloads) > _MOST_BYTES:
        return {}
    return _exact(payloads, _sampled(payloads, types))


def kind_of(type_: pa.DataType) -> str:
    """The kind of a column that was written."""
    return next(kind for kind, arrow in _ARROW.items() if arrow == type_)


def is_plain(key: str) -> bool:
    """Whether a key can be part of a dotted path."""
    return _PLAIN.fullmatch(key) is not None


def _sampled(payloads: pa.Array, types: pa.Array) -> Kinds:
    """The most frequent scalar fields of a sample, with their kinds so far."""
    counted = Counter(
        found
        for text in payloads.take(pa.array(_sample(types), pa.int64())).to_pylist()
        for found in _scalars(orjson.loads(text), "")
    )
    seen: dict[str, Counter[str]] = {}
    for (path, kind), count in counted.items():
        seen.setdefault(path, Counter())[kind] = count
    kinds: Kinds = {}
    folded: set[str] = set()
    for path, found in sorted(seen.items(), key=lambda item: (-item[1].total(), item[0])):
        common = _common(set(found))
        # DuckDB does not tell columns apart by case, and nothing has a column as an object and as a value.
        if common and path.lower() not in folded and not any(one.startswith(f"{path}.") for one in seen):
            folded.add(path.lower())
            kinds[path] = common
        if len(kinds) == MOST:
            break
    return kinds


def _sample(types: pa.Array) -> Iterator[int]:
    """Up to so many indices of each type, spread over the whole length."""
    encoded = types.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    for code in range(min(len(encoded.dictionary), 1_000)):
        where = (codes == code).nonzero()[0]
        yield from (int(one) for one in where[:: max(1, len(where) // _SAMPLE_OF_A_TYPE)])


def _scalars(value: Mapping[str, Any], prefix: str, depth: int = 1) -> Iterator[tuple[str, str]]:
    for key, inner in value.items():
        if not is_plain(key):
            continue
        path = prefix + key
        match inner:
            case bool():
                yield path, "BOOLEAN"
            case int():
                yield path, "BIGINT"
            case float():
                yield path, "DOUBLE"
            case str():
                yield path, "VARCHAR"
            case dict() if depth < _DEEP:
                yield from _scalars(inner, f"{path}.", depth + 1)
            case list() | dict():
                yield path, "JSON"


def _common(kinds: set[str]) -> str | None:
    if kinds == {"BIGINT", "DOUBLE"}:
        return "DOUBLE"
    return next(iter(kinds)) if len(kinds) == 1 and kinds <= _ARROW.keys() else None


def _exact(payloads: pa.Array, kinds: Kinds) -> dict[str, tuple[str, pa.Array]]:
    """The columns of those fields that all payloads agree on."""
    text = _lines(payloads)
    kinds = dict(kinds)
    for _ in range(_TRIES):
        if not kinds:
            return {}
        try:
            table = _read(text, kinds)
        except pa.ArrowInvalid as error:
            _give_way(kinds, str(error))
            continue
        if table.num_rows != len(payloads):
            return {}
        found = {path: (kind, _column(table, path)) for path, kind in kinds.items()}
        return {path: one for path, one in found.items() if _is_exact(*one)}
    return {}


def _give_way(kinds: Kinds, problem: str) -> None:
    """After a payload that does not fit: drop the field it names, or let all whole numbers be doubles."""
    named = re.search(r"Column\(/(.*?)\)", problem)
    path = named.group(1).replace("/", ".") if named else None
    dropped = [one for one in kinds if path is not None and (one == path or one.startswith(f"{path}."))]
    for one in dropped:
        del kinds[one]
    if not dropped:
        whole = [one for one, kind in kinds.items() if kind == "BIGINT"]
        if not whole:
            kinds.clear()
        kinds.update(dict.fromkeys(whole, "DOUBLE"))


def _lines(payloads: pa.Array) -> pa.Buffer:
    """All payloads, one a line: JSON text has line breaks only between tokens, and ours has none."""
    everything = pa.ListArray.from_arrays(pa.array([0, len(payloads)], pa.int32()), payloads)
    return pc.binary_join(everything, "\n")[0].as_buffer()


def _read(text: pa.Buffer, kinds: Kinds) -> pa.Table:
    options = pyarrow.json.ParseOptions(explicit_schema=_schema(kinds), unexpected_field_behavior="ignore")
    # A block must hold the longest payload. On several threads it takes half as much processor time again.
    blocks = pyarrow.json.ReadOptions(block_size=8 << 20, use_threads=False)
    return pyarrow.json.read_json(pa.BufferReader(text), read_options=blocks, parse_options=options)


def _schema(kinds: Kinds) -> pa.Schema:
    tree: dict[str, Any] = {}
    for path, kind in kinds.items():
        *holders, last = path.split(".")
        level = tree
        for key in holders:
            level = level.setdefault(key, {})
        level[last] = _ARROW[kind]
    return pa.schema(_arrow_fields(tree))


def _arrow_fields(tree: Mapping[str, Any]) -> list[pa.Field]:
    return [
        pa.field(key, pa.struct(_arrow_fields(inner)) if isinstance(inner, dict) else inner)
        for key, inner in tree.items()
    ]


def _column(table: pa.Table, path: str) -> pa.Array:
    first, *rest = path.split(".")
    column = table[first]
    for key in rest:
        column = pc.struct_field(column, key)
    return column.combine_chunks()


def _is_exact(kind: str, values: pa.Array) -> bool:
    if kind != "DOUBLE" or values.null_count == len(values):
        return bool(values.null_count < len(values))
    least_most = pc.min_max(values)
    return bool(least_most["min"].as_py() > -EXACT and least_most["max"].as_py() < EXACT)
