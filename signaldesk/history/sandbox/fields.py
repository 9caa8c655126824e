"""`payload.country` as people write it: the field's value, as a number, a truth value or a text.

DuckDB reads a dot on a JSON column as JSON, in which a text has quotes and a number no sum. Each such
reference is put into words that give the field as the kind that it is known to be of, and a value of another
kind as NULL, as filters of rules do; a field of no known kind is text. (VARIANT is no help: it sorts 0.5
after 99, for the one is a DOUBLE.) DuckDB 1.5 does not say how long a reference is: there a dot means JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from signaldesk.history.sandbox.faults import place_of

COLUMNS = frozenset({"payload", "group", "labels"})
"""Those that hold JSON objects."""
_READERS = {
    "BIGINT": "field_whole",
    "DOUBLE": "field_number",
    "BOOLEAN": "field_truth",
    "VARCHAR": "field_text",
}
MACROS = (
    "CREATE MACRO field_any(j, p) AS json_extract_string(j, p)",
    "CREATE MACRO field_text(j, p) AS"
    " CASE WHEN json_type(j, p) = 'VARCHAR' THEN json_extract_string(j, p) END",
    "CREATE MACRO field_truth(j, p) AS"
    " CASE WHEN json_type(j, p) = 'BOOLEAN' THEN json_extract_string(j, p) = 'true' END",
    "CREATE MACRO field_number(j, p) AS"
    " CASE WHEN json_type(j, p) IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE')"
    " THEN TRY_CAST(json_extract_string(j, p) AS DOUBLE) END",
    "CREATE MACRO field_whole(j, p) AS CASE WHEN json_type(j, p) IN ('BIGINT', 'UBIGINT')"
    " THEN TRY_CAST(json_extract_string(j, p) AS BIGINT) END",
)
"""Make what `reading` speaks of."""
_TYPED = re.compile(r"field_(?:any|text|truth|number|whole)\((?P<column>[^(),]+), '(?P<path>/[^']*)'\)")
_WIDE = re.compile(r'"(payload\.[^"]+)"')


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


def reading(column: str, keys: Sequence[str], kind: str | None) -> str:
    """The field of these keys in a JSON column, as a value of this type; without one, as text."""
    path = "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
    return f"{_READERS.get(kind or '', 'field_any')}({column}, '{path.replace(chr(39), chr(39) * 2)}')"


def as_written(text: str) -> str:
    """What DuckDB says of a statement, with its fields as people wrote them."""
    text = _TYPED.sub(lambda found: found["column"].replace('"', "") + found["path"].replace("/", "."), text)
    return _WIDE.sub(r"\1", text)


def may_be_wide(parts: Sequence[dict[str, Any]]) -> bool:
    """Whether nobody would notice more columns in `events`, nor another table's column `payload`."""
    tables = {
        str(part.get("alias") or part.get("table_name")).lower() for part in parts if "class" not in part
    }
    for part in parts:
        kind = part.get("type")
        if part.get("class") == "STAR" or kind == "PIVOT" or part.get("ref_type") == "NATURAL":
            return False
        if str(part.get("alias")).lower() == "payload":
            return False
        if part.get("class") == "COLUMN_REF":
            names = [str(name).lower() for name in part["column_names"]]
            if names[-1] == "payload" or (len(names) == 1 and names[0] in tables):
                return False
    return True


def strangers(parts: Sequence[dict[str, Any]], kinds: Mapping[str, str], known: Sequence[str]) -> str:
    """What there is to say of a payload's fields without a usual kind, where the statement cannot be carried
    out: they are texts, and may be misspelt; empty if there are none."""
    said = []
    for part in parts:
        names = [str(name) for name in part.get("column_names") or ()]
        if part.get("class") != "COLUMN_REF" or len(names) < 2:
            continue
        depth = next((place for place, name in enumerate(names[:2]) if name.lower() == "payload"), None)
        path = "" if depth is None else ".".join(names[depth + 1 :])
        if not path or path in kinds or any(one.startswith(f"{path}.") for one in known):
            continue
        near = get_close_matches(path, known, n=1, cutoff=0.6)
        hint = f"did you mean payload.{near[0]}?" if near else "cast what you know it to be"
        said.append(f"; payload.{path} has no usual kind and is read as text, {hint}")
    return "".join(dict.fromkeys(said))


def typed(
    sql: str, parts: Sequence[dict[str, Any]], kinds: Mapping[str, str], *, wide: bool = False
) -> Edited:
    """The statement with every field given its own type; `parts` are those of its tree.

    `kinds` are the types of the payload's fields, by dotted path; `wide`: there are columns of their names.
    """
    tables = {
        str(part.get("alias") or part.get("table_name")).lower() for part in parts if "class" not in part
    }
    columns = COLUMNS - tables  # of a table of that name, the dot means a column
    listed = {id(one) for part in parts for one in part.get("select_list") or () if not one.get("alias")}
    raw = sql.encode()
    edits = []
    for part in parts:
        if part.get("class") == "COLUMN_REF" and (
            edit := _edit(part, columns, kinds, wide, id(part) in listed)
        ):
            edits.append(edit)
    edits.sort()
    pieces, end = [], 0
    for edit in edits:
        pieces += [raw[end : edit.start], edit.text]
        end = edit.end
    return Edited(b"".join([*pieces, raw[end:]]).decode(), sql, tuple(edits))


def _edit(
    part: dict[str, Any], columns: frozenset[str], kinds: Mapping[str, str], wide: bool, listed: bool
) -> Edit | None:
    names, length = [str(name) for name in part["column_names"]], part.get("query_location_length")
    depth = next((i for i, name in enumerate(names[:2]) if name.lower() in columns), None)
    if depth is None or not length or len(names) == depth + 1:
        return None
    keys = names[depth + 1 :]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    kind = kinds.get(".".join(keys)) if names[depth].lower() == "payload" else None
    if wide and kind is not None:
        text = ".".join([*quoted[:depth], '"payload.' + ".".join(keys) + '"'])
    else:
        text = reading(".".join(quoted[: depth + 1]), keys, kind)
    if listed:
        text += f" AS {quoted[-1]}"
    start = int(part["query_location"])
    return Edit(start, start + int(length), text.encode())
