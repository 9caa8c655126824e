"""`payload.country` as people write it: the field's value with its own type, number or text.

DuckDB reads a dot on a JSON column as JSON, in which a text has quotes and a number no sum. Each such
reference is put into words that give a VARIANT, which compares and sums as what it is. DuckDB 1.5 compares
VARIANTs wrongly and does not say how long a reference is: there the dot keeps DuckDB's own meaning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from signaldesk.history.sandbox.faults import place_of

COLUMNS = frozenset({"payload", "group", "labels"})
"""Those that hold JSON objects."""
_TYPED = re.compile(
    r"CAST\(json_extract\((?P<column>[^(),]+), '(?P<path>/[^']*)'\) AS VARIANT\)", re.IGNORECASE
)


class Edit(NamedTuple):
    """Bytes `start` to `end` of the statement became `text`."""

    start: int
    end: int
    text: bytes


class Edited(NamedTuple):
    """A statement after its edits."""

    sql: str
    given: str
    edits: tuple[Edit, ...]

    def place(self, line: int, column: int) -> tuple[int, int]:
        """Where that place was in the statement as it was given."""
        lines = self.sql.split("\n")
        if not line or not column or line > len(lines):
            return line, column
        offset = len("\n".join([*lines[: line - 1], lines[line - 1][: column - 1]]).encode())
        for edit in reversed(self.edits):
            moved = edit.start + sum(
                len(one.text) - (one.end - one.start) for one in self.edits if one.start < edit.start
            )
            if offset >= moved + len(edit.text):
                return place_of(self.given, offset - moved - len(edit.text) + edit.end)
            if offset >= moved:
                return place_of(self.given, edit.start)
        return place_of(self.given, offset)


def as_written(text: str) -> str:
    """What DuckDB says of a statement, with its fields as people wrote them."""
    return _TYPED.sub(lambda found: found["column"].replace('"', "") + found["path"].replace("/", "."), text)


def typed(sql: str, parts: Sequence[dict[str, Any]]) -> Edited:
    """The statement with every field given its own type; `parts` are those of its tree."""
    tables = {
        str(part.get("alias") or part.get("table_name")).lower() for part in parts if "class" not in part
    }
    columns = COLUMNS - tables  # of a table of that name, the dot means a column
    listed = {id(one) for part in parts for one in part.get("select_list") or () if not one.get("alias")}
    raw = sql.encode()
    edits = []
    for part in parts:
        if part.get("class") == "COLUMN_REF" and (edit := _edit(part, columns, id(part) in listed)):
            edits.append(edit)
    edits.sort()
    pieces, end = [], 0
    for edit in edits:
        pieces += [raw[end : edit.start], edit.text]
        end = edit.end
    return Edited(b"".join([*pieces, raw[end:]]).decode(), sql, tuple(edits))


def _edit(part: dict[str, Any], columns: frozenset[str], listed: bool) -> Edit | None:
    names, length = [str(name) for name in part["column_names"]], part.get("query_location_length")
    depth = next((i for i, name in enumerate(names[:2]) if name.lower() in columns), None)
    if depth is None or not length or len(names) == depth + 1:
        return None
    column = ".".join('"' + name.replace('"', '""') + '"' for name in names[: depth + 1])
    path = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names[depth + 1 :])
    text = f"CAST(json_extract({column}, '{path.replace(chr(39), chr(39) * 2)}') AS VARIANT)"
    if listed:
        text += ' AS "' + names[-1].replace('"', '""') + '"'
    start = int(part["query_location"])
    return Edit(start, start + int(length), text.encode())
