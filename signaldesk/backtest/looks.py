"""Which fields a rule looks at, and whether a table of events has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from signaldesk import filters
from signaldesk.backtest.events import Events
from signaldesk.errors import FieldError, Invalid
from signaldesk.filters.tree import Path as FieldPath
from signaldesk.model.rule import Rule

_OWN = ("type", "source")
_FILTERS, _VALUES = ("where", "among"), ("field",)
"""Names of parameters that are filters, and that are values."""


def looks_at(rule: Rule) -> list[tuple[str, str]]:
    """(place in the rule's document, first step of a field's path), in the order of the document."""
    found = [("by", name.split(".")[0]) for name in rule.by if name not in _OWN]
    named = [
        (place, str(path[0]))
        for place, _, fields in _named(rule.document(), "")
        for path in sorted(fields, key=str)
    ]
    return [*named, *found]


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
    """Raises Invalid, with every fault, for fields that no column of a table of events has.

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


def _message(name: str, there: Sequence[str]) -> str:
    near = get_close_matches(name, there, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(there)[:300] or 'none'}."
    return f"these events have no column {name!r}; {hint} If none of them has it, add the column, empty"
