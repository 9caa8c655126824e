"""Values of a filter: fields, attributes of the event and constants, from sqlglot's nodes."""

from __future__ import annotations

import math
import re

from sqlglot import exp

from signaldesk.filters import moments
from signaldesk.filters.faults import InvalidFilter
from signaldesk.filters.grammar import fault
from signaldesk.filters.tree import Attribute, Constant, Field, Kind, Operand, Path
from signaldesk.filters.words import ATTRIBUTES, PAYLOAD

MAX_DIGITS = 400

_DUNDER = re.compile(r"__.*__", re.DOTALL)
_PATHS = (exp.Column, exp.Dot, exp.Bracket)


def value_of(node: exp.Expr) -> Operand | None:
    """The value a node stands for; None when it is not one but, say, a condition. Raises InvalidFilter."""
    if isinstance(node, _PATHS):
        return field_of(node)
    if isinstance(node, exp.Boolean):
        return Constant(bool(node.this), Kind.BOOLEAN)
    if isinstance(node, exp.Literal) and node.is_string:
        return Constant(node.name, Kind.TEXT)
    if isinstance(node, exp.Literal):
        return number_of(node.name, node)
    if isinstance(node, exp.Null):
        raise fault(node, "nothing equals NULL, not even NULL", "write field IS NULL")
    return None


def field_of(node: exp.Expr) -> Field | Attribute:
    """The payload field or the event's attribute that a path names. Raises InvalidFilter."""
    path, bare = _path_of(node)
    head = path[0]
    if head == PAYLOAD:
        if len(path) == 1:
            raise fault(node, "the payload as a whole is not a value", "name a field: payload.amount")
        return Field(path[1:])
    if head in ATTRIBUTES:
        if len(path) > 1:
            raise fault(
                node,
                f"`{head}` is the event's own and has no fields",
                f"the payload's field is payload.{head}.…",
            )
        return Attribute(head)  # type: ignore[arg-type]
    if bare and isinstance(head, str) and head.lower() in (*ATTRIBUTES, PAYLOAD):
        raise fault(
            node,
            f"`{head}` could be two things",
            f"write {head.lower()} for the event's, payload.{head} for a payload field",
        )
    return Field(path)


def in_kind(constant: Constant, kind: Kind | None, node: exp.Expr) -> Constant:
    """The constant as one of a kind (None: any); text becomes a moment. Raises InvalidFilter."""
    if kind is Kind.MOMENT and constant.kind is Kind.TEXT:
        try:
            return Constant(moments.from_text(str(constant.value)), Kind.MOMENT)
        except ValueError as error:
            raise fault(
                node, f"'{constant.value}' is not a moment in time", f"write {moments.EXAMPLE}"
            ) from error
    if kind is not None and kind is not constant.kind:
        raise fault(
            node,
            f"{constant.kind.value} never compares with {kind.value}",
            f"write {moments.EXAMPLE if kind is Kind.MOMENT else 'text in quotes'}",
        )
    return constant


def _path_of(node: exp.Expr) -> tuple[Path, bool]:
    """The parts of a path, and whether the first one is written without quotes. Walked without recursion."""
    parts: list[str | int] = []
    while not isinstance(node, exp.Column):
        if isinstance(node, exp.Dot):
            parts.append(_key(node.expression))
        elif isinstance(node, exp.Bracket) and len(node.expressions) == 1 and not node.args.get("safe"):
            parts.append(_subscript(node.expressions[0]))
        else:
            raise _not_a_path(node)
        node = node.this
    identifiers = [node.args[name] for name in ("this", "table", "db", "catalog") if node.args.get(name)]
    parts += (_key(identifier) for identifier in identifiers)
    return tuple(reversed(parts)), not identifiers[-1].args.get("quoted")


def _key(node: exp.Expr) -> str:
    if not isinstance(node, exp.Identifier):
        raise _not_a_path(node)
    return _allowed_key(node.name, node)


def _subscript(node: exp.Expr) -> str | int:
    if isinstance(node, exp.Literal) and node.is_string:
        return _allowed_key(node.name, node)
    if isinstance(node, exp.Literal) and node.name.isdigit() and len(node.name) <= 9:
        return int(node.name)
    raise fault(
        node,
        "a position in a list is a whole number, the first is 0",
        "write items[0].price or user['first name']",
    )


def _allowed_key(key: str, node: exp.Expr) -> str:
    if not key or _DUNDER.fullmatch(key):
        raise fault(node, f'"{key}" cannot be a field name', "rename it where it is sent")
    return key


def _not_a_path(node: exp.Expr) -> InvalidFilter:
    return fault(node, "this is not a path to a field", 'write user.plan, items[0].price or "field name"')


def number_of(digits: str, node: exp.Expr) -> Constant:
    """The number that digits say, as an event's would be read. Raises InvalidFilter."""
    if len(digits) > MAX_DIGITS or math.isinf(float(digits)):
        raise fault(node, "this number is too large", "the largest is about 1.8e308")
    return number(int(digits) if digits.isdigit() else float(digits))


def number(value: int | float) -> Constant:
    """The constant of a number: 1.0 is 1, and a whole number beyond 64 bits a float, as an event's is."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return Constant(value if -(2**63) <= value < 2**64 else float(value), Kind.NUMBER)
