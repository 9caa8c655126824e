"""The table `events` as a query's process has it: made out of the files that are handed to it, one of which
holds the rows that are archived in none yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from signaldesk.filters import Kind
from signaldesk.history.cut import PREFIX, Cut
from signaldesk.history.sandbox import wire
from signaldesk.history.sandbox.fields import reading

TAIL = "tail"
COLUMNS = (
    *("id", "type", "source", "timestamp", "received_at", "payload", "clock_skewed"),
    *("behind", "position", "idx"),
)
_PLAIN = ", ".join('"payload"::JSON AS "payload"' if name == "payload" else f'"{name}"' for name in COLUMNS)


_TYPES = {Kind.NUMBER: "DOUBLE", Kind.BOOLEAN: "BOOLEAN", Kind.TEXT: "VARCHAR"}


class View(NamedTuple):
    """Statements that make `events`: with its own columns, and with `payload.PATH` beside them."""

    plain: str
    wide: str
    fields: dict[str, str]
    """Dotted paths of those fields, and their types."""
    known: list[str]
    """Dotted paths of all fields with columns of their own somewhere."""


class _Part(NamedTuple):
    source: str
    fields: dict[str, str]


def events_view(cut: Cut, sql: str, *, first: int) -> View:
    """The view of a cut for a statement, whose files are handed as number `first` and on, in their order.

    A field is of the kind that it is of in most events, and NULL where it is of another; numbers are BIGINT
    where all parts have it so, else DOUBLE. Only fields whose names are in the statement are looked at.
    """
    wanted = _wanted(cut, sql)
    parts = list(_parts(cut, wanted, first))
    kinds = {}
    every = cut.fields()
    for path, kind in every.items():
        if path in wanted:
            found = {part.fields.get(path) for part in parts}
            kinds[path] = "BIGINT" if found == {"BIGINT"} else _TYPES[kind]
    plain = " UNION ALL ".join(f"SELECT {_PLAIN} FROM {one.source} WHERE \"lane\" = ''" for one in parts)
    wide = " UNION ALL ".join(
        f"SELECT {_PLAIN}{''.join(_column(path, kind, one) for path, kind in kinds.items())} "
        f"FROM {one.source} WHERE \"lane\" = ''"
        for one in parts
    )
    return View(
        f"CREATE VIEW events AS {plain}", f"CREATE OR REPLACE VIEW events AS {wide}", kinds, list(every)
    )


def _wanted(cut: Cut, sql: str) -> list[str]:
    """Paths of which every key is in the statement; of those that DuckDB cannot tell apart, none."""
    found = {path for fields in (cut.tail_fields, *(one.fields for one in cut.files)) for path in fields}
    named = sorted(path for path in found if all(key in sql for key in path.split(".")))
    folded = [path.lower() for path in named]
    return [path for path in named if folded.count(path.lower()) == 1]


def _parts(cut: Cut, wanted: Sequence[str], first: int) -> Iterator[_Part]:
    """The tail, and the files, those together that have the same fields."""
    if cut.tail.num_rows or not cut.files:
        yield _Part(TAIL, _only(cut.tail_fields, wanted))
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for number, one in enumerate(cut.files, first):
        key = tuple(sorted(_only(one.fields, wanted).items()))
        alike.setdefault(key, []).append(f"'{wire.path(number, 'parquet')}'")
    for fields, files in alike.items():
        yield _Part(f"read_parquet([{', '.join(files)}], hive_partitioning = false)", dict(fields))


def _only(fields: dict[str, str], wanted: Sequence[str]) -> dict[str, str]:
    return {path: kind for path, kind in fields.items() if path in wanted}


def _column(path: str, kind: str, part: _Part) -> str:
    name, stored = f'"{PREFIX}{path}"', part.fields.get(path)
    if stored is None:
        return f", {reading('payload', path.split('.'), kind)} AS {name}"
    if {stored, kind} in ({kind}, {"BIGINT", "DOUBLE"}):
        return f", {name}" if stored == kind else f", CAST({name} AS {kind}) AS {name}"
    return f", CAST(NULL AS {kind}) AS {name}"
