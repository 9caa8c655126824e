"""A filter: what a person wrote, what it means, and the function that asks an event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from signaldesk.filters.canonical import canonical
from signaldesk.filters.predicate import Predicate, compile_predicate
from signaldesk.filters.tree import And, Condition, Not, Or, Path, paths


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

    def clauses(self, *event: Any) -> list[tuple[str, bool | None]]:
        """The conditions that AND joins, each as (text, whether it is true of an event; None: NULL).

        Of an OR that is not true, each alternative. `event` is what a predicate takes.
        """
        return list(_clauses(self.tree, event))


def _clauses(part: Condition, event: tuple[Any, ...]) -> Iterator[tuple[str, bool | None]]:
    holds = True if compile_predicate(part)(*event) else None
    if isinstance(part, And) or (isinstance(part, Or) and not holds):
        for inner in part.conditions:
            yield from _clauses(inner, event)
    else:
        yield canonical(part), holds or (False if compile_predicate(Not(part))(*event) else None)


def parse(text: str) -> Filter:
    """The filter that a text says. Raises InvalidFilter with every fault found, each with a mend."""
    # The parser takes a tenth of a second to load, and many a process never meets a filter.
    from signaldesk.filters.build import build
    from signaldesk.filters.grammar import read

    tree = build(read(text))
    return Filter(
        text=text,
        canonical=canonical(tree),
        tree=tree,
        fields=frozenset(paths(tree)),
        predicate=compile_predicate(tree),
    )
