"""A value of an event as a person writes it: a path, arithmetic, a function, or a condition."""

from __future__ import annotations

from dataclasses import dataclass, field

from signaldesk.filters.canonical import canonical, operand_text
from signaldesk.filters.duckdb_sql import duckdb_expression, duckdb_value
from signaldesk.filters.duckdb_values import SQL_TYPES, Columns
from signaldesk.filters.kinds import kind_of
from signaldesk.filters.predicate import ValueOf, compile_truth, compile_value
from signaldesk.filters.tree import Condition, Constant, Field, Kind, Operand, Path, paths

__all__ = ["Value", "parse_value"]


@dataclass(frozen=True, slots=True)
class Value:
    """A checked value expression. Two are equal when their canonical text is."""

    text: str = field(compare=False)
    """As written."""
    canonical: str
    """The same meaning in one spelling, for fingerprints."""
    tree: Operand | Condition = field(compare=False, repr=False)
    kind: Kind | None = field(compare=False)
    """What it gives where it gives something; None when that is up to the event."""
    fields: frozenset[Path] = field(compare=False, repr=False)
    """The payload paths it looks at, as tuples."""
    value: ValueOf = field(compare=False, repr=False)
    """(payload, type, source, timestamp_us) -> int, float, str, bool, or None for NULL, lists and objects."""

    @property
    def path(self) -> Path | None:
        """The path of a value that is nothing but a field of the payload."""
        return self.tree.path if isinstance(self.tree, Field) else None

    def sql(self, kind: Kind | None = None, columns: Columns | None = None) -> str:
        """A DuckDB expression: the value where it is of this kind, and else NULL.

        A number is a finite DOUBLE (a whole number beyond 2**53 is rounded to one), text VARCHAR, true or
        false BOOLEAN. Without a kind it is the value's own, and a number for a field of the payload.
        """
        wanted = kind or self.kind or Kind.NUMBER
        if not isinstance(self.tree, Operand):
            if wanted is Kind.BOOLEAN:
                return duckdb_expression(self.tree, columns)
            return f"NULL::{SQL_TYPES[wanted]}"
        return duckdb_value(self.tree, wanted, columns)


def parse_value(text: str) -> Value:
    """The value that a text says. Raises InvalidFilter with every fault found, each with a mend."""
    # As in `filter.parse`: loaded by whoever meets one.
    from signaldesk.filters.build import Builder
    from signaldesk.filters.grammar import fault, read
    from signaldesk.filters.operands import is_condition

    node = read(text)
    if is_condition(node):
        condition = Builder().condition(node)
        return Value(
            text=text,
            canonical=canonical(condition),
            tree=condition,
            kind=Kind.BOOLEAN,
            fields=frozenset(paths(condition)),
            value=compile_truth(condition),
        )
    operand = Builder().operand(node)
    if isinstance(operand, Constant):
        raise fault(node, "a constant is the same for every event", "name a field")
    if kind_of(operand) is Kind.MOMENT:
        raise fault(node, "timestamp is a moment in time, not a value", "write epoch(timestamp) for seconds")
    return Value(
        text=text,
        canonical=operand_text(operand),
        tree=operand,
        kind=kind_of(operand),
        fields=frozenset(paths(operand)),
        value=compile_value(operand),
    )
