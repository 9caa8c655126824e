"""What an organisation's history is at one moment: files that are archived, and the rows that are not yet.

A cut stays what it is while events come in and files are archived or put together; the files it names are
kept for hours after they were replaced. `sql` says how to read it with DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from signaldesk.clock import iso
from signaldesk.filters import Filter, Kind
from signaldesk.filters.duckdb_sql import Columns, Stored, duckdb_expression, duckdb_value
from signaldesk.filters.tree import Field
from signaldesk.model.glob import like
from signaldesk.store.arrow_events import COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

FieldPath = tuple[str, ...]
ALL = "*"
PREFIX = "payload."
"""Of the names of columns that are payload fields."""

_PLAIN = ", ".join(f'"{name}"' for name in COLUMNS[:-1])
_SQL_TYPES = {Kind.NUMBER: "DOUBLE", Kind.BOOLEAN: "BOOLEAN", Kind.TEXT: "VARCHAR"}
_KINDS = {"BIGINT": Kind.NUMBER, "DOUBLE": Kind.NUMBER, "BOOLEAN": Kind.BOOLEAN, "VARCHAR": Kind.TEXT}


class LocalFile(NamedTuple):
    """A file on this machine, and its payload fields that have columns (`payload.PATH`), with their types."""

    path: Path
    events: int
    fields: dict[str, str]


@dataclass(frozen=True)
class Cut:
    """Events of one organisation with an event time in [since, until) (µs) of some types (globs; none: all).

    The files may hold more than that; `sql` leaves it out.
    """

    org_id: UUID
    types: Sequence[str]
    since: int | None
    until: int | None
    files: Sequence[LocalFile]
    tail: pa.Table
    """Columns `COLUMNS` and `payload.PATH`: what is in no file yet."""
    tail_fields: dict[str, str]
    missing: Sequence[str] = field(default=())
    """Paths of files that belong here and cannot be read."""

    def fields(self) -> dict[str, Kind]:
        """Payload fields with columns of their own somewhere: dotted path -> kind, the most frequent one."""
        votes: dict[str, dict[Kind, int]] = {}
        for events, kinds in self._parts():
            for path, type_ in kinds.items():
                kind = _KINDS[type_]
                votes.setdefault(path, {}).setdefault(kind, 0)
                votes[path][kind] += events
        return {path: max(found, key=lambda kind: found[kind]) for path, found in sorted(votes.items())}

    def sql(
        self, *, tail: str, fields: Iterable[str] = (), where: Filter | None = None, lane: str | None = None
    ) -> str:
        """A SELECT of the columns `COLUMNS`, with `payload` as JSON, and of these payload fields.

        `tail` is the name under which DuckDB knows the table of the same name. `fields` are dotted paths, or
        "*" for all that have columns; numbers come as DOUBLE, a value of another kind than most as NULL. A
        field is named by its path, or `payload.PATH` if an event has a column of that name. `lane` is '' for
        live events; None is all.
        """
        kinds = self.fields()
        wanted = list(kinds) if ALL in (asked := list(fields)) else list(dict.fromkeys(asked))
        looked_at = {".".join(path): path for path in _dotted(where)}
        parts = []
        for source, stored in self.sources(tail, [*wanted, *looked_at]):
            columns = Columns(
                payload='"payload"::JSON',
                fields={
                    tuple(path.split(".")): Stored(f'"{PREFIX}{path}"', type_)
                    for path, type_ in stored.items()
                },
            )
            values = "".join(
                f", {duckdb_value(Field(tuple(path.split('.'))), kinds.get(path, Kind.TEXT), columns)}"
                f' AS "{_name(path)}"'
                for path in wanted
            )
            tests = [*self.tests(lane)]
            if where is not None:
                tests.append(duckdb_expression(where.tree, columns))
            parts.append(
                f'SELECT {_PLAIN}, "payload"::JSON AS "payload"{values} FROM {source}'
                + (f" WHERE {' AND '.join(tests)}" if tests else "")
            )
        return "\nUNION ALL\n".join(parts)

    def stored(self) -> list[dict[str, str]]:
        """Of the tail and of each file the fields that have columns there, with their types."""
        return [kinds for events, kinds in self._parts() if events]

    def _parts(self) -> list[tuple[int, dict[str, str]]]:
        return [(self.tail.num_rows, self.tail_fields), *((one.events, one.fields) for one in self.files)]

    def sources(self, tail: str, paths: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
        """What to select from, and which of these fields have which type there; like files are one source."""
        alike: dict[tuple[str | None, ...], list[str]] = {}
        for one in self.files:
            alike.setdefault(tuple(one.fields.get(path) for path in paths), []).append(str(one.path))
        found = [(_quoted(tail), _present(paths, [self.tail_fields.get(path) for path in paths]))]
        for types, files in alike.items():
            listed = ", ".join(map(_text, files))
            found.append((f"read_parquet([{listed}], hive_partitioning = false)", _present(paths, types)))
        return found

    def tests(self, lane: str | None) -> Iterable[str]:
        """What is to be said of a row of a source for it to belong here."""
        if self.types and ALL not in self.types:
            tests = [
                f"\"type\" LIKE {_text(like(one))} ESCAPE '\\'" if "*" in one else f'"type" = {_text(one)}'
                for one in self.types
            ]
            yield f"({' OR '.join(tests)})"
        if self.since is not None:
            yield f"\"timestamp\" >= TIMESTAMPTZ '{iso(self.since)}'"
        if self.until is not None:
            yield f"\"timestamp\" < TIMESTAMPTZ '{iso(self.until)}'"
        if lane is not None:
            yield f'"lane" = {_text(lane)}'


def tail_of(events: pa.Table) -> tuple[pa.Table, dict[str, str]]:
    """Rows out of Postgres as a file would have them: with columns for payload fields."""
    from signaldesk.history.files import with_fields, with_uuids

    found, kinds = with_fields(events.combine_chunks()) if events.num_rows else (events, {})
    return with_uuids(found), kinds


def without_tail() -> tuple[pa.Table, dict[str, str]]:
    """The same for no rows at all."""
    import pyarrow as pa

    types = {  # of columns that are no texts
        "id": pa.binary(16),
        **dict.fromkeys(("timestamp", "received_at"), pa.timestamp("us", "UTC")),
        "clock_skewed": pa.bool_(),
        "partition": pa.int16(),
        "idx": pa.int32(),
        **dict.fromkeys(("behind", "position"), pa.int64()),
    }
    return tail_of(pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS]).empty_table())


def _dotted(where: Filter | None) -> Iterable[FieldPath]:
    """The fields a filter looks at that a dotted path can name."""
    for path in where.fields if where is not None else ():
        if all(isinstance(key, str) and "." not in key and '"' not in key for key in path):
            yield tuple(str(key) for key in path)


def _present(paths: Sequence[str], types: Sequence[str | None]) -> dict[str, str]:
    return {path: type_ for path, type_ in zip(paths, types, strict=True) if type_ is not None}


def _name(path: str) -> str:
    name = PREFIX + path if path.lower() in COLUMNS else path
    return name.replace('"', '""')


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


__all__ = ["ALL", "COLUMNS", "Cut", "LocalFile", "tail_of", "without_tail"]
