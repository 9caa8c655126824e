"""The tree as text: one spelling for one meaning, with no more parentheses than needed.

Reading canonical text gives the same meaning and the same text again; a rule's fingerprint is made from it.
The parts of AND and OR are in the order of the alphabet, while the tree keeps them as written: whoever writes
puts the cheap and rare condition first.
"""

from __future__ import annotations

import re

from signaldesk.filters import moments
from signaldesk.filters.functions import ARITHMETIC, COALESCE
from signaldesk.filters.tree import (
    Among,
    And,
    Attribute,
    Call,
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
    Or,
    Part,
    Path,
    Truth,
)
from signaldesk.filters.words import ATTRIBUTES, KEYWORDS, PAYLOAD

_SUMS = ("+", "-")
"""What binds less than `*`, `/` and `%`."""

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def canonical(condition: Condition) -> str:
    """The text of a condition."""
    match condition:
        case And(conditions):
            return " AND ".join(sorted(_within(part, Or) for part in conditions))
        case Or(conditions):
            return " OR ".join(sorted(canonical(part) for part in conditions))
        case Not(inner):
            return _positive(inner, negated=True)
        case _:
            return _positive(condition, negated=False)


def path_text(path: Path) -> str:
    """A payload path as it is written in a filter."""
    head = str(path[0]).lower()
    first = f"{PAYLOAD}." if head in (*ATTRIBUTES, PAYLOAD) else ""
    text = first + _name(str(path[0]))
    for part in path[1:]:
        text += f"[{part}]" if isinstance(part, int) else f".{_name(part)}"
    return text


def _positive(condition: Condition, *, negated: bool) -> str:
    """A condition that is not AND, OR or NOT by itself; SQL writes NOT inside some and before the others."""
    inside, before = ("NOT ", "NOT ") if negated else ("", "")
    match condition:
        case Compare(operator, left, right):
            return f"{before}{operand_text(left)} {operator} {operand_text(right)}"
        case Among(operand, values):
            return f"{operand_text(operand)} {inside}IN ({', '.join(map(_constant, values))})"
        case Like():
            return _like(condition, inside)
        case IsNull(operand):
            return f"{operand_text(operand)} IS {inside}NULL"
        case Truth(operand):
            return f"{before}{operand_text(operand)}"
        case IsTruth(inner, value):
            subject = canonical(inner) if isinstance(inner, Truth) else f"({canonical(inner)})"
            return f"{subject} IS {inside}{str(value).upper()}"
        case _:
            return f"{before}({canonical(condition)})"


def _like(condition: Like, inside: str) -> str:
    word = "ILIKE" if condition.ignore_case else "LIKE"
    escape = "" if condition.escape is None else f" ESCAPE {_text(condition.escape)}"
    return f"{operand_text(condition.operand)} {inside}{word} {_text(condition.pattern)}{escape}"


def _within(condition: Condition, weaker: type[Or]) -> str:
    text = canonical(condition)
    return f"({text})" if isinstance(condition, weaker) else text


def operand_text(operand: Operand) -> str:
    """A value as it is written in a filter."""
    match operand:
        case Field(path):
            return path_text(path)
        case Attribute(name):
            return name
        case Constant():
            return _constant(operand)
        case Call(sign, (left, right)) if sign in ARITHMETIC:
            return (
                f"{_factor(left, sign, on_the_right=False)} {sign} {_factor(right, sign, on_the_right=True)}"
            )
        case Call(name, arguments):
            return f"{name}({', '.join(map(operand_text, arguments))})"
        case Coalesce(arguments):
            return f"{COALESCE}({', '.join(map(operand_text, arguments))})"
        case Part(name, zone):
            where = "" if zone == "UTC" else f" AT TIME ZONE {_text(zone)}"
            return f"{name}(timestamp{where})"


def _factor(operand: Operand, sign: str, *, on_the_right: bool) -> str:
    """An operand of an arithmetic operator, in parentheses where another order would be read."""
    text = operand_text(operand)
    if not isinstance(operand, Call) or operand.function not in ARITHMETIC:
        return text
    inner, outer = operand.function in _SUMS, sign in _SUMS
    return f"({text})" if inner > outer or (on_the_right and inner >= outer) else text


def _constant(constant: Constant) -> str:
    if constant.kind is Kind.MOMENT:
        return _text(moments.to_text(int(constant.value)))
    if constant.kind is Kind.BOOLEAN:
        return str(constant.value).upper()
    return _text(constant.value) if isinstance(constant.value, str) else repr(constant.value)


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(name: str) -> str:
    if _BARE.fullmatch(name) and name.upper() not in KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'
