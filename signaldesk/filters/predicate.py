"""The tree as a Python function, for the live path: it runs on every event, so it is compiled, not walked.

SQL has three truths and Python's `and` two, so each condition has two Python forms: one that says "it is
true" and one that says "it is false"; NULL is where both say no. NOT asks for the other form, and De
Morgan's laws carry that down to the comparisons, each of which is therefore written exactly once, behind
the checks that its values are there and of one kind. What is left is plain two-valued, short-circuiting
Python without a single call in the usual case.

Nothing a person wrote becomes part of the source: constants and keys are reached by the names k0, k1, …
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from signaldesk.filters.like import matcher
from signaldesk.filters.tree import (
    COMPLEMENT,
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
    Truth,
)

Predicate: TypeAlias = Callable[[dict[str, Any], str, str | None, int], bool]
"""(payload, type, source, timestamp in microseconds UTC) -> whether the filter is true.

The payload is what a JSON decoder makes: dict, list, str, int, float (finite), bool and None, no subclasses.
"""

_PYTHON: dict[Operator, str] = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_PARAMETERS = {"type": "type", "source": "source", "timestamp": "timestamp_us"}
_KINDS: dict[type, Kind] = {str: Kind.TEXT, int: Kind.NUMBER, float: Kind.NUMBER, bool: Kind.BOOLEAN}


def compile_predicate(condition: Condition) -> Predicate:
    """A function that is True exactly where the condition is true: not where it is false or NULL."""
    writer = _Writer()
    source = (
        f"def predicate(payload, type, source, timestamp_us):\n    return {writer.says(condition, True)}\n"
    )
    exec(compile(source, "<filter>", "exec"), writer.names)  # noqa: S102 - made of the tree's classes only
    return cast(Predicate, writer.names["predicate"])


class _Writer:
    """Writes Python expressions; `names` is what they may refer to, and all they may refer to."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {
            "__builtins__": {},
            "dict": dict,
            "list": list,
            "len": len,
            "str": str,
            "int": int,
            "float": float,
            "bool": bool,
            "kind_of": _KINDS.get,
        }

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
                found = self._is_there(operand)
                return f"(not {found})" if truth else found
            case Compare(operator, left, right):
                return self._compare(operator if truth else COMPLEMENT[operator], left, right)
            case Truth(operand):
                checks, value = self._value(operand, "v")
                return _all([*checks, f"{value} is {truth}"])
            case Among(operand, values):
                checks, value = self._of_kind(operand, values[0].kind, "v")
                constants = self._name(frozenset(constant.value for constant in values))
                return _all([*checks, f"{value} {'in' if truth else 'not in'} {constants}"])
            case Like(operand, pattern, escape, ignore_case):
                checks, value = self._of_kind(operand, Kind.TEXT, "v")
                matches = self._name(matcher(pattern, escape, ignore_case=ignore_case))
                return _all([*checks, f"{'' if truth else 'not '}{matches}({value})"])

    def _compare(self, operator: Operator, left: Field | Attribute, right: Operand) -> str:
        sign = _PYTHON[operator]
        if isinstance(right, Constant):
            checks, value = self._of_kind(left, right.kind, "v")
            return _all([*checks, f"{value} {sign} {self._name(right.value)}"])
        known = next((side.kind for side in (left, right) if isinstance(side, Attribute)), None)
        if known:
            checks, one = self._of_kind(left, known, "v")
            more, other = self._of_kind(right, known, "w")
            return _all([*checks, *more, f"{one} {sign} {other}"])
        checks, one = self._value(left, "v")
        more, other = self._value(right, "w")
        same = f"(k := kind_of((v := {one}).__class__)) is not None"
        return _all([*checks, same, *more, f"kind_of((w := {other}).__class__) is k", f"v {sign} w"])

    def _is_there(self, operand: Field | Attribute) -> str:
        checks, value = self._value(operand, "v")
        return _all([*checks, f"{value} is not None"])

    def _of_kind(self, operand: Operand, kind: Kind, local: str) -> tuple[list[str], str]:
        """Checks that must hold, in order, and the expression of the value, which then is of that kind."""
        checks, value = self._value(operand, local)
        if isinstance(operand, Attribute):
            return ([*checks, f"{value} is not None"] if operand.name == "source" else checks), value
        match kind:
            case Kind.TEXT:
                check = f"({local} := {value}).__class__ is str"
            case Kind.BOOLEAN:
                check = f"({local} := {value}).__class__ is bool"
            case _:
                check = f"(({local} := {value}).__class__ is int or {local}.__class__ is float)"
        return [*checks, check], local

    def _value(self, operand: Operand, local: str) -> tuple[list[str], str]:
        """Checks that must hold for the value to be there, and its expression; it may still be None."""
        if isinstance(operand, Attribute):
            return [], _PARAMETERS[operand.name]
        assert isinstance(operand, Field)
        value = f"payload.get({self._name(operand.path[0])})"
        checks: list[str] = []
        for part in operand.path[1:]:
            if isinstance(part, str):
                checks.append(f"({local} := {value}).__class__ is dict")
                value = f"{local}.get({self._name(part)})"
            else:
                checks.append(f"({local} := {value}).__class__ is list and len({local}) > {part}")
                value = f"{local}[{part}]"
        return checks, value

    def _name(self, thing: object) -> str:
        name = f"k{len(self.names)}"
        self.names[name] = thing
        return name


def _all(checks: list[str]) -> str:
    return f"({' and '.join(checks)})"
