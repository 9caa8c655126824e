"""sqlglot's expression to our own tree: a whitelist, node by node and argument by argument.

A node class, or an argument of one, that is not named here is refused; nothing is passed through unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp

from signaldesk.filters import moments
from signaldesk.filters.faults import InvalidFilter
from signaldesk.filters.grammar import fault
from signaldesk.filters.like import MAX_PATTERN, BadPattern, matcher
from signaldesk.filters.tree import (
    MIRROR,
    Among,
    And,
    Attribute,
    Compare,
    Condition,
    Constant,
    IsNull,
    IsTruth,
    Kind,
    Like,
    Operand,
    Operator,
    Or,
    Truth,
    joined,
    negated,
)
from signaldesk.filters.values import field_of, in_kind, kind_of, value_of
from signaldesk.filters.vocabulary import ALLOWED

MAX_TERMS = 200
"""Comparisons in one filter. The constants of an IN list are not counted: they cost nothing per event."""

_OPERATORS: dict[type[exp.Expr], Operator] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_IN_EXAMPLE = "write IN ('a', 'b') or IN (1, 2)"
_HINTS: dict[type[exp.Expr], str] = {
    exp.Sub: 'there is no arithmetic; a field with a minus sign in its name is written "user-id"',
    exp.Tuple: "compare one value at a time",
    exp.Array: "write a list as IN (1, 2, 3)",
    exp.Concat: "an operator or a comma is missing between two texts",
    exp.AtTimeZone: "timestamp is UTC; write the other side with its offset: '2026-01-31T09:00:00+01:00'",
    exp.NullSafeEQ: "compare with = and IS NULL",
    exp.NullSafeNEQ: "compare with <> and IS NOT NULL",
}


def build(expression: exp.Expr) -> Condition:
    """The checked tree of an expression. Raises InvalidFilter."""
    return _Builder().condition(expression)


class _Builder:
    def __init__(self) -> None:
        self._terms = 0

    def condition(self, node: exp.Expr) -> Condition:
        node = _unwrapped(node)
        make = self._makers.get(type(node))
        if make is None:
            raise _foreign(node, "a condition")
        return make(self, node)

    def _junction(self, node: exp.Expr) -> Condition:
        """A chain of ANDs or ORs, walked without recursion: it may be as long as the text allows."""
        kind = type(node)
        waiting, parts = [node], []
        while waiting:
            part = _unwrapped(waiting.pop())
            if type(part) is kind:
                waiting += (_only(part, "this", "expression").expression, part.this)
            else:
                parts.append(self.condition(part))
        return joined(And if kind is exp.And else Or, parts)

    def _not(self, node: exp.Expr) -> Condition:
        return negated(self.condition(_only(node, "this").this))

    def _compare(self, node: exp.Expr) -> Condition:
        return self._comparison(
            _OPERATORS[type(node)], _only(node, "this", "expression").this, node.expression
        )

    def _comparison(self, operator: Operator, left_node: exp.Expr, right_node: exp.Expr) -> Condition:
        self._count(left_node)
        left, right = self._operand(left_node), self._operand(right_node)
        if isinstance(left, Constant):
            left, right, operator = right, left, MIRROR[operator]
            left_node, right_node = right_node, left_node
        if isinstance(left, Constant):
            raise fault(right_node, "two constants are compared here", "one side must be a field")
        if isinstance(right, Constant):
            right = in_kind(right, kind_of(left), right_node)
        elif Kind.MOMENT in (kind_of(left), kind_of(right)) and kind_of(left) is not kind_of(right):
            raise fault(
                left_node, "timestamp compares only with a moment in time", f"write it: {moments.EXAMPLE}"
            )
        return Compare(operator, left, right)

    def _in(self, node: exp.Expr) -> Condition:
        if node.args.get("query") or node.args.get("field"):
            raise fault(node, "IN needs a list of values", _IN_EXAMPLE)
        subject: exp.Expr = _only(node, "this", "expressions").this
        if not node.expressions:
            raise fault(node, "the list of IN is empty", _IN_EXAMPLE)
        operand = self._operand(subject)
        items = [self._operand(item) for item in node.expressions]
        constants = [item for item in items if isinstance(item, Constant)]
        if isinstance(operand, Constant) or len(constants) < len(items):
            return joined(Or, [self._comparison("=", subject, item) for item in node.expressions])
        self._count(node)
        return Among(operand, _of_one_kind(constants, kind_of(operand), node.expressions))

    def _between(self, node: exp.Expr) -> Condition:
        subject: exp.Expr = _only(node, "this", "low", "high").this
        at_least = self._comparison(">=", subject, node.args["low"])
        return joined(And, [at_least, self._comparison("<=", subject, node.args["high"])])

    def _like(self, node: exp.Expr, escape: str | None = None) -> Condition:
        self._count(node)
        operand = self._operand(_only(node, "this", "expression", "negate").this)
        pattern = self._operand(node.expression)
        if isinstance(operand, Constant) or kind_of(operand) not in (None, Kind.TEXT):
            raise fault(node, "LIKE needs a text field before it", "write field LIKE 'a%'")
        if not isinstance(pattern, Constant) or not isinstance(pattern.value, str):
            raise fault(node.expression, "the pattern of LIKE must be text", "write LIKE 'a%'")
        _check_pattern(node.expression, pattern.value, escape)
        condition = Like(operand, pattern.value, escape, isinstance(node, exp.ILike))
        return negated(condition) if node.args.get("negate") else condition

    def _escape(self, node: exp.Expr) -> Condition:
        like, escape = _only(node, "this", "expression").this, node.expression
        if type(like) not in (exp.Like, exp.ILike) or not escape.is_string or len(escape.name) != 1:
            raise fault(
                node, "ESCAPE names one character, after LIKE or ILIKE", "write LIKE '100$%' ESCAPE '$'"
            )
        return self._like(like, escape.name)

    def _is(self, node: exp.Expr) -> Condition:
        wanted = _unwrapped(_only(node, "this", "expression").expression)
        if isinstance(wanted, exp.Boolean):
            return IsTruth(self.condition(node.this), bool(wanted.this))
        if not isinstance(wanted, exp.Null):
            raise fault(wanted, "IS stands before NULL, TRUE or FALSE only", "compare with =")
        self._count(node)
        operand = self._operand(node.this)
        if isinstance(operand, Constant):
            raise fault(node, "a constant is never NULL", "name a field")
        return IsNull(operand)

    def _truth(self, node: exp.Expr) -> Condition:
        self._count(node)
        operand = field_of(node)
        if isinstance(operand, Attribute):
            raise fault(
                node,
                f"`{operand.name}` is {operand.kind.value}, not a condition",
                f"write {operand.name} = '…'",
            )
        return Truth(operand)

    def _operand(self, node: exp.Expr) -> Operand:
        node = _unwrapped(node)
        value = value_of(node)
        if value is not None:
            return value
        if type(node) in _OPERATORS:
            raise fault(
                node, "a comparison stands where a value is needed", "write a > 1 AND a < 3 for a range"
            )
        if type(node) in self._makers:
            raise fault(
                node,
                "a condition stands where a value is needed",
                "join conditions with AND or OR, or ask whether one IS TRUE",
            )
        raise _foreign(node, "a value")

    def _count(self, node: exp.Expr) -> None:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise fault(
                node,
                f"a filter has at most {MAX_TERMS} comparisons",
                "write many alternatives as field IN (…)",
            )

    _makers: ClassVar[dict[type[exp.Expr], Callable[[_Builder, Any], Condition]]] = {
        exp.And: _junction,
        exp.Or: _junction,
        exp.Not: _not,
        **dict.fromkeys(_OPERATORS, _compare),
        exp.In: _in,
        exp.Between: _between,
        exp.Like: _like,
        exp.ILike: _like,
        exp.Escape: _escape,
        exp.Is: _is,
        **dict.fromkeys((exp.Column, exp.Dot, exp.Bracket), _truth),
    }


def _unwrapped(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _only(node: exp.Expr, *allowed: str) -> exp.Expr:
    """The node itself, if it carries no argument but the allowed ones."""
    for name, value in node.args.items():
        if value and name not in allowed:
            raise _foreign(node, "a condition")
    return node


def _of_one_kind(constants: list[Constant], kind: Kind | None, nodes: list[exp.Expr]) -> tuple[Constant, ...]:
    """The constants of an IN in order and each once, so that the order of writing makes no difference."""
    unique: dict[object, Constant] = {}
    wanted = kind or constants[0].kind
    for constant, node in zip(constants, nodes, strict=True):
        if kind is None and constant.kind is not wanted:
            raise fault(node, "the list of IN mixes kinds of values", "join one IN for each kind with OR")
        checked = in_kind(constant, wanted, node)
        unique.setdefault(checked.value, checked)
    return tuple(sorted(unique.values(), key=lambda item: item.value))


def _check_pattern(node: exp.Expr, pattern: str, escape: str | None) -> None:
    if len(pattern) > MAX_PATTERN:
        raise fault(node, f"a pattern has at most {MAX_PATTERN} characters")
    try:
        matcher(pattern, escape)
    except BadPattern as error:
        raise fault(node, str(error)) from error


def _foreign(node: exp.Expr, wanted: str) -> InvalidFilter:
    if isinstance(node, exp.Anonymous):
        return fault(node, f"unknown function `{node.name}`", "there are no functions in filters")
    return fault(node, f"this cannot be {wanted}", _HINTS.get(type(node), ALLOWED))
