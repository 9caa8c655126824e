"""A label: a known incident as a span of time, which rules are compared with."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from signaldesk.clock import in_utc
from signaldesk.errors import FieldError, Invalid

MOST = 10_000
"""Labels in one file."""
LONGEST_NAME = 200
_NEEDED = ("name", "starts_at", "ends_at")
_KNOWN = (*_NEEDED, "comment")
_GROUP = "group."


class Label(NamedTuple):
    """[starts_at, ends_at); an empty group is about all of them."""

    name: str
    starts_at: datetime
    ends_at: datetime
    group: Mapping[str, Any] = {}  # nobody changes a label's group
    comment: str = ""

    @property
    def incident(self) -> tuple[Any, ...]:
        """What makes it the same incident as that of another label: all but the comment, and values of groups
        as the texts that a CSV file has."""
        group = {(name, str(value)) for name, value in self.group.items() if value is not None}
        return self.name, self.starts_at, self.ends_at, frozenset(group)


def read_csv(text: str) -> list[Label]:
    """Labels of a CSV file with a heading: `name,starts_at,ends_at`, also `comment` and `group.FIELD`.

    Raises Invalid with one error for each faulty line, named `line N` as an editor counts them.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    lines = _lines(reader)
    number, heading = next(lines, (1, []))
    names = [name.strip() for name in heading] if isinstance(heading, list) else []
    _check_heading(names, heading)
    labels: list[Label] = []
    faults: list[FieldError] = []
    for number, cells in lines:
        found = cells if isinstance(cells, str) else _label(names, cells)
        if isinstance(found, str):
            faults.append(FieldError(f"line {number}", found))
        else:
            labels.append(found)
        if len(labels) + len(faults) > MOST:
            raise _invalid([FieldError(f"line {number}", f"is one too many; a file has {MOST:,} at most")])
    if not labels and not faults:
        faults.append(FieldError("line 2", "is missing: there is a heading, and nothing below it"))
    if faults:
        raise _invalid(faults)
    return labels


def write_csv(labels: Sequence[Label]) -> str:
    """The same labels as a file that `read_csv` reads."""
    fields = sorted({name for label in labels for name in label.group})
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_KNOWN, *(_GROUP + name for name in fields)])
    for label in labels:
        moments = [one.isoformat().replace("+00:00", "Z") for one in (label.starts_at, label.ends_at)]
        values = ["" if label.group.get(name) is None else label.group[name] for name in fields]
        writer.writerow([label.name, *moments, label.comment, *values])
    return text.getvalue()


def _lines(reader: Any) -> Iterator[tuple[int, list[str] | str]]:
    """(line, its cells or what is wrong with it), without empty ones."""
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield number, f"is no CSV ({error}); put texts that hold commas or quotes into double quotes"
            continue
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield number, cells


def _check_heading(names: list[str], heading: object) -> None:
    if isinstance(heading, str):
        raise _invalid([FieldError("line 1", heading)])
    faults = [f"the column {name} is missing" for name in _NEEDED if name not in names]
    faults += [
        f"unknown column {name[:60]!r}; known are {', '.join(_KNOWN)} and group.FIELD"
        for name in names
        if name not in _KNOWN and (not name.startswith(_GROUP) or name == _GROUP)
    ]
    if len(names) == 1 and (other := next((sign for sign in ";\t|" if sign in names[0]), None)):
        faults = [f"columns are told apart by commas here, in this file by {other!r}; save it with commas"]
    faults += [
        f"the column {name[:60]} is there twice" for name in sorted(set(names)) if names.count(name) > 1
    ]
    if faults:
        raise _invalid([FieldError("line 1", "; ".join(faults))])


def _label(names: list[str], cells: list[str]) -> Label | str:
    """The label of a line, or all that is wrong with it."""
    if len(cells) != len(names):
        return f"has {len(cells)} columns, the heading {len(names)}"
    values = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
    faults: list[str] = []
    if "\0" in "".join(cells):
        faults.append("the NUL character cannot be stored")
    if not values["name"] or len(values["name"]) > LONGEST_NAME:
        faults.append(f"name must have 1 to {LONGEST_NAME} characters")
    starts_at = _moment("starts_at", values["starts_at"], faults)
    ends_at = _moment("ends_at", values["ends_at"], faults)
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        faults.append("ends_at must come after starts_at")
    if faults or starts_at is None or ends_at is None:
        return "; ".join(faults)
    group = {
        name.removeprefix(_GROUP): value
        for name, value in values.items()
        if name.startswith(_GROUP) and value
    }
    return Label(values["name"], starts_at, ends_at, group, values.get("comment", ""))


def _moment(name: str, text: str, faults: list[str]) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        faults.append(f"{name} {text[:40]!r} is no time; write e.g. 2026-01-31T12:00:00Z")
        return None
    try:
        return in_utc(moment)
    except ValueError as error:
        faults.append(f"{name} {error}")
        return None


def _invalid(faults: list[FieldError]) -> Invalid:
    lines = "1 line is" if len(faults) == 1 else f"{len(faults)} lines are"
    return Invalid(f"{lines} faulty, so nothing was taken", errors=faults)
