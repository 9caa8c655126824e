"""The tree as a Python function, for the live path: it runs on every event, so it is compiled, not walked.

SQL has three truths and Python's `and` two, so each condition has two Python forms: one that says "it is
true" and one that says "it is false"; NULL is where both say no. NOT asks for the other form, and De
Morgan's laws carry that down to the comparisons, each of which is therefore written exactly once, behind
the checks that its values are there and of one kind (`python_values.py`). What is left is plain two-valued,
short-circuiting Python without a single call in the usual case.

Nothing a person wrote becomes part of the source: constants and keys are reached by the names k0, k1, …
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from signaldesk.filters.kinds import kind_of
from signaldesk.filters.like import matcher
from signaldesk.filters.python_values import PARAMETERS, Values, joined_checks
from signaldesk.filters.tree import (
    COMPLEMENT,
    Among,
    And,
    Compare,
    Condition,
    Constant,
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

Predicate: TypeAlias = Callable[[dict[str, Any], str, str | None, int], bool]
"""(payload, type, source, timestamp in microseconds UTC) -> whether the filter is true.

The payload is what a JSON decoder makes: dict, list, str, int, float (finite), bool and None, no subclasses.
"""

_PYTHON: dict[Operator, str] = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

ValueOf: TypeAlias = Callable[[dict[str, Any], str, str | None, int], Any]
"""The same arguments -> the value: a number, text, bool, or None for NULL."""


def compile_predicate(condition: Condition) -> Predicate:
    """A function that is True exactly where the condition is true: not where it is false or NULL."""
    writer = _Writer()
    return cast(Predicate, _compiled(writer.says(condition, True), writer))


def compile_value(operand: Operand) -> ValueOf:
    """A function that gives the value; lists and objects are None too."""
    writer = _Writer()
    if isinstance(operand, Constant):
        return cast(ValueOf, _compiled(writer.name(operand.value), writer))
    value = writer.maybe(operand)
    if kind_of(operand) is None:
        value = f"(v if (v := {value}).__class__ in kinds else None)"
    return cast(ValueOf, _compiled(value, writer))


def compile_truth(condition: Condition) -> ValueOf:
    """A function that gives True, False, or None where the condition is NULL."""
    writer = _Writer()
    yes, no = writer.says(condition, True), writer.says(condition, False)
    return cast(ValueOf, _compiled(f"True if {yes} else False if {no} else None", writer))


def _compiled(expression: str, writer: Values) -> object:
    source = f"def predicate({', '.join(PARAMETERS)}):\n    return {expression}\n"
    exec(compile(source, "<filter>", "exec"), writer.names)  # noqa: S102 - made of the tree's classes only
    return writer.names["predicate"]


class _Writer(Values):
    """Writes conditions as Python expressions."""

    def says(self, condition: Condition, truth: bool) -> str:
        """An expression that is True exactly where the condition has this truth, and else False."""
        match condition:
            case Not(inner):
                return self.says(inner, not truth)
            case And(conditions) | Or(conditions):
                word = " and " if isinstance(condition, And) is truth else " or "
                return f"({word.join(self.says(part, truth) for part in conditions)})"
            case IsTruth(inner, wanted):
                asked = self.says(inner, wanted)
                return asked if truth else f"(not {asked})"
            case IsNull(operand):
                found = self.is_there(operand)
                return f"(not {found})" if truth else found
            case Compare(operator, left, right):
                return self._compare(operator if truth else COMPLEMENT[operator], left, right)
            case Truth(operand):
                return self._truth(operand, truth)
            case Among(operand, values):
                checks, value = self.of_kind(operand, values[0].kind)
                constants = self.name(frozenset(constant.value for constant in values))
                return joined_checks([*checks, f"{value} {'in' if truth else 'not in'} {constants}"])
            case Like(operand, pattern, escape, ignore_case):
                checks, value = self.of_kind(operand, Kind.TEXT)
                matches = self.name(matcher(pattern, escape, ignore_case=ignore_case))
                return joined_checks([*checks, f"{'' if truth else 'not '}{matches}({value})"])

    def _truth(self, operand: Term, truth: bool) -> str:
        if kind_of(operand) is Kind.BOOLEAN:
            checks, value = self.of_kind(operand, Kind.BOOLEAN)
            return joined_checks([*checks, value if truth else f"not {value}"])
        checks, value = self.perhaps(operand)
        return joined_checks([*checks, f"{value} is {truth}"])

    def _compare(self, operator: Operator, left: Term, right: Operand) -> str:
        sign = _PYTHON[operator]
        if isinstance(right, Constant):
            checks, value = self.of_kind(left, right.kind)
            return joined_checks([*checks, f"{value} {sign} {self.name(right.value)}"])
        known = kind_of(left) or kind_of(right)
        if known:
            checks, one = self.of_kind(left, known)
            more, other = self.of_kind(right, known)
            return joined_checks([*checks, *more, f"{one} {sign} {other}"])
        checks, one = self.perhaps(left)
        more, other = self.perhaps(right)
        v, w, kind = self.local(), self.local(), self.local()
        same = f"({kind} := kind_of(({v} := {one}).__class__)) is not None"
        also = f"kind_of(({w} := {other}).__class__) is {kind}"
        return joined_checks([*checks, same, *more, also, f"{v} {sign} {w}"])
