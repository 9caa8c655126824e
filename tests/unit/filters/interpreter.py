"""The filter language in its smallest obvious reading: an expression is a tuple, and a person can check it.

Expressions are written by the tests as
    ("compare", operator, value, value)      ("in", value, [value, …])     ("between", value, value, value)
    ("like" | "ilike", value, pattern)       ("null", value)               ("is", condition, bool)
    ("and" | "or", [condition, …])           ("not", condition)            ("truth", value)
with values ("field", path), ("attribute", name), ("constant", python value) and ("moment", text).
"""

from __future__ import annotations

import operator
from datetime import UTC, datetime
from typing import Any, NamedTuple

Node = tuple[Any, ...]
OPERATORS = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Event(NamedTuple):
    payload: dict[str, Any]
    type: str
    source: str | None
    timestamp_us: int


def truth(node: Node, event: Event) -> bool | None:
    """What a condition is for an event: True, False, or None for NULL."""
    match node:
        case ("and", parts):
            found = [truth(part, event) for part in parts]
            return False if False in found else None if None in found else True
        case ("or", parts):
            found = [truth(part, event) for part in parts]
            return True if True in found else None if None in found else False
        case ("not", inner):
            found_inner = truth(inner, event)
            return None if found_inner is None else not found_inner
        case ("is", inner, wanted):
            return truth(inner, event) is wanted
        case ("null", operand):
            return value(operand, event) is None
        case ("truth", operand):
            found_value = value(operand, event)
            return found_value if isinstance(found_value, bool) else None
        case ("compare", sign, left, right):
            return compare(sign, value(left, event), value(right, event))
        case ("in", operand, items):
            return truth(("or", [("compare", "=", operand, item) for item in items]), event)
        case ("between", operand, low, high):
            bounds = [("compare", ">=", operand, low), ("compare", "<=", operand, high)]
            return truth(("and", bounds), event)
        case ("like", operand, pattern):
            text = value(operand, event)
            return like(text, pattern) if isinstance(text, str) else None
        case ("ilike", operand, pattern):
            text = value(operand, event)
            return like(lower(text), lower(pattern)) if isinstance(text, str) else None
    raise AssertionError(node)


def value(node: Node, event: Event) -> Any:
    """What a value is for an event; None for NULL."""
    match node:
        case ("field", path):
            found: Any = event.payload
            for part in path:
                if isinstance(part, str):
                    found = found.get(part) if isinstance(found, dict) else None
                else:
                    found = found[part] if isinstance(found, list) and part < len(found) else None
            return found
        case ("attribute", "timestamp"):
            return datetime.fromtimestamp(0, UTC) + event.timestamp_us * datetime.resolution
        case ("attribute", name):
            return getattr(event, name)
        case ("constant", int() as whole) if not -(2**63) <= whole < 2**64:
            return float(whole)
        case ("constant", constant):
            return constant
        case ("moment", text):
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    raise AssertionError(node)


def compare(sign: str, left: Any, right: Any) -> bool | None:
    """NULL unless both are of one kind."""
    if kind(left) is None or kind(left) != kind(right):
        return None
    return bool(OPERATORS[sign](left, right))


def kind(thing: Any) -> str | None:
    """The kind of a value; NULL, lists and objects have none."""
    kinds = {bool: "boolean", int: "number", float: "number", str: "text", datetime: "moment"}
    return kinds.get(type(thing))


def like(text: str, pattern: str) -> bool:
    """LIKE without an escape character, by its definition."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(like(text[start:], pattern[1:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("_", text[0]) and like(text[1:], pattern[1:])


def lower(text: str) -> str:
    """Lower case of each code point alone; only `İ` would become two, and becomes `i`."""
    return "".join(character.lower()[0] for character in text)
