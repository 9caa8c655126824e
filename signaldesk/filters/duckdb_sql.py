"""The tree as a DuckDB expression, for history: as true, false or NULL on every event as the predicate.

It is plain SQL text; this room does not need the driver. Values come out of a JSON column and are compared
only after their JSON type is checked, as the predicate checks classes. Every constant is written as a
quoted literal here, never copied from the filter's text.

Agreement holds for payloads as events carry them: integers of 64 bits, signed or not, and finite floats;
a whole number beyond 64 bits is a float on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

from signaldesk.filters import moments
from signaldesk.filters.duckdb_numbers import compare_number, number_key
from signaldesk.filters.like import to_sql
from signaldesk.filters.tree import (
    Among,
    And,
    Attribute,
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
    Path,
    Truth,
)

_TYPES = {Kind.TEXT: "'VARCHAR'", Kind.NUMBER: "'BIGINT', 'UBIGINT', 'DOUBLE'", Kind.BOOLEAN: "'BOOLEAN'"}


@dataclass(frozen=True, slots=True)
class Columns:
    """SQL expressions for an event's parts: VARCHAR, VARCHAR, TIMESTAMPTZ and JSON."""

    type: str = '"type"'
    source: str = '"source"'
    timestamp: str = '"timestamp"'
    payload: str = '"payload"'


def duckdb_expression(condition: Condition, columns: Columns | None = None) -> str:
    """A BOOLEAN expression, in parentheses, that is true, false or NULL as the condition is."""
    return _Writer(columns or Columns()).condition(condition)


class _Writer:
    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def condition(self, condition: Condition) -> str:
        match condition:
            case And(conditions) | Or(conditions):
                word = " AND " if isinstance(condition, And) else " OR "
                return f"({word.join(map(self.condition, conditions))})"
            case Not(inner):
                return f"(NOT {self.condition(inner)})"
            case IsTruth(inner, value):
                return f"({self.condition(inner)} IS {str(value).upper()})"
            case IsNull(Attribute() as operand):
                return f"({self._attribute(operand)} IS NULL)"
            case IsNull(Field(path)):
                return f"(coalesce({self._json_type(path)}, 'NULL') = 'NULL')"
            case Truth(Field(path)):
                return self._when(Kind.BOOLEAN, path, f"{self._json_text(path)} = 'true'")
            case Compare(operator, left, Constant() as right):
                return self._compare_constant(operator, left, right)
            case Compare(operator, left, (Field() | Attribute()) as right):
                return self._compare_values(operator, left, right)
            case Among(operand, values):
                return self._among(operand, values)
            case Like():
                return self._like(condition)
        raise AssertionError(condition)

    def _compare_constant(self, operator: Operator, left: Field | Attribute, right: Constant) -> str:
        if isinstance(left, Attribute):
            return f"({self._attribute(left)} {operator} {literal(right)})"
        if right.kind is Kind.NUMBER:
            assert isinstance(right.value, (int, float))
            return compare_number(
                self._json_type(left.path), self._json_text(left.path), operator, right.value
            )
        return self._when(
            right.kind, left.path, f"{self._value(left, right.kind)} {operator} {literal(right)}"
        )

    def _compare_values(self, operator: Operator, left: Field | Attribute, right: Field | Attribute) -> str:
        kinds = [side.kind for side in (left, right) if isinstance(side, Attribute)] or list(_TYPES)
        branches = "".join(
            f" WHEN {self._is_kind(left, kind)} AND {self._is_kind(right, kind)}"
            f" THEN {self._value(left, kind)} {operator} {self._value(right, kind)}"
            for kind in dict.fromkeys(kinds)
        )
        return f"(CASE{branches} END)"

    def _among(self, operand: Field | Attribute, values: tuple[Constant, ...]) -> str:
        kind = values[0].kind
        if isinstance(operand, Field) and kind is Kind.NUMBER:
            return f"({' OR '.join(self._compare_constant('=', operand, value) for value in values)})"
        inside = f"{self._value(operand, kind)} IN ({', '.join(map(literal, values))})"
        return f"({inside})" if isinstance(operand, Attribute) else self._when(kind, operand.path, inside)

    def _like(self, condition: Like) -> str:
        operand = condition.operand
        pattern = to_sql(condition.pattern, condition.escape, ignore_case=condition.ignore_case)
        value = self._value(operand, Kind.TEXT)
        subject = f"lower({value})" if condition.ignore_case else value
        escape = " ESCAPE '\\'" if "\\" in pattern else ""
        test = f"{subject} LIKE {_quoted(pattern)}{escape}"
        return f"({test})" if isinstance(operand, Attribute) else self._when(Kind.TEXT, operand.path, test)

    def _when(self, kind: Kind, path: Path, then: str) -> str:
        return f"(CASE WHEN {self._json_type(path)} IN ({_TYPES[kind]}) THEN {then} END)"

    def _is_kind(self, operand: Field | Attribute, kind: Kind) -> str:
        if isinstance(operand, Attribute):
            return "true"
        return f"{self._json_type(operand.path)} IN ({_TYPES[kind]})"

    def _value(self, operand: Operand, kind: Kind) -> str:
        """The value of an operand that is known to be of this kind."""
        if isinstance(operand, Attribute):
            return self._attribute(operand)
        assert isinstance(operand, Field)
        text = self._json_text(operand.path)
        match kind:
            case Kind.NUMBER:
                return number_key(self._json_type(operand.path), text)
            case Kind.BOOLEAN:
                return f"({text} = 'true')"
            case _:
                return text

    def _attribute(self, operand: Attribute) -> str:
        return str(getattr(self._columns, operand.name))

    def _json_type(self, path: Path) -> str:
        holder, last = self._holder(path)
        return f"json_type({holder}, {last})"

    def _json_text(self, path: Path) -> str:
        holder, last = self._holder(path)
        return f"json_extract_string({holder}, {last})"

    def _holder(self, path: Path) -> tuple[str, str]:
        """The JSON to start from and the quoted path from there; the payload itself for all usual keys."""
        holder, plain = self._columns.payload, "$"
        for part in path:
            if isinstance(part, int):
                plain += f"[{part}]"
            elif _is_plain(part):
                plain += f'."{part}"'
            else:  # `*` would be a wildcard and quotes end the key: only a JSON pointer can name it
                holder = holder if plain == "$" else f"json_extract({holder}, {_quoted(plain)})"
                holder, plain = f"json_extract({holder}, {_quoted(_pointer(part))})", "$"
        return holder, _quoted(plain)


def literal(constant: Constant) -> str:
    """A constant as a DuckDB literal of its own type."""
    match constant.kind:
        case Kind.MOMENT:
            return f"TIMESTAMPTZ {_quoted(moments.to_text(int(constant.value)))}"
        case Kind.TEXT:
            return _quoted(str(constant.value))
        case _:
            return str(constant.value)


def _is_plain(key: str) -> bool:
    return not any(character in '"*\\' for character in key)


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
