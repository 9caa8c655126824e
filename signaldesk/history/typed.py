"""Payload fields of a cut as columns of one type each: events without their payloads, where that is enough.

A field may have a column in one file and be left in the payload in another. It is taken from there; what such
a column could not say exactly as the payload says it is a stray, and with a single one of them nobody may do
without payloads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from signaldesk.filters.duckdb_values import quoted
from signaldesk.history.cut import PREFIX, Cut
from signaldesk.history.fields import EXACT, is_plain

_JSON = {
    "VARCHAR": "'VARCHAR'", "BOOLEAN": "'BOOLEAN'", "BIGINT": "'BIGINT', 'UBIGINT'",
    "DOUBLE": "'BIGINT', 'UBIGINT', 'DOUBLE'",
}  # fmt: skip
_PLAIN = "id, type, source, timestamp, received_at, clock_skewed, behind, position, idx"


class _Source(NamedTuple):
    """Rows of a cut that lie together, and the fields that have columns there."""

    name: str
    stored: dict[str, str]


class Typed:
    """A cut as a SELECT with a column for each of some fields."""

    def __init__(self, cut: Cut, types: Mapping[str, str], *, tail: str) -> None:
        """`types`: dotted path of a field -> its type."""
        self.columns = {path: f"k{number}" for number, path in enumerate(types)}
        """Dotted path -> name of its column."""
        self._types = types
        found = [_Source(*one) for one in cut.sources(tail, list(types))]
        self._sources = found if cut.tail.num_rows or len(found) == 1 else found[1:]
        tests = " AND ".join(cut.tests(""))
        self._where = f" WHERE {tests}" if tests else ""

    def sql(self) -> str:
        """Live events, without payloads."""
        return "\nUNION ALL\n".join(
            f"SELECT {_PLAIN}"
            + "".join(f", {self._value(path, source)} AS {name}" for path, name in self.columns.items())
            + f" FROM {source.name}{self._where}"
            for source in self._sources
        )

    def strays(self) -> str:
        """A question whether a value is among them that the columns do not hold exactly; empty where there
        can be none."""
        asked = []
        for source in self._sources:
            if tests := [test for path in self.columns for test in self._stray(path, source)]:
                where = f"{self._where} AND" if self._where else " WHERE"
                asked.append(f"EXISTS (SELECT 1 FROM {source.name}{where} ({' OR '.join(tests)}))")
        return f"SELECT {' OR '.join(asked)}" if asked else ""

    def _value(self, path: str, source: _Source) -> str:
        type_, stored = self._types[path], source.stored.get(path)
        if stored is None:
            kind, text = _read(path)
            return f"CASE WHEN {kind} IN ({_JSON[type_]}) THEN TRY_CAST({text} AS {type_}) END"
        return f'"{PREFIX}{path}"::{type_}'

    def _stray(self, path: str, source: _Source) -> Iterator[str]:
        type_, stored = self._types[path], source.stored.get(path)
        if stored is None:
            kind, _ = _read(path)
            yield f"coalesce({kind}, 'NULL') <> 'NULL' AND {self._value(path, source)} IS NULL"
        if type_ == "DOUBLE" and stored != type_:
            yield f"NOT coalesce(abs({self._value(path, source)}) < {EXACT}, true)"


def _read(path: str) -> tuple[str, str]:
    """The JSON type of a field in the payload, and its text."""
    pointer = quoted("".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in path.split(".")))
    return f"json_type(payload::JSON, {pointer})", f"json_extract_string(payload::JSON, {pointer})"


def types(cut: Cut, paths: Iterable[str]) -> dict[str, str] | None:
    """A type for each of these fields with which all files are content; None where there is none."""
    listed = sorted(set(paths))
    keys = [path.split(".") for path in listed]
    plain = all(is_plain(key) and not key.isdigit() for some in keys for key in some)
    folded = {path.lower() for path in listed}
    within = any(".".join(some[:end]).lower() in folded for some in keys for end in range(1, len(some)))
    # DuckDB does not tell names apart by case; a step that is a number may go into a list.
    if within or len(folded) < len(listed) or not plain:
        return None
    found: dict[str, str] = {}
    for path in listed:
        stored = {kinds[path] for kinds in cut.stored() if path in kinds}
        if stored == {"BIGINT", "DOUBLE"}:
            stored = {"DOUBLE"}
        if len(stored) > 1:
            return None
        found[path] = next(iter(stored), "VARCHAR")
    return found
