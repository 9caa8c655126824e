"""How a column of a result is brought into what a format can hold, whatever lies in it and however deep.

JSON and CSV get times in RFC 3339. Arrow and Parquet get types that all their readers know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from signaldesk.history.sandbox.wire import Format

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType as Type

_STRUCTS = ("struct", "tuple")
_NESTED = (*_STRUCTS, "list", "array", "map", "union")
_TEXTS = ("variant", "interval", "bit", "uuid", "time with time zone", "bignum", "union", "null")
"""What is text in Arrow and Parquet."""


class _Part(NamedTuple):
    """Of a value that holds others: how one of them is called, or nothing, its expression, and its type."""

    name: str
    ref: str
    kind: Type


def fitting(number: int, kind: Type, format: Format) -> str:
    """The expression that brings a column of the result, by its number, into a type that the format has."""
    ref = f"#{number}"
    if format == "json":
        if kind.id in ("float", "double"):
            ref = f"CASE WHEN isfinite({ref}) THEN {ref} END"
        ref = _written(ref, kind) or ref
    elif format == "csv":
        ref = _written(ref, kind) or ref
        ref = f"CAST(to_json({ref}) AS VARCHAR)" if kind.id in _NESTED else f"CAST({ref} AS VARCHAR)"
    elif kind.id != "null" and (stored := _stored(kind)) != str(kind):
        ref = f"CAST({ref} AS {stored})"
    return f"{ref} AS c{number}"


def _stored(kind: Type) -> str:
    """The type that values of this one have in Arrow and Parquet."""
    if kind.id in ("hugeint", "uhugeint"):
        return "DOUBLE"
    inner = [_stored(part.kind) for part in _parts("", kind)]
    if kind.id in _TEXTS or (kind.id in _STRUCTS and not inner):
        return "VARCHAR"
    if kind.id == "list":
        return f"{inner[0]}[]"
    if kind.id == "array":
        return f"{inner[0]}[{kind.children[1][1]}]"
    if kind.id == "map":
        return f"MAP({inner[0]}, {inner[1]})"
    if kind.id in _STRUCTS:
        names = [part.name or f"element{place}" for place, part in enumerate(_parts("", kind), 1)]
        fields = (f"{_name(name)} {type_}" for name, type_ in zip(names, inner, strict=True))
        return f"STRUCT({', '.join(fields)})"
    return str(kind)


def _written(ref: str, kind: Type, depth: int = 0) -> str | None:
    """The value with all times in it as RFC 3339 text; None where there are none."""
    if kind.id.startswith("timestamp"):
        zone, plain = ("Z", "") if kind.id.endswith("time zone") else ("", "::TIMESTAMP")
        return f"strftime({ref}{plain}, '%Y-%m-%dT%H:%M:%S.%f{zone}')"
    each = f"one{depth}"
    parts = _parts(each if kind.id in ("list", "array", "map") else ref, kind)
    texts = [_written(part.ref, part.kind, depth + 1) for part in parts]
    if not any(texts):
        return None
    values = [text or part.ref for text, part in zip(texts, parts, strict=True)]
    named = [f"{_name(part.name)} := {value}" for part, value in zip(parts, values, strict=True)]
    if kind.id == "map":
        entry = f"struct_pack({', '.join(named)})"
        return f"map_from_entries(list_transform(map_entries({ref}), lambda {each}: {entry}))"
    if kind.id in _STRUCTS:
        whole = f"struct_pack({', '.join(named)})" if parts[0].name else f"row({', '.join(values)})"
        return f"CASE WHEN {ref} IS NOT NULL THEN {whole} END"
    if kind.id == "union":
        cases = (
            f"WHEN {_text(part.name)} THEN json_object({_text(part.name)}, {value})"
            for part, value in zip(parts, values, strict=True)
        )
        return f"CASE CAST(union_tag({ref}) AS VARCHAR) {' '.join(cases)} END"
    return f"list_transform({ref}, lambda {each}: {values[0]})"


def _parts(ref: str, kind: Type) -> Sequence[_Part]:
    """What lies in a value; `ref` is that value, or an element of it where it is a list or a map."""
    if kind.id not in _NESTED:
        return []
    children = [(name, cast("Type", one)) for name, one in kind.children]
    if kind.id in ("list", "array"):
        return [_Part("", ref, children[0][1])]
    if kind.id == "union":  # its first child is the tag
        return [_Part(name, f"union_extract({ref}, {_text(name)})", one) for name, one in children[1:]]
    return [
        _Part(name, f"struct_extract({ref}, {_text(name) if name else place})", one)
        for place, (name, one) in enumerate(children, 1)
    ]


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
