"""Values of a filter from sqlglot's nodes: arithmetic, functions and parts of the timestamp."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from signaldesk.filters import regex, zones
from signaldesk.filters.arithmetic import calculated
from signaldesk.filters.canonical import operand_text
from signaldesk.filters.faults import InvalidFilter, did_you_mean, each, nearest
from signaldesk.filters.functions import (
    ALIASES,
    ARITHMETIC,
    COALESCE,
    ELSEWHERE,
    FUNCTIONS,
    MAX_ALTERNATIVES,
    NAMES,
    PARTS,
    REGEX,
    SINCE_1970,
    Function,
)
from signaldesk.filters.grammar import fault
from signaldesk.filters.kinds import kind_of
from signaldesk.filters.tree import Attribute, Call, Coalesce, Constant, Kind, Operand, Part
from signaldesk.filters.values import number, value_of
from signaldesk.filters.vocabulary import ALLOWED

MAX_TERMS = 200
"""Comparisons and operations in one filter. The constants of an IN list are not counted: they cost nothing
per event."""

MAX_VALUE_DEPTH = 20
"""Operations inside one another in one value; `a + b + c` is two."""

_ARITHMETIC: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
}
_COMPARISONS: tuple[type[exp.Expr], ...] = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_CONDITIONS: tuple[type[exp.Expr], ...] = (
    *(exp.And, exp.Or, exp.Not, exp.In, exp.Between),
    *(exp.Like, exp.ILike, exp.Escape, exp.Is),
)
VALUES: tuple[type[exp.Expr], ...] = (exp.Column, exp.Dot, exp.Bracket, exp.Neg, exp.Anonymous, *_ARITHMETIC)
"""Nodes that are values and not constants by themselves."""

_HINTS: dict[type[exp.Expr], str] = {
    exp.Tuple: "compare one value at a time",
    exp.Array: "write a list as IN (1, 2, 3)",
    exp.Concat: "an operator or a comma is missing between two texts",
    exp.AtTimeZone: "a zone stands in a part only, as in hour(timestamp AT TIME ZONE 'Europe/Berlin'); "
    "otherwise timestamp is UTC, and the other side has its offset: '2026-01-31T09:00:00+01:00'",
    exp.NullSafeEQ: "compare with = and IS NULL",
    exp.NullSafeNEQ: "compare with <> and IS NOT NULL",
}


class Operands:
    """Reads values, and counts what they cost."""

    def __init__(self) -> None:
        self._terms = 0
        self._depth = 0

    def operand(self, node: exp.Expr) -> Operand:
        """The value that a node says. Raises InvalidFilter."""
        node = unwrapped(node)
        value = value_of(node)
        if value is not None:
            return value
        if type(node) not in VALUES:
            raise _not_a_value(node)
        self.count(node)
        self._depth += 1
        try:
            if self._depth > MAX_VALUE_DEPTH:
                raise fault(node, f"more than {MAX_VALUE_DEPTH} operations inside one another")
            if isinstance(node, exp.Neg):
                return self._negative(only(node, "this"))
            if isinstance(node, exp.Anonymous):
                return self._called(only(node, "this", "expressions"))
            return self._arithmetic(only(node, "this", "expression", "typed", "safe"))
        finally:
            self._depth -= 1

    def count(self, node: exp.Expr) -> None:
        """One more comparison or operation. Raises InvalidFilter for the first that is too many."""
        self._terms += 1
        if self._terms == MAX_TERMS + 1:
            raise fault(
                node,
                f"a filter has at most {MAX_TERMS} comparisons and operations",
                "write many alternatives as field IN (…)",
            )

    def _negative(self, node: exp.Expr) -> Operand:
        operand = self.operand(node.this)
        self._check(operand, Kind.NUMBER, node.this, "-")
        if isinstance(operand, Constant):
            assert not isinstance(operand.value, str)
            return number(-operand.value)
        return Call("-", (number(0), operand))

    def _arithmetic(self, node: exp.Expr) -> Operand:
        sign = _ARITHMETIC[type(node)]
        left, right = self._arguments(FUNCTIONS[sign], [node.this, node.expression])
        if isinstance(right, Constant) and right.value == 0 and sign in "/%":
            raise fault(node.expression, "a division by zero is always NULL", "divide by another number")
        if isinstance(left, Constant) and isinstance(right, Constant):
            result = calculated(sign, left.value, right.value)  # type: ignore[arg-type]
            if result is None:
                raise fault(node, "this number is too large", "the largest is about 1.8e308")
            return number(result)
        if sign in "+*" and _in_order(right) < _in_order(left):
            left, right = right, left
        return Call(sign, (left, right))

    def _called(self, node: exp.Expr) -> Operand:
        written = node.name
        name = ALIASES.get(written.lower(), written.lower())
        if name in PARTS or name in SINCE_1970:
            return self._part(name, node)
        if name == COALESCE:
            return self._coalesce(node)
        function = FUNCTIONS.get(name)
        if function is None or name in ARITHMETIC or not isinstance(node.this, str):
            raise _unknown(node)
        if len(node.expressions) != len(function.arguments):
            raise fault(
                node,
                f"`{name}` takes {len(function.arguments)} value{'s' * (len(function.arguments) > 1)}, "
                f"not {len(node.expressions)}",
                f"write {function.example}",
            )
        arguments = self._arguments(function, node.expressions)
        if name == REGEX:
            _check_regex(arguments[1], node.expressions[1])
        if all(isinstance(argument, Constant) for argument in arguments):
            raise fault(node, f"`{name}` does not look at the event here", f"write {function.example}")
        return Call(name, arguments)

    def _coalesce(self, node: exp.Expr) -> Operand:
        if not 2 <= len(node.expressions) <= MAX_ALTERNATIVES:
            raise fault(
                node,
                f"`{COALESCE}` takes 2 to {MAX_ALTERNATIVES} values",
                "write coalesce(nickname, name, '')",
            )
        flat: list[Operand] = []
        for argument, written in zip(each(self.operand, node.expressions), node.expressions, strict=True):
            if flat and (isinstance(flat[-1], (Constant, Part)) or flat[-1] == Attribute("type")):
                raise fault(written, "what stands before it is never NULL, so this is never used")
            if kind_of(argument) is Kind.MOMENT:
                raise fault(written, "timestamp is never NULL", "name a field")
            flat += argument.arguments if isinstance(argument, Coalesce) else (argument,)
        if isinstance(flat[0], Constant):  # not reached: it would be followed by something
            raise fault(node, "a constant is never NULL")
        return Coalesce(tuple(flat))

    def _part(self, name: str, node: exp.Expr) -> Operand:
        moment, zone = node.expressions[0] if len(node.expressions) == 1 else None, "UTC"
        if isinstance(moment, exp.AtTimeZone) and name in PARTS:
            zone, moment = _zone(only(moment, "this", "zone").args["zone"]), moment.this
        if (
            moment is None
            or not isinstance(moment, exp.Column)
            or self.operand(moment) != Attribute("timestamp")
        ):
            raise fault(
                node,
                f"`{name}` takes the event's timestamp only",
                f"write {name}(timestamp)"
                + (f" or {name}(timestamp AT TIME ZONE 'Europe/Berlin')" if name in PARTS else ""),
            )
        return Part(name, zone)

    def _arguments(self, function: Function, nodes: Sequence[exp.Expr]) -> tuple[Operand, ...]:
        def read(argument: tuple[exp.Expr, Kind]) -> Operand:
            node, kind = argument
            operand = self.operand(node)
            self._check(operand, kind, node, function.name)
            return operand

        return tuple(each(read, zip(nodes, function.arguments, strict=True)))

    def _check(self, operand: Operand, kind: Kind, node: exp.Expr, function: str) -> None:
        """Refuses what is known to be of another kind before any event is there."""
        found = kind_of(operand)
        if found is Kind.MOMENT:
            raise fault(
                node,
                f"`{function}` takes {kind.value}, not a moment in time",
                "write epoch(timestamp) for seconds",
            )
        if found is not None and found is not kind:
            raise fault(node, f"`{function}` takes {kind.value}, not {found.value}")


def is_condition(node: exp.Expr) -> bool:
    """Whether a node says a condition by its form, and not a value that may be true or false."""
    return isinstance(unwrapped(node), (*_COMPARISONS, *_CONDITIONS))


def unwrapped(node: exp.Expr) -> exp.Expr:
    """The node without parentheses around it."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def only(node: exp.Expr, *allowed: str) -> exp.Expr:
    """The node itself, if it carries no argument but the allowed ones."""
    for name, value in node.args.items():
        if value and name not in allowed:
            raise foreign(node, "a condition")
    return node


