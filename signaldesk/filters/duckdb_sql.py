"""The tree as a DuckDB expression, for history: as true, false or NULL on every event as the predicate.

It is plain SQL text; this room does not need the driver. Values come out of a JSON column and are compared
only after their JSON type is checked, as the predicate checks classes. Every constant is written as a
quoted literal here, never copied from the filter's text.

Agreement holds for payloads as events carry them: integers of 64 bits, signed or not, and finite floats;
a whole number beyond 64 bits is a float on both sides.
"""

from __future__ import annotations

from signaldesk.filters.duckdb_numbers import EXACT, compare_float, compare_number, double
from signaldesk.filters.duckdb_values import Columns, Stored, Values, literal, quoted
from signaldesk.filters.kinds import kind_of
from signaldesk.filters.like import to_sql
from signaldesk.filters.tree import (
    MIRROR,
    Among,
    And,
    Attribute,
    Coalesce,
    Compare,
    Condition,
    Constant,
    Field,
    IsNull,
    IsTruth,
    Kind,
    Like,
    Not,
    Operand,
    Operator,
    Or,
    Term,
    Truth,
)

__all__ = ["Columns", "Stored", "duckdb_expression", "duckdb_value"]

_JSON_KINDS = (Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN)


def duckdb_expression(condition: Condition, columns: Columns | None = None) -> str:
    """A BOOLEAN expression, in parentheses, that is true, false or NULL as the condition is."""
    return _Writer(columns or Columns()).condition(condition)


def duckdb_value(operand: Operand, kind: Kind, columns: Columns | None = None) -> str:
    """The value where it is of this kind (VARCHAR, BOOLEAN, or a finite DOUBLE), and else NULL."""
    return Values(columns or Columns()).of_kind(operand, kind)


class _Writer(Values):
    """Writes conditions as SQL."""

    def condition(self, condition: Condition) -> str:
        match condition:
            case And(conditions) | Or(conditions):
                word = " AND " if isinstance(condition, And) else " OR "
                return f"({word.join(map(self.condition, conditions))})"
            case Not(inner):
                return f"(NOT {self.condition(inner)})"
            case IsTruth(inner, value):
                return f"({self.condition(inner)} IS {str(value).upper()})"
            case IsNull(operand):
                return self.is_null(operand)
            case Truth(operand):
                return self.of_kind(operand, Kind.BOOLEAN)
            case Compare(operator, left, Constant() as right):
                return self._compare_constant(operator, left, right)
            case Compare(operator, left, right):
                return self._compare_values(operator, left, right)
            case Among(operand, values):
                return self._among(operand, values)
            case Like():
                return self._like(condition)
        raise AssertionError(condition)

    def _compare_constant(self, operator: Operator, left: Operand, right: Constant) -> str:
        match left:
            case Coalesce(arguments):
                return self._coalesce(
                    [(self.is_null(one), self._compare_constant(operator, one, right)) for one in arguments]
                )
            case Field(path) if right.kind is Kind.NUMBER:
                assert isinstance(right.value, (int, float))
                if self.stored(path) and abs(right.value) < EXACT:
                    return f"({self.of_kind(left, Kind.NUMBER)} {operator} {double(float(right.value))})"
                return compare_number(self.json_type(path), self.json_text(path), operator, right.value)
            case _ if right.kind is Kind.NUMBER:
                assert isinstance(right.value, (int, float))
                return f"({compare_float(self.of_kind(left, Kind.NUMBER), operator, right.value)})"
            case Attribute():
                return f"({self.attribute(left)} {operator} {literal(right)})"
            case _:
                return f"({self.of_kind(left, right.kind)} {operator} {literal(right)})"

    def _compare_values(self, operator: Operator, left: Operand, right: Operand) -> str:
        """Alternatives are compared one by one, so that each pair is written for the kinds it may have."""
        if isinstance(left, Constant):
            left, right, operator = right, left, MIRROR[operator]
        if isinstance(right, Constant):
            return self._compare_constant(operator, left, right)
        if isinstance(left, Coalesce):
            return self._coalesce(
                [(self.is_null(one), self._compare_values(operator, one, right)) for one in left.arguments]
            )
        if isinstance(right, Coalesce):
            return self._coalesce(
                [(self.is_null(one), self._compare_values(operator, left, one)) for one in right.arguments]
            )
        known = [kind for kind in (kind_of(left), kind_of(right)) if kind]
        if len(set(known)) > 1:
            return "NULL::BOOLEAN"
        branches = "".join(
            f" WHEN {self.is_kind(left, kind)} AND {self.is_kind(right, kind)}"
            f" THEN {self._side(left, right, kind)} {operator} {self._side(right, left, kind)}"
            for kind in known[:1] or _JSON_KINDS
        )
        return f"(CASE{branches} END)"

    def _side(self, operand: Operand, other: Operand, kind: Kind) -> str:
        """One side of a comparison; numbers are keys as soon as a field of the payload is among them."""
        if kind is Kind.MOMENT:
            assert isinstance(operand, Attribute)
            return self.attribute(operand)
        if kind is Kind.NUMBER and (isinstance(operand, Field) or isinstance(other, Field)):
            return self.key(operand)
        return self.of_kind(operand, kind)

    def _among(self, operand: Term, values: tuple[Constant, ...]) -> str:
        kind = values[0].kind
        if kind is Kind.NUMBER:
            return f"({' OR '.join(self._compare_constant('=', operand, value) for value in values)})"
        value = self.attribute(operand) if isinstance(operand, Attribute) else self.of_kind(operand, kind)
        return f"({value} IN ({', '.join(map(literal, values))}))"

    def _like(self, condition: Like) -> str:
        pattern = to_sql(condition.pattern, condition.escape, ignore_case=condition.ignore_case)
        value = self.of_kind(condition.operand, Kind.TEXT)
        subject = f"lower({value})" if condition.ignore_case else value
        escape = " ESCAPE '\\'" if "\\" in pattern else ""
        return f"({subject} LIKE {quoted(pattern)}{escape})"
