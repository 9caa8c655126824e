"""A filter: what a person wrote, what it means, and the function that asks an event."""

from __future__ import annotations

from dataclasses import dataclass, field

from signaldesk.filters.canonical import canonical
from signaldesk.filters.predicate import Predicate, compile_predicate
from signaldesk.filters.tree import And, Condition, Path, paths


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

    @property
    def clauses(self) -> list[tuple[str, Predicate]]:
        """The parts that must all be true, each as (text, predicate): one, for a filter without AND."""
        parts = self.tree.conditions if isinstance(self.tree, And) else (self.tree,)
        return [(canonical(part), compile_predicate(part)) for part in parts]


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
