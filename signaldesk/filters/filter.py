"""A filter: what a person wrote, what it means, and the function that asks an event."""

from __future__ import annotations

from dataclasses import dataclass, field

from signaldesk.filters.build import build
from signaldesk.filters.canonical import canonical
from signaldesk.filters.grammar import read
from signaldesk.filters.predicate import Predicate, compile_predicate
from signaldesk.filters.tree import (
    Among,
    And,
    Compare,
    Condition,
    Field,
    IsNull,
    IsTruth,
    Like,
    Not,
    Operand,
    Or,
    Path,
    Truth,
)


@dataclass(frozen=True, slots=True)
class Filter:
    """A checked filter. Two filters are equal when their canonical text is."""

    text: str = field(compare=False)
    """As written."""
    canonical: str
    """The same meaning in one spelling; part of a rule's condition fingerprint."""
    tree: Condition = field(compare=False, repr=False)
    fields: frozenset[Path] = field(compare=False, repr=False)
    """The payload paths it looks at, as tuples: `user.plan` is ('user', 'plan')."""
    predicate: Predicate = field(compare=False, repr=False)
    """(payload, type, source, timestamp_us) -> True where the filter is true, False where false or NULL."""


def parse(text: str) -> Filter:
    """The filter that a text says. Raises InvalidFilter with the position of the first fault and a mend."""
    tree = build(read(text))
    return Filter(
        text=text,
        canonical=canonical(tree),
        tree=tree,
        fields=frozenset(_paths(tree)),
        predicate=compile_predicate(tree),
    )


def _paths(condition: Condition) -> list[Path]:
    match condition:
        case And(conditions) | Or(conditions):
            return [path for part in conditions for path in _paths(part)]
        case Not(inner) | IsTruth(inner):
            return _paths(inner)
        case Compare(_, left, right):
            return _path(left) + _path(right)
        case Among(operand) | Like(operand) | IsNull(operand) | Truth(operand):
            return _path(operand)


def _path(operand: Operand) -> list[Path]:
    return [operand.path] if isinstance(operand, Field) else []
