"""The filter language in its smallest obvious reading: an expression is a tuple, and a person can check it.

Expressions are written by the tests as
    ("compare", operator, value, value)      ("in", value, [value, …])     ("between", value, value, value)
    ("like" | "ilike", value, pattern)       ("null", value)               ("is", condition, bool)
    ("and" | "or", [condition, …])           ("not", condition)            ("truth", value)
with values
    ("field", path)      ("attribute", name)      ("constant", python value)     ("moment", text)
    ("arithmetic", sign, value, value)     ("negative", value)     ("call", function, [value, …])
    ("coalesce", [value, …])                      ("part", name, zone)
"""

from __future__ import annotations

import operator
import re
from datetime import UTC, datetime
from fractions import Fraction
from math import trunc
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

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
        case ("constant", float() as written) if written.is_integer() and abs(written) < 2**53:
            return int(written)
        case ("constant", constant):
            return constant
        case ("moment", text):
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return computed(node, event)


def computed(node: Node, event: Event) -> Any:
    """What a value is that is made from others."""
    match node:
        case ("negative", inner):
            return value(("arithmetic", "-", ("constant", 0), inner), event)
        case ("arithmetic", sign, left, right):
            numbers = [value(left, event), value(right, event)]
            exact = all(side[0] in ("field", "constant") for side in (left, right))
            return arithmetic(sign, *numbers, exact=exact) if _all(numbers, "number") else None
        case ("coalesce", parts):
            found_all = [value(part, event) for part in parts]
            return next((one for one in found_all if one is not None), None)
        case ("call", name, parts):
            texts = [value(part, event) for part in parts]
            return FUNCTIONS[name](*texts) if _all(texts, "text") else None
        case ("part", name, zone):
            moment = datetime.fromtimestamp(0, UTC) + event.timestamp_us * datetime.resolution
            return PARTS[name](moment.astimezone(ZoneInfo(zone)))
    raise AssertionError(node)


def arithmetic(sign: str, one: float, other: float, *, exact: bool) -> float | None:
    """In real numbers, of floats, rounded once to a float; NULL where no float is it.

    With `exact`, whole numbers are not rounded before `%`, nor before `+` and `-` within 64 bits.
    """
    real = [Fraction(float(one)), Fraction(float(other))]
    if exact and isinstance(one, int) and isinstance(other, int):
        found = Fraction(one) + other * {"+": 1, "-": -1}.get(sign, 0)
        if sign == "%" or (sign in "+-" and -(2**63) <= found < 2**63):
            real = [Fraction(one), Fraction(other)]
    left, right = real
    if sign in "/%" and right == 0:
        return None
    quotients = {"/": lambda: left / right, "%": lambda: left - right * trunc(left / right)}
    others = {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right}
    try:
        return float((quotients | others)[sign]())
    except OverflowError:
        return None


def _all(values: list[Any], wanted: str) -> bool:
    return all(kind(one) == wanted for one in values)


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


def upper(text: str) -> str:
    """Upper case of each code point alone, for those of the tests."""
    return "".join({"ß": "ẞ"}.get(one, one.upper()[0]) for one in text)


FUNCTIONS: dict[str, Any] = {
    "lower": lower,
    "upper": upper,
    "length": len,
    "starts_with": lambda text, start: text[: len(start)] == start,
    "ends_with": lambda text, end: text[len(text) - len(end) :] == end if len(end) <= len(text) else False,
    "contains": lambda text, inner: any(text[at:].startswith(inner) for at in range(len(text) + 1)),
    "regexp_matches": lambda text, pattern: re.search(pattern, text, re.ASCII) is not None,
}
PARTS: dict[str, Any] = {
    **{name: operator.attrgetter(name) for name in ("year", "month", "day", "hour", "minute", "second")},
    "quarter": lambda moment: (moment.month + 2) // 3,
    "week": lambda moment: int(moment.strftime("%V")),
    "dayofyear": lambda moment: int(moment.strftime("%j")),
    "dayofweek": lambda moment: int(moment.strftime("%w")),
    "isodow": lambda moment: moment.isoweekday(),
    "epoch": lambda moment: (moment - datetime(1970, 1, 1, tzinfo=UTC)) / (1_000_000 * datetime.resolution),
    "epoch_ms": lambda moment: (moment - datetime(1970, 1, 1, tzinfo=UTC)) // (1_000 * datetime.resolution),
}
