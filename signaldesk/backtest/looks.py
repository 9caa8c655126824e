"""Which fields a rule looks at, and whether a table of events has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import takewhile
from typing import Any

from signaldesk import filters
from signaldesk.backtest.events import Events
from signaldesk.backtest.fold import types_of
from signaldesk.errors import FieldError, Invalid
from signaldesk.filters.tree import Path as FieldPath
from signaldesk.filters.tree import compared
from signaldesk.model.rule import Rule

_OWN = ("type", "source")
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
            "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL")  # fmt: skip
_FILTERS, _VALUES = ("where", "among"), ("field",)
"""Names of parameters that are filters, and that are values."""


def looks_at(rule: Rule) -> list[tuple[str, str]]:
    """(place in the rule's document, first step of a field's path), in the order of the document."""
    return [(place, str(path[0])) for place, path in _fields(rule)]


def _fields(rule: Rule) -> Iterator[tuple[str, FieldPath]]:
    """(place in the rule's document, a field's path), in the order of the document."""
    for place, _, fields in _named(rule.document(), ""):
        for path in sorted(fields, key=str):
            yield place, path
    for name in rule.by:
        if name not in _OWN:
            yield "by", tuple(name.split("."))


def paths(rules: Iterable[Rule]) -> set[str] | None:
    """Dotted paths of all fields that any of these rules looks at; None where one has no such name."""
    found: set[str] = set()
    for rule in rules:
        found |= {name for name in rule.by if name not in _OWN}
        try:
            named = list(_named(rule.document(), ""))
        except Invalid:
            return None  # a field that filters have no word for
        for place, text, fields in named:
            if any(not isinstance(key, str) or "." in key for path in fields for key in path):
                return None
            if place.endswith(".field") and text.startswith("payload."):
                return None  # filters take it for the payload, and others for a field of that name
            found |= {".".join(map(str, path)) for path in fields}
    return found


def _named(part: Any, place: str) -> Iterator[tuple[str, str, Iterable[FieldPath]]]:
    """Places in the document, what stands there, and the fields that it names."""
    if isinstance(part, list):
        for number, one in enumerate(part):
            yield from _named(one, f"{place}[{number}]")
    elif isinstance(part, dict):
        for name, value in part.items():
            here = f"{place}.{name}" if place else name
            if isinstance(value, str) and name in (*_FILTERS, *_VALUES):
                parse = filters.parse if name in _FILTERS else filters.parse_value
                yield here, value, parse(value).fields
            elif name != "labels":
                yield from _named(value, here)


def check(rules: Sequence[Rule], events: Events) -> None:
    """Raises Invalid, with every fault, for fields that no column of a table of events has, or one of another
    kind.

    A table says by its columns which fields there are, so another one is a slip of the pen. Events with a
    `payload` may have any.
    """
    if "payload" in events.own or not len(events):
        return
    there = {name.split(".")[0] for name in events.fields} | set(events.fields)
    faults = [
        FieldError(place, _message(name, sorted(events.fields)))
        for rule in rules
        for place, name in dict.fromkeys(looks_at(rule))
        if name not in there
    ]
    if faults:
        raise Invalid("the rule looks at fields that these events do not have", errors=faults)
    faults = [fault for rule in rules for fault in _of_another_kind(rule, events)]
    if faults:
        raise Invalid("the rule takes fields for what they are not in these events", errors=faults)


def notes(rules: Sequence[Rule], events: Events) -> list[str]:
    """What one should know of these rules over these events: fields that no payload has."""
    if "payload" not in events.own:
        return []  # what has columns was checked by them
    return list(dict.fromkeys(note for rule in rules for note in _unknown(rule, events)))


def _unknown(rule: Rule, events: Events) -> Iterator[str]:
    if not (types := types_of([rule], events)):
        return
    for place, path in _fields(rule):
        keys = [*takewhile(lambda key: isinstance(key, str) and not key.isdigit(), path)]  # outside of lists
        if keys and not events.has(types, keys):
            name = ".".join(map(str, keys))
            hint = _hint(name, events.names(types))
            yield f"no event of these types has the field {name!r}, which `{place}` looks at; {hint}"


def _of_another_kind(rule: Rule, events: Events) -> Iterator[FieldError]:
    """Columns that are of one kind and only ever compared with another: that never holds."""
    wanted: dict[tuple[str, FieldPath], set[filters.Kind]] = {}
    for place, path, kind in _compared(rule):
        wanted.setdefault((place, path), set()).add(kind)
    for (place, path), kinds in wanted.items():
        column = events.column(path)
        there = _kind(events.kinds[column]) if column is not None else None
        if there is None or there in kinds:
            continue
        if events.sql(f"FROM events WHERE {column} IS NOT NULL LIMIT 1").fetchone():
            other = " or ".join(sorted(one.value for one in kinds))
            message = f"the column {'.'.join(map(str, path))!r} is {there.value}, and is taken for {other}"
            yield FieldError(place, f"{message}: that never holds; convert the column")


def _compared(rule: Rule) -> Iterator[tuple[str, FieldPath, filters.Kind]]:
    """(place in the rule's document, a field's path, what it is taken for)."""
    for place, text, _ in _named(rule.document(), ""):
        if place.rpartition(".")[2] in _FILTERS:
            for path, kind in compared(filters.parse(text).tree):
                yield place, path, kind
        elif getattr(rule.when, "function", "distinct") != "distinct" and (
            field := filters.parse_value(text).path
        ):
            yield place, field, filters.Kind.NUMBER


def _kind(column: str) -> filters.Kind | None:
    """What values of a column's type are, where filters have a word for it."""
    if column == "VARCHAR":
        return filters.Kind.TEXT
    if column == "BOOLEAN":
        return filters.Kind.BOOLEAN
    return filters.Kind.NUMBER if column.startswith(_NUMBERS) else None


def _message(name: str, there: Sequence[str]) -> str:
    hint = _hint(name, there)
    return f"these events have no column {name!r}; {hint} If none of them has it, add the column, empty"


def _hint(name: str, there: Sequence[str]) -> str:
    near = get_close_matches(name, there, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(there)[:300] or 'none'}."
