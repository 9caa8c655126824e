"""The filter language as a small closed tree: nothing that is not a class of this file can be in a filter.

Values (`Operand`) and truths (`Condition`) are separate, so a tree that type-checks makes sense. Every
condition is true, false or NULL; `NULL` is what a missing field, a JSON null and a comparison between two
kinds of value give. Kinds never mix: 1 and '1' and true are three different things, and only an integer
and a float compare with each other, by their exact numeric values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Where a value lies in the payload: object keys, and 0-based positions in lists."""

Operator: TypeAlias = Literal["=", "<>", "<", "<=", ">", ">="]

COMPLEMENT: dict[Operator, Operator] = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
"""NOT (a OP b), for two values of one kind."""

MIRROR: dict[Operator, Operator] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""(a OP b) with the sides changed."""


class Kind(Enum):
    """What a value is; two values compare only within one kind. Lists and objects have none."""

    NUMBER = "a number"
    TEXT = "text"
    BOOLEAN = "true or false"
    MOMENT = "a moment in time"


@dataclass(frozen=True, slots=True)
class Field:
    """A payload value; its kind is known only once an event is there."""

    path: Path


@dataclass(frozen=True, slots=True)
class Attribute:
    """A value that every event has beside its payload; only `source` may be NULL."""

    name: Literal["type", "source", "timestamp"]

    @property
    def kind(self) -> Kind:
        return Kind.MOMENT if self.name == "timestamp" else Kind.TEXT


@dataclass(frozen=True, slots=True)
class Constant:
    """A value written in the filter: text, bool, a number, or a moment in microseconds UTC.

    Numbers are what an event's can be: integers of 64 bits, signed or not, and finite floats.
    """

    value: str | int | float | bool
    kind: Kind


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function of `functions.py`: NULL when an argument is NULL or of another kind."""

    function: str
    arguments: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Coalesce:
    """The first of two or more that is not NULL; only the last may be a constant, and none is a moment."""

    arguments: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the event's timestamp, such as its hour, on the clocks of an IANA time zone. Never NULL."""

    name: str
    zone: str = "UTC"


Term: TypeAlias = Field | Attribute | Call | Coalesce | Part
"""A value that an event is needed for."""

Operand: TypeAlias = Term | Constant


@dataclass(frozen=True, slots=True)
class Compare:
    """NULL unless both sides are of one kind. A moment stands only beside a moment: JSON has none."""

    operator: Operator
    left: Term
    right: Operand


@dataclass(frozen=True, slots=True)
class Among:
    """`IN` over constants, all of one kind, ordered and each once; NULL for a value of another kind."""

    operand: Term
    values: tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """`%` is any text, `_` any one code point; NULL for what is not text."""

    operand: Term
    pattern: str
    escape: str | None = None
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class IsNull:
    """True or false, never NULL. A list or an object is not NULL."""

    operand: Term


@dataclass(frozen=True, slots=True)
class Truth:
    """A value that is itself the condition; NULL unless it is true or false. Never an `Attribute`."""

    operand: Term


@dataclass(frozen=True, slots=True)
class IsTruth:
    """`IS TRUE` or `IS FALSE`: true or false, never NULL."""

    condition: Condition
    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    condition: Condition


@dataclass(frozen=True, slots=True)
class And:
    """Two or more conditions, none of them an `And`."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Two or more conditions, none of them an `Or`."""

    conditions: tuple[Condition, ...]


Condition: TypeAlias = Compare | Among | Like | IsNull | Truth | IsTruth | Not | And | Or


def joined(junction: type[And] | type[Or], conditions: list[Condition]) -> Condition:
    """The conditions under one `And` or `Or`, each once and without nesting; a single one is itself."""
    flat: list[Condition] = []
    for condition in conditions:
        flat.extend(condition.conditions if isinstance(condition, junction) else (condition,))
    unique = tuple(dict.fromkeys(flat))
    return junction(unique) if len(unique) > 1 else unique[0]


def negated(condition: Condition) -> Condition:
    """NOT of a condition, without double negation."""
    return condition.condition if isinstance(condition, Not) else Not(condition)


def paths(tree: Condition | Operand) -> list[Path]:
    """The payload paths in a condition or a value, in the order of writing."""
    match tree:
        case Field(path):
            return [path]
        case Attribute() | Constant() | Part():
            return []
        case And(parts) | Or(parts) | Call(_, parts) | Coalesce(parts):
            return [path for part in parts for path in paths(part)]
        case Not(inner) | IsTruth(inner):
            return paths(inner)
        case Compare(_, left, right):
            return paths(left) + paths(right)
        case Among(operand) | Like(operand) | IsNull(operand) | Truth(operand):
            return paths(operand)


def compared(tree: Condition | Operand) -> list[tuple[Path, Kind]]:
    """Payload paths in a condition that stand alone beside something of a known kind, and that kind."""
    match tree:
        case Compare(_, Field(path), Constant(_, kind)):
            return [(path, kind)]
        case Among(Field(path), values):
            return [(path, values[0].kind)]
        case Like(Field(path)):
            return [(path, Kind.TEXT)]
        case Truth(Field(path)):
            return [(path, Kind.BOOLEAN)]
        case And(parts) | Or(parts):
            return [found for part in parts for found in compared(part)]
        case Not(inner) | IsTruth(inner):
            return compared(inner)
        case _:
            return []
