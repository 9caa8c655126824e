"""sqlglot's expression to our own tree of conditions: a whitelist, node by node and argument by argument.

A node class, or an argument of one, that is not named here is refused; nothing is passed through unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp

from signaldesk.filters import moments
from signaldesk.filters.canonical import operand_text
from signaldesk.filters.faults import each
from signaldesk.filters.grammar import fault
from signaldesk.filters.kinds import kind_of
from signaldesk.filters.like import MAX_PATTERN, BadPattern, matcher
from signaldesk.filters.operands import VALUES, Operands, foreign, only, unwrapped
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
    Not,
    Operator,
    Or,
    Term,
    Truth,
    joined,
    negated,
)
from signaldesk.filters.values import in_kind

_OPERATORS: dict[type[exp.Expr], Operator] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_IN_EXAMPLE = "write IN ('a', 'b') or IN (1, 2)"


def build(expression: exp.Expr) -> Condition:
    """The checked tree of an expression. Raises InvalidFilter with all the faults that were found."""
    return Builder().condition(expression)


class Builder(Operands):
    """Conditions over values; one for each filter, as it counts comparisons and operations."""

    def condition(self, node: exp.Expr) -> Condition:
        """The condition that a node says. Raises InvalidFilter."""
        node = unwrapped(node)
        make = self._makers.get(type(node))
        if make is None:
            raise foreign(node, "a condition")
        return make(self, node)

    def _junction(self, node: exp.Expr) -> Condition:
        """A chain of ANDs or ORs, walked without recursion: it may be as long as the text allows."""
        kind = type(node)
        waiting, parts = [node], []
        while waiting:
            part = unwrapped(waiting.pop())
            if type(part) is kind:
                waiting += (only(part, "this", "expression").expression, part.this)
            else:
                parts.append(part)
        return joined(And if kind is exp.And else Or, each(self.condition, parts))

    def _not(self, node: exp.Expr) -> Condition:
        return negated(self.condition(only(node, "this").this))

    def _compare(self, node: exp.Expr) -> Condition:
        return self._comparison(
            _OPERATORS[type(node)], only(node, "this", "expression").this, node.expression
        )

    def _comparison(self, operator: Operator, left_node: exp.Expr, right_node: exp.Expr) -> Condition:
        self.count(left_node)
        left, right = each(self.operand, (left_node, right_node))
        if isinstance(left, Constant):
            left, right, operator = right, left, MIRROR[operator]
            left_node, right_node = right_node, left_node
        if isinstance(left, Constant):
            raise fault(right_node, "two constants are compared here", "one side must be a field")
        if isinstance(right, Constant):
            return _with_constant(operator, left, in_kind(right, kind_of(left), right_node))
        kinds = {kind_of(left), kind_of(right)}
        if Kind.MOMENT in kinds and len(kinds) > 1:
            raise fault(
                left_node, "timestamp compares only with a moment in time", f"write it: {moments.EXAMPLE}"
            )
        if len(kinds - {None}) > 1:
            one, other = (kind.value for kind in (kind_of(left), kind_of(right)) if kind)
            raise fault(left_node, f"{one} never compares with {other}", "the answer would always be NULL")
        if operand_text(right) < operand_text(left):
            left, right, operator = right, left, MIRROR[operator]
        return Compare(operator, left, right)

    def _in(self, node: exp.Expr) -> Condition:
        if node.args.get("query") or node.args.get("field"):
            raise fault(node, "IN needs a list of values", _IN_EXAMPLE)
        subject: exp.Expr = only(node, "this", "expressions").this
        if not node.expressions:
            raise fault(node, "the list of IN is empty", _IN_EXAMPLE)
        operand = self.operand(subject)
        items = each(self.operand, node.expressions)
        constants = [item for item in items if isinstance(item, Constant)]
        if isinstance(operand, Constant) or len(constants) < len(items):
            return joined(Or, each(lambda item: self._comparison("=", subject, item), node.expressions))
        self.count(node)
        return Among(operand, _of_one_kind(constants, kind_of(operand), node.expressions))

    def _between(self, node: exp.Expr) -> Condition:
        subject: exp.Expr = only(node, "this", "low", "high").this
        bounds: list[tuple[Operator, exp.Expr]] = [(">=", node.args["low"]), ("<=", node.args["high"])]
        return joined(And, each(lambda bound: self._comparison(bound[0], subject, bound[1]), bounds))

    def _like(self, node: exp.Expr, escape: str | None = None) -> Condition:
        self.count(node)
        operand = self.operand(only(node, "this", "expression", "negate").this)
        pattern = self.operand(node.expression)
        if isinstance(operand, Constant) or kind_of(operand) not in (None, Kind.TEXT):
            raise fault(node, "LIKE needs a text field before it", "write field LIKE 'a%'")
        if not isinstance(pattern, Constant) or not isinstance(pattern.value, str):
            raise fault(node.expression, "the pattern of LIKE must be text", "write LIKE 'a%'")
        _check_pattern(node.expression, pattern.value, escape)
        condition = Like(operand, pattern.value, escape, isinstance(node, exp.ILike))
        return negated(condition) if node.args.get("negate") else condition

    def _escape(self, node: exp.Expr) -> Condition:
        like, escape = only(node, "this", "expression").this, node.expression
        if type(like) not in (exp.Like, exp.ILike) or not escape.is_string or len(escape.name) != 1:
            raise fault(
                node, "ESCAPE names one character, after LIKE or ILIKE", "write LIKE '100$%' ESCAPE '$'"
            )
        return self._like(like, escape.name)

    def _is(self, node: exp.Expr) -> Condition:
        wanted = unwrapped(only(node, "this", "expression").expression)
        if isinstance(wanted, exp.Boolean):
            return IsTruth(self.condition(node.this), bool(wanted.this))
        if not isinstance(wanted, exp.Null):
            raise fault(wanted, "IS stands before NULL, TRUE or FALSE only", "compare with =")
        self.count(node)
        operand = self.operand(node.this)
        if isinstance(operand, Constant):
            raise fault(node, "a constant is never NULL", "name a field")
        return IsNull(operand)

    def _truth(self, node: exp.Expr) -> Condition:
        self.count(node)
        operand = self.operand(node)
        kind = kind_of(operand)
        if isinstance(operand, (Constant, Attribute)) or kind not in (None, Kind.BOOLEAN):
            shown = operand_text(operand)
            raise fault(
                node,
                f"`{shown}` is {kind.value if kind else 'a value'}, not a condition",
                f"write {shown} = …" if kind is Kind.NUMBER else f"write {shown} = '…'",
            )
        return Truth(operand)

    _makers: ClassVar[dict[type[exp.Expr], Callable[[Builder, Any], Condition]]] = {
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
        **dict.fromkeys(VALUES, _truth),
    }


def _with_constant(operator: Operator, left: Term, right: Constant) -> Condition:
    """A comparison; one with TRUE or FALSE is the value itself or its negation, as it would be written."""
    if right.kind is Kind.BOOLEAN and operator in ("=", "<>"):
        return Truth(left) if (operator == "=") is right.value else Not(Truth(left))
    return Compare(operator, left, right)


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