def foreign(node: exp.Expr, wanted: str) -> InvalidFilter:
    """The error for a node that has no place in a filter."""
    return fault(node, f"this cannot be {wanted}", _HINTS.get(type(node), ALLOWED))


def _in_order(operand: Operand) -> tuple[bool, str]:
    """Sums and products are the same both ways round, bit by bit: constants stand last."""
    return isinstance(operand, Constant), operand_text(operand)


def _zone(node: exp.Expr) -> str:
    name = node.name if isinstance(node, exp.Literal) and node.is_string else ""
    if not zones.known(name):
        raise fault(
            node,
            f"'{name}' is not a time zone" if name else "a time zone is text",
            did_you_mean(name, zones.names()) or "write AT TIME ZONE 'Europe/Berlin'",
        )
    return name


def _check_regex(pattern: Operand, node: exp.Expr) -> None:
    if not isinstance(pattern, Constant):
        raise fault(
            node, "a regular expression is written as text", "write regexp_matches(path, '^/v[0-9]+/')"
        )
    try:
        regex.check(str(pattern.value))
    except regex.BadRegex as error:
        raise fault(node, str(error), error.suggestion) from error


def _unknown(node: exp.Expr) -> InvalidFilter:
    name = node.name
    mend = ELSEWHERE.get(name.lower())
    if mend is None and (near := nearest(name, NAMES)):
        return fault(node, f"unknown function `{name}`, did you mean `{near}`?")
    return fault(node, f"unknown function `{name}`", mend or f"there are {', '.join(NAMES)}")


def _not_a_value(node: exp.Expr) -> InvalidFilter:
    if isinstance(node, _COMPARISONS):
        return fault(node, "a comparison stands where a value is needed", "write a > 1 AND a < 3 for a range")
    if isinstance(node, _CONDITIONS):
        return fault(
            node,
            "a condition stands where a value is needed",
            "join conditions with AND or OR, or ask whether one IS TRUE",
        )
    return foreign(node, "a value")
